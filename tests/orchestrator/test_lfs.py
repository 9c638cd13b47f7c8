"""Git LFS on the host: pointers are a stranger's text, and so is what a server answers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from draftsman.domain.errors import DraftsmanError, PlanError, SourceError
from orchestrator import lfs
from orchestrator.lfs import MAX_OBJECT, Pointer, batch_url, check_sizes, fetch_lfs, find_pointers, parse_pointer
from orchestrator.lfs_answers import read_answer, refusal
from orchestrator.source import Mirror, Mirrors, Remote
from tests.orchestrator.git_trees import run

OID = "a" * 64
CONTENT = b"a large file\n"


def oid_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pointer_to(content: bytes) -> str:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid_of(content)}\nsize {len(content)}\n"


def text(oid: str = OID, size: str = "12", version: str = "https://git-lfs.github.com/spec/v1") -> str:
    return f"version {version}\noid sha256:{oid}\nsize {size}\n"


def test_a_pointer_is_read() -> None:
    assert parse_pointer(text().encode()) == Pointer(OID, 12)
    assert parse_pointer(text(size="0").encode()) == Pointer(OID, 0)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "content",
    [
        "", "x", text()[:-1], text() + "\n", text() + "more x\n", text(oid="A" * 64), text(oid="a" * 63),
        text(oid="../" + "a" * 61), text(size="-1"), text(size="01"), text(size="1e3"), text(size="9" * 16),
        text(size=""), text(version="https://hawser.github.com/spec/v1"), text().replace("\n", "\r\n"),
        text().replace("sha256", "sha1"),
        text(oid="a" * 64 + "\n" + "x" * 1000), "é" + text(), text().replace("oid", "ext-0-x sha256:" + OID + "\noid"),
    ],
)  # fmt: skip
def test_other_texts_are_no_pointers(content: str) -> None:
    assert parse_pointer(content.encode()) is None


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("pointers", "says"),
    [
        ({"a": Pointer(OID, MAX_OBJECT + 1)}, "more than 2 GiB"),
        ({"a": Pointer(OID, 1), "b": Pointer(OID, 2)}, "another size"),
        ({str(number): Pointer(OID, 1) for number in range(5001)}, "5,000 files"),
        ({str(number): Pointer(f"{number:064}", MAX_OBJECT) for number in range(5)}, "more than 8 GiB"),
    ],
)
def test_sizes_and_counts_are_capped(pointers: dict[str, Pointer], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        check_sizes(pointers)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("https://a.example/o/r.git", "https://a.example/o/r.git/info/lfs/objects/batch"),
        ("https://a.example/o/r", "https://a.example/o/r.git/info/lfs/objects/batch"),
        ("https://a.example/o/r.git/", "https://a.example/o/r.git/info/lfs/objects/batch"),
    ],
)
def test_where_the_batch_api_is(url: str, meant: str) -> None:
    assert batch_url(url) == meant


def answer(**changes: Any) -> bytes:
    one = {"oid": OID, "size": 12, "actions": {"download": {"href": "https://x.example/o"}}} | changes
    return json.dumps({"objects": [one]}).encode()


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "none of the batch API"),
        (b"[]", "none of the batch API"),
        (b"[" * 100_000, "none of the batch API"),
        (b'{"objects": 1}', "none of the batch API"),
        (b'{"transfer": "custom", "objects": []}', "none of the batch API"),
        (b'{"objects": []}', "is not on the server"),
        (b'{"objects": [1, {"oid": 7}, {"oid": "../../x"}]}', "is not on the server"),
        (answer(actions=None), "is not on the server"),
        (answer(actions={"download": 7}), "none of the batch API"),
        (answer(actions={"download": {"href": 7}}), "none of the batch API"),
        (answer(actions={"download": {"href": "x", "header": [1]}}), "none of the batch API"),
        (answer(actions={"download": {"href": "x", "header": {"A": "b\r\nC: d"}}}), "none of the batch API"),
        (answer(actions={"download": {"href": "x", "header": {"A b": "c"}}}), "none of the batch API"),
        (answer(error={"code": 404, "message": "Object does not exist"}), "is not on the server"),
        (answer(error={"code": 403, "message": "This repository is over its data quota."}), "quota"),
        (answer(error={"code": 422, "message": "?"}), "cannot be had"),
    ],
)
def test_answers_that_are_refused(content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read_answer(content, "acme/widgets", {OID: 12})


def test_headers_that_would_change_the_request_are_left_out() -> None:
    header = {"X-Token": "t", "Host": "evil", "content-length": "0", "Transfer-Encoding": "chunked"}
    [action] = read_answer(answer(actions={"download": {"href": "x", "header": header}}), "r", {OID: 12}).values()
    assert action.headers == {"X-Token": "t"}


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, b"", "no Git LFS"),
        (403, b'{"message": "Forbidden"}', "does not let Draftsman read"),
        (403, b'{"message": "exceeded its LFS budget: purchase more data packs"}', "quota"),
        (429, b"<html>", "quota"),
        (301, b"", "redirects"),
        (500, b"[" * 100_000, "run this again"),
    ],
)
def test_statuses_are_said_plainly(status: int, body: bytes, says: str) -> None:
    assert says in str(refusal("acme/widgets", status, body))


@dataclass
class Server:
    """A repository's LFS server, in the same place as an object store."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    href: str = "{url}/store/{oid}"
    header: dict[str, str] = field(default_factory=dict)
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.asked.append((request.path, request.headers.get("Authorization", "")))
        if request.path.startswith("/store/"):
            return web.Response(body=self.objects.get(request.path.rpartition("/")[2]))
        assert request.path == "/acme/widgets.git/info/lfs/objects/batch"
        assert request.headers["Accept"] == request.headers["Content-Type"] == "application/vnd.git-lfs+json"
        wanted = (await request.json())["objects"]
        assert len(wanted) <= 100
        action = {"header": self.header}
        listed = [
            {**one, "actions": {"download": {**action, "href": self.href.format(url=self.url, oid=one["oid"])}}}
            for one in wanted
        ]
        return web.json_response({"transfer": "basic", "objects": listed}, status=self.status)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A running server."""
    made = Server()
    runner = web.ServerRunner(web.Server(made.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose `.bin` files are in LFS."""
    folder = tmp_path / "repository"
    (folder / "deep").mkdir(parents=True)
    run(folder, "init", "-q", "-b", "main")
    (folder / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\nfixtures/** !filter\n")
    (folder / "a.bin").write_text(pointer_to(CONTENT))
    (folder / "deep" / "with space é.bin").write_text(pointer_to(CONTENT))
    (folder / "empty.bin").write_text(pointer_to(b""))
    (folder / "not.bin").write_text("no pointer, but marked" * 10)
    (folder / "pointer.txt").write_text(pointer_to(b"not marked"))
    (folder / "fixtures").mkdir()
    (folder / "fixtures" / "x.bin").write_text(pointer_to(b"unmarked again"))
    (folder / "link.bin").symlink_to("a.bin")
    run(folder, "add", "-A")
    run(folder, "commit", "-qm", "first")
    return folder


async def mirrored(tmp_path: Path, repository: Path) -> tuple[Mirror, str]:
    mirror = Mirrors(tmp_path / "mirrors").of("github:1")
    sha = run(repository, "rev-parse", "HEAD")
    await mirror.fetch(Remote("acme/widgets", str(repository / ".git")), sha, "r1")
    return mirror, sha


async def fetch(
    tmp_path: Path, repository: Path, remote: Remote, *, into: str = "out", mirror: Mirror | None = None
) -> dict[str, bytes]:
    made, sha = await mirrored(tmp_path, repository)
    folder = tmp_path / into
    folder.mkdir()
    return {one.path: one.file.read_bytes() for one in await fetch_lfs(mirror or made, remote, sha, folder)}


async def test_pointers_are_found_where_attributes_mark_them(tmp_path: Path, repository: Path) -> None:
    mirror, sha = await mirrored(tmp_path, repository)
    found = await find_pointers(mirror, sha)
    assert sorted(found) == ["a.bin", "deep/with space é.bin", "empty.bin"]
    assert not list(mirror.folder.glob("attributes-*"))


EVERYTHING = {"a.bin": CONTENT, "deep/with space é.bin": CONTENT, "empty.bin": b""}


async def test_objects_are_downloaded_once(tmp_path: Path, repository: Path, server: Server) -> None:
    server.objects = {oid_of(content): content for content in (CONTENT, b"")}
    remote = Remote("acme/widgets", f"{server.url}/acme/widgets.git", "ghs_hush")
    assert await fetch(tmp_path, repository, remote) == EVERYTHING
    basic = "Basic " + base64.b64encode(b"x-access-token:ghs_hush").decode()
    assert [header for _, header in server.asked] == [basic] * 3
    before = len(server.asked)
    assert await fetch(tmp_path, repository, remote, into="again") == EVERYTHING
    assert len(server.asked) == before, "the next run has them already"


async def test_a_token_goes_to_the_repositorys_own_server_alone(
    tmp_path: Path, repository: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.remote_places.is_public", lambda address: True)
    server.objects = {oid_of(content): content for content in (CONTENT, b"")}
    server.href = "http://127.0.0.2:{port}/store/{{oid}}".format(port=server.url.rpartition(":")[2])
    server.header = {"X-Signed": "1"}
    remote = Remote("acme/widgets", f"{server.url}/acme/widgets.git", "ghs_hush")
    other = Server(objects=server.objects)
    runner = web.ServerRunner(web.Server(other.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.2", int(server.url.rpartition(":")[2])).start()
    assert await fetch(tmp_path, repository, remote) == EVERYTHING
    await runner.cleanup()
    assert len(other.asked) == 2
    assert {header for _, header in other.asked} == {""}


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"href": "http://127.0.0.1:1/{oid}"}, SourceError, "not public"),
        ({"href": "http://169.254.169.254/{oid}"}, SourceError, "not public"),
        ({"href": "file:///etc/passwd"}, SourceError, "only plain http"),
        ({"objects": {oid_of(CONTENT): b"a changed file"[:13], oid_of(b""): b""}}, SourceError, "not what its pointer"),
        ({"objects": {oid_of(CONTENT): CONTENT * 9, oid_of(b""): b""}}, SourceError, "larger than its pointer"),
        ({"objects": {oid_of(CONTENT): b"a", oid_of(b""): b""}}, SourceError, "not what its pointer"),
        ({"status": 404}, SourceError, "no Git LFS"),
        ({"status": 302}, SourceError, "redirects"),
    ],
)
async def test_a_hostile_server_is_refused(
    tmp_path: Path,
    repository: Path,
    server: Server,
    changes: dict[str, Any],
    error: type[DraftsmanError],
    says: str,
) -> None:
    for name, value in changes.items():
        setattr(server, name, value)
    with pytest.raises(error, match=says):
        await fetch(tmp_path, repository, Remote("acme/widgets", f"{server.url}/acme/widgets.git"))
    kept = [path for path in (tmp_path / "mirrors").rglob("incoming-*") if path.is_file()]
    assert kept == []


async def test_a_server_that_is_away_is_named(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(SourceError, match="server of acme/widgets cannot be reached"):
        await fetch(tmp_path, repository, Remote("acme/widgets", "http://127.0.0.1:1/acme/widgets.git"))


async def test_a_local_repository_has_its_objects_beside_it(tmp_path: Path, repository: Path) -> None:
    remote = Remote("acme/widgets", str(repository / ".git"))
    with pytest.raises(SourceError, match="git lfs fetch"):
        await fetch(tmp_path, repository, remote)
    for content in (CONTENT, b""):
        oid = oid_of(content)
        file = repository / ".git/lfs/objects" / oid[:2] / oid[2:4] / oid
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    assert await fetch(tmp_path, repository, remote, into="again") == EVERYTHING
    file.write_bytes(b"damaged")
    assert await fetch(tmp_path, repository, remote, into="kept") == EVERYTHING


async def test_what_was_used_longest_ago_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lfs, "MAX_KEPT", 10)
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    store = lfs.Objects(tmp_path / "cache", run_folder)
    for number, content in enumerate((b"aaaaaa", b"bbbbbb")):
        gathered = store.scratch()
        gathered.write_bytes(content)
        store.keep(gathered, Pointer(oid_of(content), 6))
        kept = next((tmp_path / "cache").rglob(oid_of(content)))
        os.utime(kept, (number, number))
    store.prune()
    assert [store.take(Pointer(oid_of(content), 6)) for content in (b"aaaaaa", b"bbbbbb")] == [False, True]
    assert store.file(oid_of(b"aaaaaa")).read_bytes() == b"aaaaaa", "a run keeps what it has"
