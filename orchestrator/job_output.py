"""A job's two streams as one: sections and their ends, and output with its stream and time. Pure.

The entrypoint writes its markers into both streams, and an engine carries each stream by itself: one may be ahead by
some milliseconds. A section ends when both streams have passed its marker; until then what is ahead waits, so that
nobody sees a step's last words after its end. The same frames give the same events however they come in batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.log_sections import CHECKOUT, LogSections, SectionEnded, SectionEvent, SectionOutput, SectionStarted
from orchestrator.masks import MaskedStream, Masks
from orchestrator.runners.interface import LogFrame, Stream

_MOST_AHEAD = 256 * 1024
"""Bytes that one stream may be ahead: a process that writes on past a step's end must not hold the log up."""
_SAME_TIME = 20_000_000
"""Nanoseconds within which frames of one stream are taken as one."""


@dataclass(frozen=True, slots=True)
class TimedOutput:
    """Bytes of one section and stream. `at` is when the backend took them, in nanoseconds since the epoch."""

    section: str
    content: bytes
    stream: Stream
    at: int


@dataclass(frozen=True, slots=True)
class TimedMarker:
    """A step began or ended, by the backend's clock."""

    event: SectionStarted | SectionEnded
    at: int


JobEvent = TimedOutput | TimedMarker


class JobOutput:
    """The output of one job. `steps` are the ids that may start, each once."""

    def __init__(self, nonce: str, steps: Iterable[str], masks: Masks) -> None:
        known = tuple(steps)
        self._sides = {stream: _Side(stream, LogSections(nonce, known), MaskedStream(masks)) for stream in Stream}

    def feed(self, frames: Sequence[LogFrame]) -> list[JobEvent]:
        """Return what these frames make known."""
        events: list[JobEvent] = []
        for stream, content, at in _runs(frames):
            self._sides[stream].feed(content, at)
            events += self._ready(_MOST_AHEAD)
        return events

    def finish(self) -> list[JobEvent]:
        """Return what was held back, when no more comes."""
        for side in self._sides.values():
            side.finish()
        return self._ready(-1)

    def _ready(self, most_ahead: int) -> list[JobEvent]:
        """Return the events that both streams have come to; a stream that is too far ahead waits no longer."""
        out, err = self._sides[Stream.OUT], self._sides[Stream.ERR]
        ready: list[JobEvent] = []
        while True:
            ready += out.outputs()
            ready += err.outputs()
            if err.waiting and err.owes:
                err.pop_marker()
                err.owes -= 1
            elif out.waiting and (err.waiting or out.owes or out.ahead > most_ahead):
                ready.append(out.pop_marker())
                if err.waiting and not out.owes:
                    err.pop_marker()
                elif out.owes:
                    out.owes -= 1
                else:
                    err.owes += 1
            elif err.waiting and err.ahead > most_ahead:
                err.pop_marker()
                out.owes += 1
            else:
                return ready


class _Side:
    """One stream: what of it waits, from the first marker that the other has not come to.

    `ahead` are the bytes that wait, `owes` the markers that the other stream was let pass and this one has not.
    """

    def __init__(self, stream: Stream, sections: LogSections, masked: MaskedStream) -> None:
        self.waiting: deque[JobEvent] = deque()
        self.ahead = 0
        self.owes = 0
        self._stream = stream
        self._sections = sections
        self._masked = masked
        self._section = CHECKOUT
        self._at = 0

    def feed(self, content: bytes, at: int) -> None:
        self._at = at
        self._take(self._sections.feed(content), at)

    def finish(self) -> None:
        self._take(self._sections.finish(), self._at)
        self._put(self._masked.flush(), self._at)

    def outputs(self) -> list[JobEvent]:
        """Return and drop what stands before the first marker."""
        found: list[JobEvent] = []
        while self.waiting and isinstance(event := self.waiting[0], TimedOutput):
            self.ahead -= len(event.content)
            found.append(self.waiting.popleft())
        return found

    def pop_marker(self) -> JobEvent:
        return self.waiting.popleft()

    def _take(self, events: list[SectionEvent], at: int) -> None:
        for event in events:
            if isinstance(event, SectionOutput):
                self._section = event.section
                self._put(self._masked.feed(event.content), at)
            else:
                self._put(self._masked.flush(), at)
                self.waiting.append(TimedMarker(event, at))

    def _put(self, shown: bytes, at: int) -> None:
        if shown:
            self.ahead += len(shown)
            self.waiting.append(TimedOutput(self._section, shown, self._stream, at))


def _runs(frames: Sequence[LogFrame]) -> Iterable[tuple[Stream, bytes, int]]:
    """Yield neighbours of one stream and nearly one time as one: there may be a hundred thousand lines a second."""
    begin = 0
    for number in range(1, len(frames) + 1):
        first = frames[begin]
        if number < len(frames) and frames[number].stream is first.stream and frames[number].at - first.at < _SAME_TIME:
            continue
        yield first.stream, b"".join(frame.content for frame in frames[begin:number]), first.at
        begin = number
