"""Which lines a change touched, out of what git says of it. Pure; the names and the size are a stranger's."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

LARGEST_DIFF = 32 * 1024 * 1024
"""Bytes that are looked at."""

MOST_LINES = 3_000_000
"""Lines that are looked at."""

MOST_FILES = 20_000
MOST_RANGES = 200_000
"""Of all files together. What is beyond counts as not changed."""

HUNK = re.compile(rb"@@ -\d{1,9}(?:,(?P<old>\d{1,9}))? \+(?P<start>\d{1,9})(?:,(?P<new>\d{1,9}))? @@")
ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
CONTROL = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ChangedLines:
    """The changed lines of each changed file, as they are after the change.

    `ranges` maps a path to ranges of lines, first and last, in order and apart from each other. A file that only lost
    lines, or was only renamed, has none.
    """

    ranges: Mapping[str, tuple[Range, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def has_file(self, path: str) -> bool:
        """Whether the file was changed."""
        return path in self.ranges

    def has_line(self, path: str, line: int, end_line: int | None = None) -> bool:
        """Whether one of the lines from `line` to `end_line` was changed."""
        ranges = self.ranges.get(path, ())
        last = end_line if end_line is not None and end_line > line else line
        at = bisect_right(ranges, (last, 1 << 62)) - 1
        return at >= 0 and ranges[at][1] >= line


def changed_lines(diff: bytes) -> ChangedLines:
    """Return the changed lines out of the output of `git diff --unified=0`, whatever it contains.

    More context than that does no harm. The paths are those with git's prefix `b/`; what is no diff changes nothing.
    """
    found: dict[str, list[Range]] = {}
    room = MOST_RANGES
    path: str | None = None
    old = new = line_number = 0
    for line in _lines(diff[:LARGEST_DIFF]):
        if old > 0 or new > 0:  # inside a hunk: what looks like a heading here is text of a file
            kind = line[:1]
            if kind == b"+":
                if path is not None and room:
                    room -= _add(found[path], line_number)
                line_number, new = line_number + 1, new - 1
                continue
            if kind == b"-":
                old -= 1
                continue
            if kind == b" ":
                line_number, old, new = line_number + 1, old - 1, new - 1
                continue
            if kind == b"\\":
                continue
            old = new = 0  # no diff of git's: begin anew
        if line.startswith(b"@@ ") and (hunk := HUNK.match(line)):
            old, new = (int(hunk[name]) if hunk[name] else 1 for name in ("old", "new"))
            line_number = int(hunk["start"])
        elif line.startswith(b"diff --git "):
            path = None
        elif line.startswith((b"+++ ", b"rename to ")):
            path = _path(line)
            if path is not None and path not in found:
                if len(found) < MOST_FILES:
                    found[path] = []
                else:
                    path = None
    return ChangedLines(MappingProxyType({name: tuple(_in_order(ranges)) for name, ranges in found.items()}))


def _lines(content: bytes) -> Iterator[bytes]:
    """Yield the lines without holding all of them: git ends them with a line feed, whatever else a file has."""
    start = count = 0
    while start < len(content) and count < MOST_LINES:
        count += 1
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        # The beginning of a line says all: a path has at most 4096 bytes, and three signs for each where it is quoted.
        yield content[start : min(end, start + 20_000)]
        start = end + 1


def _add(ranges: list[Range], line: int) -> int:
    """Add a line. Returns how many ranges that added."""
    if ranges and ranges[-1][1] == line - 1:
        ranges[-1] = (ranges[-1][0], line)
        return 0
    ranges.append((line, line))
    return 1


def _in_order(ranges: list[Range]) -> Iterator[Range]:
    """Yield the ranges in order, those that overlap or touch as one: a stranger's need not be."""
    last: Range | None = None
    for start, end in sorted(ranges):
        if last and start <= last[1] + 1:
            last = (last[0], max(last[1], end))
        else:
            if last:
                yield last
            last = (start, end)
    if last:
        yield last


def _path(line: bytes) -> str | None:
    """Return the path of a `+++` or `rename to` line, None where it has none: the file is gone."""
    renamed = line.startswith(b"rename to ")
    name = line.removeprefix(b"rename to ") if renamed else line[4:]
    if name.startswith(b'"'):
        end = name.rfind(b'"')
        if end == 0:
            return None
        name = ESCAPE.sub(_unescaped, name[1:end])
    elif not renamed:
        name = name.removesuffix(b"\t")  # git ends a name that has spaces with one
    if not renamed:
        if not name.startswith(b"b/"):
            return None
        name = name[2:]
    return name.decode("utf-8", "surrogateescape") or None


def _unescaped(match: re.Match[bytes]) -> bytes:
    told = match[1]
    return bytes([int(told, 8) & 0xFF]) if len(told) == 3 else CONTROL.get(told, told)
