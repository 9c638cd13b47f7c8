"""A job's output, split into the sections of a log by the entrypoint's markers. Pure: bytes in, events out.

A marker is `\\n::draftsman:<nonce>:start:<step>\\n` or `...:end:<step>:<exit code>:<seconds>\\n`. The newline
before it belongs to it, so a step's output comes out as it went in, with or without a newline at its end.
Nothing is held back but what may be the beginning of a marker. A line that has the nonce and yet makes no
sense here (code under test that got to know it) is output.
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
    """Splits the output of one job. `steps` are the ids that may start, each once."""

    def __init__(self, nonce: str, steps: Iterable[str]) -> None:
        self._mark = f"\n::draftsman:{nonce}:".encode()
        self._waiting = set(steps)
        self._open: str | None = None
        self._section = CHECKOUT
        self._pending = b""

    def feed(self, content: bytes) -> list[SectionEvent]:
        """Return what these bytes make known."""
        text = self._pending + content
        events: list[SectionEvent] = []
        begin = 0
        while (at := text.find(self._mark, begin)) >= 0:
            end = text.find(b"\n", at + len(self._mark), at + _MARKER_BYTES)
            if end < 0 and len(text) - at < _MARKER_BYTES:
                break
            event = None if end < 0 else self._read(text[at + len(self._mark) : end])
            if event is None:
                self._emit(events, text[begin : at + 1])
                begin = at + 1
                continue
            self._emit(events, text[begin:at])
            self._enter(event)
            events.append(event)
            begin = end + 1
        keep = at if at >= 0 else self._possible_mark(text, begin)
        self._emit(events, text[begin:keep])
        self._pending = text[keep:]
        return events

    def finish(self) -> list[SectionEvent]:
        """Return what was held back, when no more comes."""
        events: list[SectionEvent] = []
        self._emit(events, self._pending)
        self._pending = b""
        return events

    def _possible_mark(self, text: bytes, begin: int) -> int:
        newline = text.rfind(b"\n", max(begin, len(text) - len(self._mark)))
        return newline if newline >= 0 and self._mark.startswith(text[newline:]) else len(text)

    def _emit(self, events: list[SectionEvent], content: bytes) -> None:
        if content:
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
