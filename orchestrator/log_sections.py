"""A job's output, split into the sections of a log by the entrypoint's markers. Pure: bytes in, events out.

A marker is a line `::draftsman:<nonce>:start:<step>` or `...:end:<step>:<exit code>:<seconds>`, and an empty line
before it belongs to it: so a step's output comes out as it went in, but for a last line without a newline, which gets
one. Nothing is held back but what may be the beginning of a marker: the end of a line is shown with it, since the other
stream of the job may go on there. A line that has the nonce and yet makes no sense here (code under test that got to
know it) is output.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

CHECKOUT = "checkout"
"""The section before the first step."""

_MARKER_BYTES = 256


@dataclass(frozen=True, slots=True)
class SectionStarted:
    """A step's command starts."""

    id: str


@dataclass(frozen=True, slots=True)
class SectionEnded:
    """A step's command ended."""

    id: str
    exit_code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SectionOutput:
    """Bytes of one section, in order, cut anywhere."""

    section: str
    content: bytes


SectionEvent = SectionStarted | SectionEnded | SectionOutput


class LogSections:
    """Splits one stream of one job. `steps` are the ids that may start, each once."""

    def __init__(self, nonce: str, steps: Iterable[str]) -> None:
        self._mark = f"::draftsman:{nonce}:".encode()
        self._waiting = set(steps)
        self._open: str | None = None
        self._section = CHECKOUT
        self._pending = b""
        self._at_line_start = True

    def feed(self, content: bytes) -> list[SectionEvent]:
        """Return what these bytes make known."""
        text = self._pending + content
        events: list[SectionEvent] = []
        begin = at = 0
        while (at := text.find(self._mark, at)) >= 0:
            end = text.find(b"\n", at, at + _MARKER_BYTES)
            if end < 0 and len(text) - at < _MARKER_BYTES:
                break
            is_line = (at == begin and self._at_line_start) or text[at - 1 : at] == b"\n"
            event = self._read(text[at + len(self._mark) : end]) if end >= 0 and is_line else None
            if event is None:
                at += 1
                continue
            self._emit(events, text[begin : self._before_marker(text, begin, at)])
            self._at_line_start = True
            self._enter(event)
            events.append(event)
            begin = at = end + 1
        keep = self._possible_marker(text, begin)
        self._emit(events, text[begin:keep])
        self._pending = text[keep:]
        return events

    def finish(self) -> list[SectionEvent]:
        """Return what was held back, when no more comes."""
        events: list[SectionEvent] = []
        self._emit(events, self._pending)
        self._pending = b""
        return events

    def _before_marker(self, text: bytes, begin: int, at: int) -> int:
        """Return where the output before the marker at `at` ends: an empty line before it is the marker's own."""
        is_empty = (at - 1 == begin and self._at_line_start) or text[max(at - 2, begin) : at] == b"\n\n"
        return at - 1 if at > begin and is_empty else at

    def _possible_marker(self, text: bytes, begin: int) -> int:
        """Return where what may be the beginning of a marker begins."""
        line_at = max(text.rfind(b"\n") + 1, begin)
        line = text[line_at:]
        is_line = line_at > begin or self._at_line_start
        if not is_line or not (
            self._mark.startswith(line) or (line.startswith(self._mark) and len(line) < _MARKER_BYTES)
        ):
            return len(text)
        return self._before_marker(text, begin, line_at)

    def _emit(self, events: list[SectionEvent], content: bytes) -> None:
        if content:
            self._at_line_start = content.endswith(b"\n")
            events.append(SectionOutput(self._section, content))

    def _read(self, line: bytes) -> SectionStarted | SectionEnded | None:
        match = re.fullmatch(rb"(start|end):([a-z]+-\d{1,4})(?::(\d{1,3}):(\d{1,9}\.\d\d))?\r?", line)
        if match is None:
            return None
        step = match[2].decode()
        if match[1] == b"start" and match[3] is None and self._open is None and step in self._waiting:
            return SectionStarted(step)
        if match[1] == b"end" and match[3] is not None and step == self._open:
            seconds = float(match[4])
            return SectionEnded(step, int(match[3]), seconds) if math.isfinite(seconds) else None
        return None

    def _enter(self, event: SectionStarted | SectionEnded) -> None:
        if isinstance(event, SectionStarted):
            self._waiting.discard(event.id)
            self._open = self._section = event.id
        else:
            self._open = None
