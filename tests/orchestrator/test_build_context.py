"""The context of a build holds the Dockerfile that was checked."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from draftsman.domain.errors import HostError
from orchestrator.build_context import with_file
from orchestrator.images import pack
from tests.orchestrator.sandbox_parts import make_commit


async def chunks(content: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def replaced(archive: bytes, path: str, content: bytes, size: int = 1000) -> dict[str, bytes]:
    whole = b"".join([part async for part in with_file(chunks(archive, size), path, content)])
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


@pytest.mark.parametrize("size", [1, 511, 512, 513, 100_000])
async def test_the_file_replaces_the_archives(size: int) -> None:
    zeros = bytes(5000)  # the end of an archive is zeros too
    archive = pack({"a/Dockerfile": b"theirs", "empty": b"", "zeros": zeros})
    found = await replaced(archive, "a/Dockerfile", b"ours", size)
    assert found == {"a/Dockerfile": b"ours", "empty": b"", "zeros": zeros}


async def test_gits_archive_with_long_names_and_a_name_that_is_no_utf_8(tmp_path: Path) -> None:
    long = "/".join(["folder" * 10] * 5) + "/file"
    commit = make_commit(
        tmp_path, {long: "text", ".gitattributes": "Dockerfile export-subst\n", "Dockerfile": "# $Format:%an$\n"}
    )
    archive = subprocess.run(["git", "archive", commit.sha], cwd=commit.folder, check=True, capture_output=True).stdout
    assert b"# A\n" in archive, "git puts the author's name into the Dockerfile"
    found = await replaced(archive, "Dockerfile", b"# $Format:%an$\n")
    assert (found["Dockerfile"], found[long]) == (b"# $Format:%an$\n", b"text")
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert (await replaced(archive, name, b"x"))[name] == b"x"


@pytest.mark.parametrize("content", [b"x" * 512, pack({"a": b"b" * 600})[:1024]])
async def test_what_is_no_tar_or_half_of_one_is_said(content: bytes) -> None:
    with pytest.raises(HostError, match="archive of the commit"):
        await replaced(content, "Dockerfile", b"")
