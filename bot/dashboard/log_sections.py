"""The sections of an attempt's log, cut in their middles so that a page stays a page. Pure.

A page shows `PAGE_LOG` bytes of log, however much there is: what failed or runs comes first, and among equals
the short ones are whole and the long ones get the same share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from draftsman.store.logs import PackedChunk

PAGE_LOG = 2**20
"""Bytes of log that a page shows."""

LARGEST_SECTION = 512 * 1024
"""Bytes of one section that a page shows: half from its head, half from its end."""

MOST_SECTIONS = 64
"""Sections of which a page shows anything. Each costs two chunks at least, of the size that the worker wrote."""


@dataclass(frozen=True, slots=True)
class LogSection:
    """What one section of the log says. `omitted` is the bytes that are left out between head and tail."""

    name: str
    head: bytes = b""
    tail: bytes = b""
    omitted: int = 0


def shares(sizes: Mapping[str, int], first: Collection[str] = ()) -> dict[str, int]:
    """Return how many bytes of each section a page shows, `PAGE_LOG` in all. Those named `first` come first."""
    loud = {name: sizes[name] for name in [name for name in sizes if name in first][:MOST_SECTIONS]}
    quiet = [name for name in sizes if name not in loud][: MOST_SECTIONS - len(loud)]
    wanted = sum(min(sizes[name], LARGEST_SECTION) for name in quiet)
    given = _fair_shares(loud, PAGE_LOG - min(wanted, PAGE_LOG // 4))
    given |= _fair_shares({name: sizes[name] for name in quiet}, PAGE_LOG - sum(given.values()))
    return {name: given.get(name, 0) for name in sizes}


def _fair_shares(sizes: Mapping[str, int], room: int) -> dict[str, int]:
    given = {}
    for served, name in enumerate(sorted(sizes, key=sizes.__getitem__)):
        given[name] = min(sizes[name], LARGEST_SECTION, room // (len(sizes) - served))
        room -= given[name]
    return given


def unpack(
    sizes: Mapping[str, int], limits: Mapping[str, int], chunks: Iterable[PackedChunk]
) -> tuple[LogSection, ...]:
    """Return the sections in the order of `sizes`, each with at most its limit of bytes, out of its ends.

    Decompresses: work for a thread.
    """
    found: dict[str, list[PackedChunk]] = {}
    for chunk in chunks:
        found.setdefault(chunk.section, []).append(chunk)
    return tuple(_section(name, size, limits.get(name, 0), found.get(name, ())) for name, size in sizes.items())


def _section(name: str, size: int, limit: int, chunks: Sequence[PackedChunk]) -> LogSection:
    if not chunks:
        return LogSection(name, omitted=size)
    size = chunks[0].section_size  # it may have grown since the sizes were read
    half = (limit + 1) // 2
    tail_from = max(half, size - (limit - half))
    head, tail = bytearray(), bytearray()
    for chunk in chunks:
        at = chunk.start
        for piece in chunk.pieces():
            head += piece[: max(half - at, 0)]
            tail += piece[max(tail_from - at, 0) :]
            at += len(piece)
    if tail_from == half:
        return LogSection(name, bytes(head + tail))
    # Whole lines, where there are any.
    whole_head = bytes(head[: head.rfind(b"\n") + 1] or head)
    whole_tail = bytes(tail[tail.find(b"\n") + 1 :] or tail)
    return LogSection(name, whole_head, whole_tail, size - len(whole_head) - len(whole_tail))
