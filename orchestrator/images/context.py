"""The context of a build as a tar: the files of a commit that the build can see, and files of our own."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator, Mapping

from draftsman.domain.errors import PlanError
from orchestrator.tree_objects import LINK, SUBMODULE, Commit, Entry

MAX_BYTES = 4 * 2**30
_BLOCK = tarfile.BLOCKSIZE
_CHANGED_AT = 946_684_800
"""The time of every file (2000-01-01): an image depends on what its files are, not on when they were committed."""


async def context_tar(
    commit: Commit | None, files: Mapping[str, Entry], ours: Mapping[str, bytes]
) -> AsyncIterator[bytes]:
    """Yield the tar of these files of the commit; what is `ours` replaces a file of the same path.

    The bytes are those of the git objects: no attribute of the tree changes or leaves out anything. Raises PlanError
    where the files are larger than 4 GiB together.
    """
    if sum(entry.size for entry in files.values()) > MAX_BYTES:
        raise PlanError(f"The files that the Dockerfile copies take more than {MAX_BYTES // 2**30} GiB.")
    kept = {path: files[path] for path in sorted(files) if path not in ours}
    for path, entry in kept.items():
        if entry.mode == SUBMODULE:
            yield _header(path, tarfile.DIRTYPE, 0o755)
    if commit is not None:
        async for part in _committed(commit, {path: one for path, one in kept.items() if one.mode != SUBMODULE}):
            yield part
    for path, content in ours.items():
        yield _header(path, tarfile.REGTYPE, 0o644, len(content)) + content + _padding(len(content))
    yield bytes(2 * _BLOCK)


async def _committed(commit: Commit, files: Mapping[str, Entry]) -> AsyncIterator[bytes]:
    """Yield the members of the tar that are the commit's. A symlink's target is its content, and goes in the header."""
    links = {path: entry for path, entry in files.items() if entry.mode == LINK}
    regular = {path: entry for path, entry in files.items() if entry.mode != LINK}
    targets = b"".join([part async for part in commit.contents(links.values())]) if links else b""
    at = 0
    for path, entry in links.items():
        target = targets[at : at + entry.size].decode("utf-8", "surrogateescape")
        at += entry.size
        yield _header(path, tarfile.SYMTYPE, 0o777, link=target)
    waiting = iter(regular.items())
    left = 0
    size = 0
    async for chunk in commit.contents(regular.values()):
        part = chunk
        while part:
            while not left:
                path, entry = next(waiting)
                yield _header(path, tarfile.REGTYPE, 0o755 if entry.mode == "100755" else 0o644, entry.size)
                left = size = entry.size
            taken = part[:left]
            yield taken
            part, left = part[len(taken) :], left - len(taken)
            if not left:
                yield _padding(size)
    for path, entry in waiting:  # empty files come with no bytes
        yield _header(path, tarfile.REGTYPE, 0o755 if entry.mode == "100755" else 0o644)


def _header(path: str, kind: bytes, mode: int, size: int = 0, link: str = "") -> bytes:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname, member.mtime = kind, mode, size, link, _CHANGED_AT
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of these files, the same bytes for the same files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()
