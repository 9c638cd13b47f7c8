"""The mirror: exactly one SHA is fetched, files come out of git objects, and a hostile tree can do nothing."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path

import pytest

from draftsman.domain.errors import CommitGoneError, PlanError, SourceError
from orchestrator.git import GitError, git, git_stream
from orchestrator.source import Mirror, Mirrors, Remote


def run(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    run(folder, "init", "-q", "-b", "main")
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "with space.txt").write_text("kept")
    (folder / "secret").symlink_to("/etc/passwd")
    run(folder, "add", "-A")
    run(folder, "commit", "-qm", "first")
    run(folder, "tag", "v1")
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirrors(tmp_path / "mirrors").of("github:1")


def everything(paths: Iterable[str]) -> list[str]:
    return sorted(paths)


async def test_the_tree_holds_files_and_no_symlinks(repository: Path, mirror: Mirror) -> None:
    sha = run(repository, "rev-parse", "HEAD")
    await mirror.fetch(Remote("acme/widgets", str(repository)), sha, "r1")
    tree = await mirror.tree(sha, everything)
    assert tree.paths == {"pyproject.toml", "with space.txt"}
    assert tree.text("with space.txt") == "kept"


async def test_a_commit_that_no_ref_names_any_more_can_be_fetched(repository: Path, mirror: Mirror) -> None:
    sha = run(repository, "rev-parse", "HEAD")
    run(repository, "commit", "-q", "--amend", "--allow-empty", "-m", "rewritten")
    run(repository, "tag", "-d", "v1")
    await mirror.fetch(Remote("acme/widgets", str(repository)), sha, "r1")
    assert "pyproject.toml" in (await mirror.tree(sha, everything)).paths


async def test_a_commit_that_is_gone_is_said_as_such(repository: Path, mirror: Mirror) -> None:
    with pytest.raises(CommitGoneError, match="force"):
        await mirror.fetch(Remote("acme/widgets", str(repository)), "a" * 40, "r1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/acme/widgets.git", "/absent"])
async def test_a_repository_that_cannot_be_reached_is_named(mirror: Mirror, url: str) -> None:
    with pytest.raises(SourceError, match="acme/widgets could not be fetched"):
        await mirror.fetch(Remote("acme/widgets", url), "a" * 40, "r1")


@pytest.mark.parametrize("sha", ["main", "abc123", "--upload-pack=touch", "a" * 40 + "\n"])
async def test_nothing_but_a_full_sha_is_fetched(mirror: Mirror, repository: Path, sha: str) -> None:
    with pytest.raises(SourceError, match="full commit SHA"):
        await mirror.fetch(Remote("acme/widgets", str(repository)), sha, "r1")


async def test_large_and_unwanted_files_are_not_read(repository: Path, mirror: Mirror) -> None:
    (repository / "large.lock").write_bytes(b"x" * (2 * 2**20 + 1))
    (repository / "usual.lock").write_bytes(b"x" * (512 * 1024 + 1))
    (repository / "package.json").write_bytes(b"x" * (512 * 1024 + 1))
    run(repository, "add", "-A")
    run(repository, "commit", "-qm", "large")
    sha = run(repository, "rev-parse", "HEAD")
    await mirror.fetch(Remote("acme/widgets", str(repository)), sha, "r1")
    tree = await mirror.tree(sha, lambda paths: [path for path in paths if not path.endswith(".py")])
    assert {"pyproject.toml", "usual.lock"} <= set(tree.contents)
    assert tree.unread == {"large.lock", "package.json"}
    assert tree.unread <= tree.paths


async def test_the_bundle_holds_the_commit_and_the_tags(repository: Path, mirror: Mirror, tmp_path: Path) -> None:
    sha = run(repository, "rev-parse", "HEAD")
    await mirror.fetch(Remote("acme/widgets", str(repository)), sha, "r1")
    bundle = tmp_path / "source.bundle"
    await mirror.bundle("r1", bundle)
    heads = run(tmp_path, "ls-remote", str(bundle))
    assert f"{sha}\trefs/draftsman/run/r1" in heads
    assert "refs/tags/v1" in heads


async def test_two_runs_of_one_repository_fetch_one_after_the_other(repository: Path, mirror: Mirror) -> None:
    shas = [run(repository, "rev-parse", "HEAD")]
    run(repository, "commit", "-q", "--allow-empty", "-m", "second")
    shas.append(run(repository, "rev-parse", "HEAD"))
    remote = Remote("acme/widgets", str(repository))
    await asyncio.gather(*(mirror.fetch(remote, sha, f"r{number}") for number, sha in enumerate(shas)))
    refs = (await git("for-each-ref", "--format=%(objectname)", "refs/draftsman", cwd=mirror.folder)).decode().split()
    assert sorted(refs) == sorted(shas)
    await mirror.release("r0")
    await mirror.release("r1")
    assert not (await git("for-each-ref", "refs/draftsman", cwd=mirror.folder)).strip()


async def test_a_hook_of_the_fetched_repository_never_runs(repository: Path, mirror: Mirror, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    for name in ("post-checkout", "reference-transaction", "post-update"):
        hook = repository / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {proof}\n")
        hook.chmod(0o755)
    run(repository, "config", "core.fsmonitor", f"touch {proof}")
    await mirror.fetch(Remote("acme/widgets", str(repository)), run(repository, "rev-parse", "HEAD"), "r1")
    assert not proof.exists()


async def test_a_token_stands_in_no_command_line_and_no_error(mirror: Mirror) -> None:
    remote = Remote("acme/widgets", "http://127.0.0.1:1/acme/widgets.git", token="ghs_hush")
    with pytest.raises(SourceError) as raised:
        await mirror.fetch(remote, "a" * 40, "r1")
    assert "ghs_hush" not in str(raised.value) + raised.value.detail + repr(remote.name)


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(20):
        with pytest.raises(GitError, match="longer than 1 s"):
            await git("ls-remote", f"http://127.0.0.1:{port}/x.git", timeout=1)
        server.close()


@pytest.mark.hostile
async def test_a_tree_that_unfolds_to_a_billion_files_is_refused(repository: Path, mirror: Mirror) -> None:
    tree = run(repository, "rev-parse", "HEAD^{tree}")
    for _ in range(9):
        listing = "".join(f"040000 tree {tree}\td{number}\n" for number in range(10))
        command = ["git", "-C", str(repository), "mktree"]
        tree = subprocess.run(command, input=listing, check=True, capture_output=True, text=True).stdout.strip()
    sha = run(repository, "commit-tree", "-m", "bomb", tree)
    run(repository, "update-ref", "refs/heads/bomb", sha)
    await mirror.fetch(Remote("acme/widgets", str(repository)), sha, "r1")
    with pytest.raises(PlanError, match="more than 500,000 files"):
        await mirror.tree(sha, everything)


async def test_a_tag_that_became_a_folder_of_tags_is_no_obstacle(repository: Path, mirror: Mirror) -> None:
    remote = Remote("acme/widgets", str(repository))
    await mirror.fetch(remote, run(repository, "rev-parse", "HEAD"), "r1")
    run(repository, "tag", "-d", "v1")
    run(repository, "tag", "v1/rc1")
    run(repository, "commit", "-q", "--allow-empty", "-m", "second")
    await mirror.fetch(remote, run(repository, "rev-parse", "HEAD"), "r2")
    assert (await git("tag", "--list", cwd=mirror.folder)).decode().split() == ["v1/rc1"]


async def test_a_damaged_mirror_is_told_and_can_be_made_anew(repository: Path, mirror: Mirror) -> None:
    remote = Remote("acme/widgets", str(repository))
    sha = run(repository, "rev-parse", "HEAD")
    await mirror.fetch(remote, sha, "r1")
    for pack in mirror.folder.glob("objects/**/*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(b"")

    async def fetch_and_list() -> None:
        await mirror.fetch(remote, sha, "r2")
        await mirror.tree(sha, everything)

    with pytest.raises(GitError):
        await fetch_and_list()
    await mirror.set_aside()
    await mirror.fetch(remote, sha, "r2")
    assert "pyproject.toml" in (await mirror.tree(sha, everything)).paths


async def test_workers_of_one_home_make_a_mirror_together(repository: Path, tmp_path: Path) -> None:
    remote = Remote("acme/widgets", str(repository))
    sha = run(repository, "rev-parse", "HEAD")
    for number in range(4):
        workers = [Mirrors(tmp_path / "mirrors").of(f"github:{number}") for _ in range(8)]
        await asyncio.gather(*(worker.fetch(remote, sha, f"r{at}") for at, worker in enumerate(workers)))
        assert len({worker.copy() for worker in workers}) == 1
        assert [await worker.held(f"r{at}") for at, worker in enumerate(workers)] == [sha] * len(workers)


async def test_a_mirror_that_was_made_anew_is_not_set_aside_by_whoever_read_the_old_one(
    repository: Path, mirror: Mirror
) -> None:
    remote = Remote("acme/widgets", str(repository))
    sha = run(repository, "rev-parse", "HEAD")
    await mirror.fetch(remote, sha, "r1")
    old = mirror.copy()
    await mirror.set_aside(old)
    with pytest.raises(GitError, match="was removed meanwhile"):
        await mirror.tree(sha, everything)
    await mirror.fetch(remote, sha, "r2")
    await mirror.set_aside(old)
    assert "pyproject.toml" in (await mirror.tree(sha, everything)).paths


async def test_releasing_what_is_gone_is_no_error(mirror: Mirror) -> None:
    await mirror.release("never-fetched")


async def test_output_that_nobody_reads_to_its_end_holds_nobody_up(repository: Path, mirror: Mirror) -> None:
    (repository / "large").write_bytes(b"x" * 8 * 2**20)
    run(repository, "add", "-A")
    run(repository, "commit", "-qm", "large")
    await mirror.fetch(Remote("acme/widgets", str(repository)), run(repository, "rev-parse", "HEAD"), "r1")
    async with asyncio.timeout(10):
        async with aclosing(git_stream("cat-file", "blob", "refs/draftsman/run/r1:large", cwd=mirror.folder)) as parts:
            async for _ in parts:
                break
            await asyncio.sleep(0.3)  # what is not read fills all that lies between git and us
