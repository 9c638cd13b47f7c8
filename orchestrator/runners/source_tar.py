"""A job's folder as a tar: its steps, and its source, which is read as it is sent, never whole."""

from __future__ import annotations

import asyncio
import re
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from draftsman.domain.errors import HostError
from orchestrator.runners.interface import Source

_CHUNK_BYTES = 1024 * 1024
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


async def job_tar(source: Source, files: Mapping[str, bytes]) -> AsyncIterator[bytes]:
    """Yield the job folder as a tar (CONTRACT.md). Raises HostError where a file became shorter meanwhile."""
    lists = order_files(source)
    folders = sorted({name.partition("/")[0] for name in lists})
    yield b"".join(_folder(name) for name in folders)
    for name, content in {**files, **lists}.items():
        yield _head(name, len(content)) + content + _padding(len(content))
    for name, path in _large(source).items():
        async for part in _file(name, path):
            yield part
    yield bytes(2 * tarfile.BLOCKSIZE)


def order_files(source: Source) -> dict[str, bytes]:
    """Return what says where submodules and LFS files belong: `<n> <sha> <path>` and `<oid> <path>`, one a line.

    Raises ValueError where a line could be read in another way.
    """
    files = {}
    if source.submodules:
        lines = [f"{number} {_id(one.sha)} {_line(one.path)}\n" for number, one in enumerate(source.submodules)]
        files["submodules/order"] = "".join(lines).encode()
    if source.lfs:
        files["lfs/order"] = "".join(f"{_id(one.oid)} {_line(one.path)}\n" for one in source.lfs).encode()
    return files


def _large(source: Source) -> dict[str, Path]:
    return {
        "source.bundle": source.bundle,
        **{f"submodules/{number}.bundle": one.bundle for number, one in enumerate(source.submodules)},
        **{f"lfs/{one.oid}": one.file for one in source.lfs},
    }


def _id(text: str) -> str:
    if not _SHA.fullmatch(text):
        raise ValueError(f"{text!r} is no id of an object.")
    return text


def _line(path: str) -> str:
    if not path or path.startswith("/") or "\n" in path or "\0" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} is no path in a checkout.")
    return path


def _folder(name: str) -> bytes:
    # Writable for the job, which may not be root, so that it can remove what it has checked out.
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o777
    return member.tobuf(format=tarfile.GNU_FORMAT)


def _head(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member.tobuf(format=tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


async def _file(name: str, path: Path) -> AsyncIterator[bytes]:
    size = left = (await asyncio.to_thread(path.stat)).st_size
    yield _head(name, size)
    with await asyncio.to_thread(path.open, "rb") as content:
        while left > 0:
            chunk = await asyncio.to_thread(content.read, min(left, _CHUNK_BYTES))
            if not chunk:
                raise HostError("The source of the job became shorter while it was sent.")
            left -= len(chunk)
            yield chunk
    yield _padding(size)
