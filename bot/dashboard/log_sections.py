"""The sections of an attempt's log, each cut in its middle so that a page stays a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from draftsman.store.logs import LogChunk

LARGEST_SECTION = 512 * 1024
"""Bytes of one section that a page shows: half from its head, half from its end."""


@dataclass(frozen=True, slots=True)
class LogSection:
    """What one section of the log says. `omitted` is the bytes that are left out between head and tail."""

    name: str
    head: bytes
    tail: bytes = b""
    omitted: int = 0


class _Growing:
    """A section while it is read: no more of it is held than is shown, and one chunk."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._omitted = 0

    def add(self, content: bytes) -> None:
        room = self._half - len(self._head)
        self._head += content[:room]
        self._tail += content[room:] if room else content
        excess = len(self._tail) - self._half
        if excess > 0:
            del self._tail[:excess]
            self._omitted += excess

    def section(self, name: str) -> LogSection:
        if not self._omitted:
            return LogSection(name, bytes(self._head + self._tail))
        # Whole lines, where there are any.
        head = self._head[: self._head.rfind(b"\n") + 1] or self._head
        tail = self._tail[self._tail.find(b"\n") + 1 :] or self._tail
        lost = len(self._head) - len(head) + len(self._tail) - len(tail)
        return LogSection(name, bytes(head), bytes(tail), self._omitted + lost)


async def collect(chunks: AsyncIterator[LogChunk], limit: int = LARGEST_SECTION) -> tuple[LogSection, ...]:
    """Return the sections in the order in which they began, each with at most `limit` bytes."""
    growing: dict[str, _Growing] = {}
    async for chunk in chunks:
        growing.setdefault(chunk.section, _Growing(limit)).add(chunk.content)
    return tuple(section.section(name) for name, section in growing.items())


def sections_of(logs: Iterable[tuple[str, bytes]], limit: int = LARGEST_SECTION) -> tuple[LogSection, ...]:
    """Return the same of whole logs: pairs of a section's name and some of its bytes."""
    growing: dict[str, _Growing] = {}
    for name, content in logs:
        growing.setdefault(name, _Growing(limit)).add(content)
    return tuple(section.section(name) for name, section in growing.items())
