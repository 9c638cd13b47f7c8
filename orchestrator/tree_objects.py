"""The git objects of one commit: what lies where, and the bytes of it, with nothing checked out."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from draftsman.domain.errors import HostError, PlanError
from orchestrator.git import git, git_stream

LINK, SUBMODULE = "120000", "160000"
"""The modes of what is no regular file."""

_MOST_ENTRIES = 500_000
_MAX_LISTING_BYTES = 128 * 2**20
_MAX_TEXT_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a commit: git's mode and object id, and the size in bytes (0 for a submodule)."""

    mode: str
    id: str
    size: int


class Commit:
    """The files of a commit in a bare repository of ours. Methods raise GitError where git fails on it."""

    def __init__(self, folder: Path, sha: str) -> None:
        self._folder = folder
        self._sha = sha

    async def entries(self) -> dict[str, Entry]:
        """Return all paths, symlinks and submodules too. Raises PlanError where there are far too many."""
        found: dict[str, Entry] = {}
        listed = 0
        rest = b""
        listing = git_stream("ls-tree", "-r", "-z", "-l", "--full-tree", self._sha, cwd=self._folder)
        async with aclosing(listing):
            async for part in listing:
                listed += len(part)
                *lines, rest = (rest + part).split(b"\0")
                for line in lines:
                    fields, _, path = line.partition(b"\t")
                    mode, _, identity, size = fields.decode().split()
                    entry = Entry(mode, identity, int(size) if size.isdigit() else 0)
                    found[path.decode("utf-8", "surrogateescape")] = entry
                if len(found) > _MOST_ENTRIES or listed > _MAX_LISTING_BYTES:
                    raise PlanError(f"This commit holds more than {_MOST_ENTRIES:,} files: none is built from it.")
        return found

    async def text(self, entry: Entry) -> str:
        """Return a small file as text. Raises PlanError where it is larger than 512 KiB."""
        if entry.size > _MAX_TEXT_BYTES:
            raise PlanError("The .dockerignore of this commit is larger than 512 KiB.")
        content = await git("cat-file", "blob", entry.id, cwd=self._folder)
        return content.decode("utf-8", "surrogateescape")

    async def contents(self, entries: Iterable[Entry]) -> AsyncIterator[bytes]:
        """Yield the bytes of these files one after the other; their sizes tell where one ends and the next begins."""
        with tempfile.TemporaryFile() as asked:
            asked.writelines(f"{entry.id}\n".encode() for entry in entries)
            asked.seek(0)
            stream = git_stream("cat-file", "--batch", cwd=self._folder, stdin=asked.fileno())
            async with aclosing(stream):
                async for part in _unframed(stream):
                    yield part


async def _unframed(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what `git cat-file --batch` says without its header line and newline of each object."""
    head = b""
    left = 0
    async for chunk in stream:
        part = chunk
        while part:
            if left > 1:
                taken = part[: left - 1]
                yield taken
                part, left = part[len(taken) :], left - len(taken)
            elif left == 1:  # the newline behind the object
                part, left = part[1:], 0
            else:
                line, found, part = part.partition(b"\n")
                head += line
                if found:
                    left, head = _size(head) + 1, b""


def _size(head: bytes) -> int:
    fields = head.split()
    if len(fields) != 3 or fields[1] != b"blob":
        raise HostError("A file of the commit is not in our copy of the repository: run this again.")
    return int(fields[2])


def digest(files: Mapping[str, Entry]) -> str:
    """Return what stands for these files in an image's key: "" for none."""
    if not files:
        return ""
    whole = hashlib.sha256()
    for path in sorted(files):
        entry = files[path]
        whole.update(f"{entry.mode} {entry.id} ".encode() + path.encode("utf-8", "surrogateescape") + b"\0")
    return whole.hexdigest()
