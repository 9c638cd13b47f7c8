"""Git over HTTP: exact SHAs for whoever may read, nothing for anybody else."""

import asyncio
import gzip
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.github.client import Client, git, with_token
from tests.github.git_repository import GitFile, read_folder


@pytest.fixture
async def checkout(tmp_path: Path) -> Path:
    code, out = await git(tmp_path, "init", "--quiet", ".")
    assert code == 0, out
    return tmp_path


async def test_any_sha_can_be_fetched_with_a_token(client: Client, checkout: Path) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    old = await repo.commit({"a.py": "x = 2\n"}, branch="feature")
    main = await repo.git.head("main")
    await repo.commit({"a.py": "x = 3\n"}, branch="feature", parent=main)  # The old one is on no branch now.
    token = await client.token(repo, {"repositories": ["widgets"], "permissions": {"contents": "read"}})
    code, out = await git(checkout, "fetch", "--quiet", "--depth=1", with_token(repo, token), old)
    assert code == 0, out
    assert await git(checkout, "show", "FETCH_HEAD:a.py") == (0, "x = 2\n")


async def test_private_repository_wants_a_token(client: Client, checkout: Path) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": ""})
    code, out = await git(checkout, "fetch", repo.clone_url, "main")
    assert code != 0
    assert "could not read Username" in out, "git was asked to log in"
    reply = await client.session.get(f"{repo.clone_url}/info/refs?service=git-upload-pack")
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, 'Basic realm="GitHub"')


async def test_public_repository_needs_none(client: Client, checkout: Path) -> None:
    repo = await client.github.create_repository("acme/widgets", private=False, files={"a.py": ""})
    code, out = await git(checkout, "fetch", "--quiet", repo.clone_url, str(await repo.git.head("main")))
    assert code == 0, out


async def test_token_must_cover_the_repository_and_its_contents(client: Client, checkout: Path) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": ""})
    other = await client.github.create_repository("acme/gears", files={"a.py": ""})
    tokens = {
        await client.token(other, {"repositories": ["gears"]}): "not found",
        await client.token(repo, {"permissions": {"checks": "write"}}): "403",
        "ghs_invented": "Authentication failed",
    }
    for token, says in tokens.items():
        with client.github.expect_violations() as violations:
            code, out = await git(checkout, "fetch", with_token(repo, token), "main")
        assert code != 0
        assert says in out
        assert violations
    with client.github.expect_violations() as violations:
        await git(checkout, "fetch", with_token(repo, await client.token(repo), user="git"), "main")
    assert "x-access-token" in violations[0].reason


async def test_app_may_not_push(client: Client, checkout: Path) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": ""})
    url = with_token(repo, await client.token(repo))
    await git(checkout, "fetch", "--quiet", url, "main")
    with client.github.expect_violations():
        code, out = await git(checkout, "push", url, "FETCH_HEAD:refs/heads/mine")
    assert code != 0
    assert "403" in out
    assert await repo.git.head("refs/heads/mine") is None


async def test_person_may_push(client: Client, checkout: Path) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    url = with_token(repo, client.github.add_person("mona"), user="mona")
    await git(checkout, "fetch", "--quiet", url, "main")
    await git(checkout, "checkout", "--quiet", "-b", "feature", "FETCH_HEAD")
    (checkout / "big.txt").write_text("".join(f"line {n}\n" for n in range(200_000)))
    await git(checkout, "add", "big.txt")
    await git(checkout, "commit", "--quiet", "-m", "Big")
    code, out = await git(checkout, "push", "--quiet", url, "feature")
    assert code == 0, out
    sha = (await git(checkout, "rev-parse", "HEAD"))[1].strip()
    assert await repo.git.head("refs/heads/feature") == sha
    pull = await repo.open_pull("Big", head="feature")
    assert pull.head_sha == sha


async def test_gzipped_request_is_understood(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", private=False, files={"a.py": ""})
    sha = await repo.git.head("main")
    want = f"0032want {sha}\n00000009done\n".encode()
    reply = await client.session.post(
        f"{repo.clone_url}/git-upload-pack",
        data=gzip.compress(want),
        headers={"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"},
    )
    body = await reply.read()
    assert reply.status == 200
    assert b"PACK" in body


async def test_client_that_leaves_takes_the_backend_with_it(client: Client) -> None:
    big = {"a.bin": os.urandom(20_000_000)}
    repo = await client.github.create_repository("acme/widgets", private=False, files=big)
    want = f"0032want {await repo.git.head('main')}\n00000009done\n".encode()
    headers = {"Content-Type": "application/x-git-upload-pack-request"}
    reply = await client.session.post(f"{repo.clone_url}/git-upload-pack", data=want, headers=headers)
    await reply.content.readexactly(1000)
    before = backends()
    reply.close()
    deadline = time.monotonic() + 10
    while backends():
        assert time.monotonic() < deadline, f"still running: {backends()}"
        await asyncio.sleep(0.05)
    assert before, "there was one to be ended"


def backends() -> list[str]:
    """The backends that this process has started and that still run."""
    listed = subprocess.run(["ps", "-axo", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [row.split(None, 1) for row in listed.splitlines()]
    return [row[1] for row in rows if row[0] == str(os.getpid()) and "http-backend" in row[1]]


async def test_head_of_a_fork_can_be_fetched_from_the_base(client: Client, checkout: Path) -> None:
    base = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    fork = await client.github.create_repository("mona/widgets", parent=base, install=False)
    sha = await fork.commit({"a.py": "x = 2\n"}, branch="feature", author="mona")
    pull = await base.open_pull("From afar", head="feature", head_repository=fork, author="mona")
    url = with_token(base, await client.token(base, {"permissions": {"contents": "read"}}))
    code, out = await git(checkout, "fetch", "--quiet", url, sha, f"refs/pull/{pull.number}/merge")
    assert code == 0, out
    assert (await git(checkout, "cat-file", "-t", str(pull.merge_sha)))[1] == "commit\n"


async def test_commit_keeps_modes_names_and_deletions(client: Client, tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("../outside")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "big").write_text("no")
    repo = await client.github.create_repository("acme/widgets", files=read_folder(tmp_path))
    await repo.commit({'we "ird\n.txt': b"\xff\x00", "run.sh": None, "tool": GitFile("t", "100755")})
    listed = await repo.git.git("ls-tree", "-r", "-z", "main")
    rows = [row.split(None, 3) for row in listed.split("\0") if row]
    assert {(row[0], row[3]) for row in rows} == {
        ("120000", "link"),
        ("100644", 'we "ird\n.txt'),
        ("100755", "tool"),
    }
