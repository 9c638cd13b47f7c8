"""Splitting a job's output by markers."""

from __future__ import annotations

import itertools
import time

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.log_sections import LogSections, SectionEnded, SectionEvent, SectionOutput, SectionStarted

NONCE = "abc123"


def _marker(text: str) -> bytes:
    return f"\n::draftsman:{NONCE}:{text}\n".encode()


def _split(chunks: list[bytes], steps: tuple[str, ...] = ("setup-1", "fast-1")) -> list[SectionEvent]:
    sections = LogSections(NONCE, steps)
    events = [event for chunk in chunks for event in sections.feed(chunk)]
    return events + sections.finish()


def _joined(events: list[SectionEvent]) -> list[SectionEvent]:
    """Return the events with neighbouring outputs of a section joined."""
    joined: list[SectionEvent] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, SectionOutput) and isinstance(last, SectionOutput) and event.section == last.section:
            joined[-1] = SectionOutput(event.section, last.content + event.content)
        else:
            joined.append(event)
    return joined


WHOLE = (
    b"Checked out\n"
    + _marker("start:setup-1")
    + b"installing\nno newline"
    + _marker("end:setup-1:0:1.50")
    + _marker("start:fast-1")
    + b"\n"
    + _marker("end:fast-1:2:0.01")
    + b"a daemon, later\n"
)
EXPECTED = [
    SectionOutput("checkout", b"Checked out\n"),
    SectionStarted("setup-1"),
    SectionOutput("setup-1", b"installing\nno newline\n"),
    SectionEnded("setup-1", 0, 1.5),
    SectionStarted("fast-1"),
    SectionOutput("fast-1", b"\n"),
    SectionEnded("fast-1", 2, 0.01),
    SectionOutput("fast-1", b"a daemon, later\n"),
]


def test_sections_steps_and_bytes() -> None:
    assert _joined(_split([WHOLE])) == EXPECTED


@given(st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_where_the_network_cuts_does_not_matter(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WHOLE)]
    chunks = [WHOLE[begin:end] for begin, end in itertools.pairwise(places)]
    assert _joined(_split(chunks)) == EXPECTED


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_output_without_markers_comes_out_unchanged(chunks: list[bytes]) -> None:
    events = _split(chunks)
    assert b"".join(event.content for event in events if isinstance(event, SectionOutput)) == b"".join(chunks)


def test_a_marker_of_another_nonce_is_output() -> None:
    text = b"\n::draftsman:other:start:fast-1\n"
    assert _joined(_split([text])) == [SectionOutput("checkout", text)]


def test_markers_that_make_no_sense_are_output() -> None:
    nonsense = [
        b"a line\n",
        _marker("end:fast-1:0:0.10"),
        _marker("start:full-9"),
        _marker("start:../../x"),
        _marker("end:setup-1:0:1e999"),
        _marker("start"),
        _marker("end:setup-1:99999:0.00"),
        _marker("x" * 300),
    ]
    events = _joined(_split(nonsense))
    assert events == [SectionOutput("checkout", b"".join(nonsense))]


def test_a_step_starts_once() -> None:
    once = _marker("start:fast-1") + _marker("end:fast-1:0:0.10")
    events = _joined(_split([once, once]))
    assert [event for event in events if not isinstance(event, SectionOutput)] == [
        SectionStarted("fast-1"),
        SectionEnded("fast-1", 0, 0.1),
    ]


def test_partial_lines_are_not_kept_waiting() -> None:
    sections = LogSections(NONCE, ())
    assert sections.feed(b"50%") == [SectionOutput("checkout", b"50%")]


def test_a_hundred_megabytes_take_a_moment() -> None:
    sections = LogSections(NONCE, ())
    chunk = b"a line of output\n" * 4096
    begin = time.monotonic()
    for _ in range(1500):
        sections.feed(chunk)
    assert time.monotonic() - begin < 5


def test_the_end_of_a_line_is_not_kept_waiting() -> None:
    sections = LogSections(NONCE, ())
    assert sections.feed(b"a line\n") == [SectionOutput("checkout", b"a line\n")]
