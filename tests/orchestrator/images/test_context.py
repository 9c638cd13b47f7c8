"""The context of a build holds the files of the commit as they are, and the Dockerfile that was checked."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from draftsman.domain.errors import PlanError
from orchestrator.images.context import MAX_BYTES, context_tar
from orchestrator.tree_objects import Commit, Entry, digest
from tests.orchestrator.sandbox_parts import make_commit

LONG = "/".join(["folder" * 10] * 5) + "/file"


@pytest.fixture
def commit(tmp_path: Path) -> Commit:
    """A commit with all that a tree may hold."""
    files = {"a/Dockerfile": "theirs", "empty": "", "last-empty": "", LONG: "long", "run.sh": "#!/bin/sh\n"}
    repository = make_commit(tmp_path, files).folder
    (repository / "zeros").write_bytes(bytes(2_000_000))
    (repository / b"caf\xe9".decode("utf-8", "surrogateescape")).write_text("no utf-8")
    (repository / "link").symlink_to("../outside")
    (repository / "run.sh").chmod(0o755)
    (repository / ".gitattributes").write_text("zeros export-ignore\n* text eol=crlf\n")
    hidden = "160000,1111111111111111111111111111111111111111,module"
    for command in (["add", "--all"], ["update-index", "--add", "--cacheinfo", hidden]):
        subprocess.run(["git", *command], cwd=repository, check=True, capture_output=True)
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, "commit", "-qm", "Second"], cwd=repository, check=True)
    return Commit(repository, "HEAD")


@dataclass(frozen=True)
class Member:
    """One member of the tar, and what it holds."""

    info: tarfile.TarInfo
    content: str


async def _members(commit: Commit, files: Mapping[str, Entry], ours: Mapping[str, bytes]) -> dict[str, Member]:
    whole = b"".join([part async for part in context_tar(commit, files, ours)])
    with tarfile.open(fileobj=io.BytesIO(whole), errors="surrogateescape") as tar:
        found = {}
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            found[member.name] = Member(member, "" if file is None else file.read().decode("latin-1"))
        return found


async def test_the_files_are_those_of_the_commit(commit: Commit) -> None:
    found = await _members(commit, await commit.entries(), {"a/Dockerfile": b"ours", "ca.crt": b"x"})
    content = {name: member.content for name, member in found.items()}
    assert content["a/Dockerfile"] == "ours"
    assert content["ca.crt"] == "x"
    assert content[LONG] == "long"
    assert content["zeros"] == "\0" * 2_000_000
    assert content["empty"] == content["last-empty"] == ""
    assert content[b"caf\xe9".decode("utf-8", "surrogateescape")] == "no utf-8"
    assert content["run.sh"] == "#!/bin/sh\n"
    assert found["run.sh"].info.mode == 0o755
    assert found["zeros"].info.mode == 0o644
    assert (found["link"].info.issym(), found["link"].info.linkname) == (True, "../outside")
    assert found["module"].info.isdir()


async def test_only_the_files_that_are_asked_for(commit: Commit) -> None:
    entries = await commit.entries()
    found = await _members(commit, {"zeros": entries["zeros"]}, {"Dockerfile": b"FROM a\n"})
    assert list(found) == ["zeros", "Dockerfile"]


async def test_the_digest_tells_files_apart_by_content_mode_and_path(commit: Commit) -> None:
    entries = await commit.entries()
    one, other = entries["empty"], entries["run.sh"]
    digests = [
        digest(files)
        for files in ({"a": one}, {"b": one}, {"a": other}, {"a": Entry("100644", other.id, other.size)}, {})
    ]
    assert len(set(digests)) == 5
    assert digests[-1] == ""


async def test_files_that_are_far_too_large_are_not_sent(commit: Commit) -> None:
    with pytest.raises(PlanError, match="more than 4 GiB"):
        await _members(commit, {"huge": Entry("100644", "0" * 40, MAX_BYTES + 1)}, {})
