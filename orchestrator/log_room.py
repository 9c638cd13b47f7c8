"""How much of a log is kept: its head, and a tail that moves on. Pure.

Everything is written as it comes, so that whoever watches sees it; once there is more than the room, the oldest chunks
behind the head go, and a line in their place says how much that was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from draftsman.store.logs import ChunkSize


@dataclass(frozen=True, slots=True)
class Cut:
    """Chunks behind position `note` and before `before` go; `cut_bytes` are all that were ever cut there."""

    note: int
    before: int
    cut_bytes: int

    @property
    def text(self) -> bytes:
        """Return the line that stands for what is gone."""
        return f"\n--- {self.cut_bytes:,} bytes of output were cut here ---\n".encode()


class LogRoom:
    """Room for `most_bytes`: half for the head, half for the tail. `kept` is what an earlier worker wrote."""

    def __init__(self, most_bytes: int, kept: Iterable[ChunkSize] = ()) -> None:
        self._half = most_bytes // 2
        self._head = self._tail_bytes = self._cut_bytes = self._last = 0
        self._note: int | None = None
        self._tail: deque[tuple[int, int]] = deque()
        for chunk in kept:
            if chunk.cut_bytes:
                self._note, self._cut_bytes = chunk.position, chunk.cut_bytes
                self._last = chunk.position
                continue
            if self._note is None and chunk.position > self._last + 1:
                self._note = self._last + 1
            self._last = chunk.position
            self._add(chunk.position, chunk.size)

    def position(self) -> int:
        """Return the position of the next chunk. Behind the head one stays free, for the line about what was cut."""
        if self._note is None and self._head >= self._half:
            self._note = self._last + 1
            self._last += 1
        self._last += 1
        return self._last

    def added(self, position: int, size: int) -> Cut | None:
        """Return what goes, now that this chunk was written."""
        self._add(position, size)
        if self._note is None or self._tail_bytes <= self._half or len(self._tail) < 2:
            return None
        while self._tail_bytes > self._half and len(self._tail) > 1:
            _, gone = self._tail.popleft()
            self._tail_bytes -= gone
            self._cut_bytes += gone
        return Cut(self._note, self._tail[0][0], self._cut_bytes)

    def _add(self, position: int, size: int) -> None:
        if self._note is None:
            self._head += size
        else:
            self._tail.append((position, size))
            self._tail_bytes += size
