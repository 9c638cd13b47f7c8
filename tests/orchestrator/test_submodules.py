"""Submodules: hostile `.gitmodules` are refused, the others come as bundles, each without a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from draftsman.domain.errors import CommitGoneError, DraftsmanError, PlanError, SourceError
from orchestrator.source import Mirrors, Remote
from orchestrator.submodules import Declared, absolute_url, fetch_submodules, parse_modules, path_fault
from tests.github.git_repository import GitFile
from tests.github.repository import Repository
from tests.github.stand_in import GitHubStandIn
from tests.orchestrator.git_trees import run, with_gitlinks

PARENT = "https://github.com/acme/widgets.git"


@pytest.mark.hostile
@pytest.mark.parametrize(
    "path",
    [
        "", "/etc", "../up", "a/../../up", "a/./b", "a//b", ".git", ".git/hooks", "a/.GIT/b", ".Git", "git~1",
        "a/GIT~1", ".git ", ".git.", ".git. .", ".git::$INDEX_ALLOCATION", ".g\u200cit", "\ufeff.git", "a\\..\\b",
        ".git\\hooks",
        "a\nb", "a\x00b", "a\x7fb", "a\udcff", "x" * 1001, "..",
    ],
)  # fmt: skip
def test_paths_that_are_not_written_to(path: str) -> None:
    assert path_fault(path)


@pytest.mark.parametrize("path", ["a", "vendor/data", "with space/é", ".github", ".gitmodules-data", "a.git", "-x"])
def test_paths_that_are_fine(path: str) -> None:
    assert path_fault(path) == ""


@pytest.mark.parametrize(
    ("url", "parent", "meant"),
    [
        ("https://example.com/a/b.git", PARENT, "https://example.com/a/b.git"),
        ("http://example.com/a", PARENT, "http://example.com/a"),
        ("../other.git", PARENT, "https://github.com/acme/other.git"),
        ("../../else/x", PARENT, "https://github.com/else/x"),
        ("../../x", PARENT, "https://github.com/x"),
        ("./sub.git", PARENT + "/", "https://github.com/acme/widgets.git/sub.git"),
        ("../b", "http://127.0.0.1:8080/a/c.git", "http://127.0.0.1:8080/a/b"),
        ("git@github.com:acme/lib.git", PARENT, "https://github.com/acme/lib.git"),
        ("ssh://git@github.com/acme/lib.git", PARENT, "https://github.com/acme/lib.git"),
        ("ssh://git@github.com:22/acme/lib.git", PARENT, "https://github.com/acme/lib.git"),
    ],
)
def test_urls_that_are_meant(url: str, parent: str, meant: str) -> None:
    assert absolute_url(url, parent, "It", top=PARENT) == meant


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("url", "parent"),
    [
        ("", PARENT),
        ("/srv/git/secret.git", PARENT),
        ("file:///srv/git/secret.git", PARENT),
        ("ext::sh -c 'touch /tmp/x'", PARENT),
        ("--upload-pack=touch /tmp/x", PARENT),
        ("-oProxyCommand=x", PARENT),
        ("git@elsewhere.example:acme/lib.git", PARENT),
        ("ssh://git@elsewhere.example/acme/lib.git", PARENT),
        ("ssh://-oProxyCommand=x/a", PARENT),
        ("git://github.com/a/b", PARENT),
        ("https://user:pass@example.com/a", PARENT),
        ("https://example.com/a?b", PARENT),
        ("https://example.com/a#b", PARENT),
        ("https://example.com/a\nb", PARENT),
        ("https://example.com/" + "a" * 3000, PARENT),
        ("../../../x", PARENT),
        ("../..", PARENT),
        ("../a/../../../b", PARENT),
        ("../a@b:c\\d\n", PARENT),
        ("../other.git", "/home/ada/widgets/.git"),
    ],
)
def test_urls_that_are_refused(url: str, parent: str) -> None:
    with pytest.raises(PlanError, match=r"^It has"):
        absolute_url(url, parent, "It", top=parent)


def test_what_git_says_of_gitmodules() -> None:
    listing = (
        b"core.fsmonitor\ntouch x\0submodule.a.b.path\nvendor/a/\0submodule.a.b.url\nu1\0submodule.a.b.url\nu2\0"
        b"submodule.off.path\nb\0submodule.off.update\nnone\0submodule.run.path\nc\0submodule.run.update\n!touch x\0"
        b"submodule.none.url\nu3\0submodule.bare\0"
    )
    assert list(parse_modules(listing)) == [
        Declared("vendor/a", "u2"),
        Declared("b", "", is_wanted=False),
        Declared("c", ""),
    ]


def modules(**urls: str) -> str:
    return "".join(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, url in urls.items())


async def fetch(
    folder: Path, repository: Repository, sha: str, token: str | None = None
) -> dict[str, tuple[str, Path]]:
    mirrors = Mirrors(folder / "mirrors")
    mirror = mirrors.of("github:1")
    remote = Remote(repository.full_name, repository.clone_url, token)
    await mirror.fetch(remote, sha, "r1")
    (folder / "out").mkdir()
    found = await fetch_submodules(mirrors, mirror, remote, sha, "r1", folder / "out")
    for other in (folder / "mirrors").glob("*.git"):
        kept = run(other, "for-each-ref", "refs/draftsman")
        assert kept == "" or other == mirror.folder, "a submodule's mirror keeps no ref of the run"
    return {one.path: (one.sha, one.bundle) for one in found}


@pytest.mark.services
async def test_submodules_in_submodules_come_as_bundles(github: GitHubStandIn, tmp_path: Path) -> None:
    inner = await github.create_repository("acme/inner", files={"inner.txt": "inner\n"}, private=False)
    lib = await github.create_repository("other/lib", files={"lib.txt": "lib\n"}, private=False)
    inner_sha = await inner.commit({"inner.txt": "2\n"})
    lib_sha = await with_gitlinks(lib, {".gitmodules": modules(deep="../../acme/inner.git")}, {"deep": inner_sha})
    top = await github.create_repository("acme/top", files={"a": "a"}, private=False)
    declared = modules(lib="../../other/lib.git", again=inner.clone_url, gone="../absent.git")
    sha = await with_gitlinks(top, {".gitmodules": declared}, {"lib": lib_sha, "again": inner_sha})
    await inner.commit({"inner.txt": "3\n"})
    found = await fetch(tmp_path, top, sha)
    assert {path: one[0] for path, one in found.items()} == {
        "again": inner_sha, "lib": lib_sha, "lib/deep": inner_sha,
    }  # fmt: skip
    assert list(found).index("lib") < list(found).index("lib/deep")
    assert inner_sha in run(tmp_path, "ls-remote", str(found["lib/deep"][1]))


@pytest.mark.services
async def test_a_token_does_not_go_to_a_submodule(github: GitHubStandIn, tmp_path: Path) -> None:
    secret = await github.create_repository("acme/secret", files={"a": "a"}, private=True)
    secret_sha = await secret.commit({"a": "b"})
    top = await github.create_repository("acme/top", files={"a": "a"}, private=False)
    sha = await with_gitlinks(top, {".gitmodules": modules(s="../secret.git")}, {"s": secret_sha})
    with pytest.raises(SourceError, match=r"submodule s could not be fetched .* without credentials") as raised:
        await fetch(tmp_path, top, sha)
    assert "submodules = false" in str(raised.value)
    assert not [one for one in github.requests if "secret" in one.path and "Authorization" in one.headers]


@pytest.mark.services
@pytest.mark.hostile
@pytest.mark.parametrize(
    ("files", "links", "error", "says"),
    [
        ({}, {"s": "1" * 40}, PlanError, "has no URL of the submodule s"),
        ({".gitmodules": "[submodule \"s\"\n"}, {"s": "1" * 40}, PlanError, "malformed"),
        ({".gitmodules": "#" * 200_000}, {"s": "1" * 40}, PlanError, "no regular file"),
        ({".gitmodules": modules(s="http://127.0.0.1:1/x")}, {"s": "1" * 40}, PlanError, "not public"),
        ({".gitmodules": modules(s="http://169.254.169.254/x")}, {"s": "1" * 40}, PlanError, "not public"),
        ({".gitmodules": modules(s="/etc")}, {"s": "1" * 40}, PlanError, "only plain http"),
        ({".gitmodules": modules(s="../top.git")}, {"s": "1" * 40}, CommitGoneError, "push it there first"),
        ({".gitmodules": modules(s="../nothing.git")}, {"s": "1" * 40}, SourceError, "could not be fetched"),
    ],
    ids=["undeclared", "malformed", "large", "loopback", "metadata", "local", "gone", "absent"],
)  # fmt: skip
async def test_a_hostile_commit_is_refused(
    github: GitHubStandIn,
    tmp_path: Path,
    files: dict[str, str | bytes | GitFile | None],
    links: dict[str, str],
    error: type[DraftsmanError],
    says: str,
) -> None:
    top = await github.create_repository("acme/top", files={"a": "a"}, private=False)
    sha = await with_gitlinks(top, files, links)
    with pytest.raises(error, match=says):
        await fetch(tmp_path, top, sha)


@pytest.mark.services
@pytest.mark.hostile
async def test_depth_and_count_are_capped(
    github: GitHubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = await github.create_repository("acme/top", files={"a": "a"}, private=False)
    sha = await top.commit({"a": "b"})
    for _ in range(6):
        sha = await with_gitlinks(top, {".gitmodules": modules(s="../top.git")}, {"s": sha})
    with pytest.raises(PlanError, match="deeper than 5 submodules"):
        await fetch(tmp_path / "deep", top, sha)
    monkeypatch.setattr("orchestrator.submodules.MAX_SUBMODULES", 3)
    with pytest.raises(PlanError, match="more than 3 submodules"):
        await fetch(tmp_path / "many", top, sha)
