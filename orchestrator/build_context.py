"""A build's context as a tar, in which one file is what we say, whatever the archive holds at its place."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator

from draftsman.domain.errors import HostError

_BLOCK = tarfile.BLOCKSIZE


async def with_file(archive: AsyncIterator[bytes], path: str, content: bytes) -> AsyncIterator[bytes]:
    """Yield the tar with this file as its last member: who unpacks it replaces an earlier one of that name.

    An archive of a commit need not hold the bytes of its files: attributes in the tree (`export-subst`, an
    encoding) have git rewrite them. Raises HostError where the archive is no tar.
    """
    position = _Position()
    async for chunk in archive:
        kept = position.take(chunk)
        if kept:
            yield kept
    if position.inside:
        raise HostError("The archive of the commit ended inside a file: run this again.")
    yield _member(path, content) + bytes(2 * _BLOCK)


def _member(path: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive:
        member = tarfile.TarInfo(path)
        member.size, member.mode = len(content), 0o644
        archive.addfile(member, io.BytesIO(content))
        end = archive.offset
    return target.getvalue()[:end]


class _Position:
    """Where in a tar a stream is: it tells the end of the archive from zeros inside of a file."""

    def __init__(self) -> None:
        self.ended = False
        self._left = 0
        self._header = b""

    @property
    def inside(self) -> bool:
        return bool(self._left or self._header)

    def take(self, chunk: bytes) -> bytes:
        """Return the chunk's bytes that are of whole headers and of contents, up to the archive's end."""
        kept: list[bytes] = []
        at = 0
        while at < len(chunk) and not self.ended:
            if self._left:
                part = chunk[at : at + self._left]
                self._left -= len(part)
                kept.append(part)
            else:
                part = chunk[at : at + _BLOCK - len(self._header)]
                self._header += part
                if len(self._header) == _BLOCK:
                    kept += self._read_header()
            at += len(part)
        return b"".join(kept)

    def _read_header(self) -> list[bytes]:
        header, self._header = self._header, b""
        if not header.strip(b"\0"):
            self.ended = True
            return []
        try:
            size = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").size
        except tarfile.HeaderError as error:
            raise HostError("The archive of the commit is no tar: run this again.") from error
        self._left = -(-size // _BLOCK) * _BLOCK
        return [header]
