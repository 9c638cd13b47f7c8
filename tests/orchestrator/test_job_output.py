"""A job's two streams, put together."""

from __future__ import annotations

import itertools
import time

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.job_output import JobEvent, JobOutput, TimedMarker, TimedOutput
from orchestrator.log_sections import SectionEnded, SectionStarted
from orchestrator.masks import Masks
from orchestrator.runners.interface import LogFrame, Stream

NONCE = "abc123"
OUT, ERR = Stream.OUT, Stream.ERR
SECOND = 10**9


def _marker(text: str) -> bytes:
    return f"\n::draftsman:{NONCE}:{text}\n".encode()


START, END = _marker("start:fast-1"), _marker("end:fast-1:1:0.50")
STARTED, ENDED = SectionStarted("fast-1"), SectionEnded("fast-1", 1, 0.5)


def _frames(*parts: tuple[Stream, bytes]) -> list[LogFrame]:
    return [LogFrame(number * SECOND, stream, content) for number, (stream, content) in enumerate(parts)]


def _told(batches: list[list[LogFrame]], *secrets: str) -> list[JobEvent]:
    output = JobOutput(NONCE, ("fast-1", "fast-2"), Masks(secrets))
    return [event for batch in batches for event in output.feed(batch)] + output.finish()


def _short(events: list[JobEvent]) -> list[object]:
    """Return markers as they are, and output as (section, stream, content) with neighbours joined."""
    short: list[object] = []
    for event in events:
        if isinstance(event, TimedMarker):
            short.append(event.event)
            continue
        key = (event.section, event.stream)
        last = short[-1] if short else None
        if isinstance(last, tuple) and last[:2] == key:
            short[-1] = (*key, last[2] + event.content)
        else:
            short.append((*key, event.content))
    return short


def test_both_streams_in_their_order() -> None:
    frames = _frames((OUT, START), (ERR, START), (OUT, b"a\n"), (ERR, b"b\n"), (OUT, b"c\n"), (OUT, END), (ERR, END))
    assert _short(_told([frames])) == [
        STARTED,
        ("fast-1", OUT, b"a\n"),
        ("fast-1", ERR, b"b\n"),
        ("fast-1", OUT, b"c\n"),
        ENDED,
    ]


def test_a_step_ends_when_its_last_words_were_heard() -> None:
    frames = _frames((OUT, START), (ERR, START), (OUT, END), (OUT, b"later\n"), (ERR, b"last words\n"), (ERR, END))
    assert _short(_told([frames])) == [STARTED, ("fast-1", ERR, b"last words\n"), ENDED, ("fast-1", OUT, b"later\n")]


def test_a_stream_that_is_ahead_waits_for_the_other() -> None:
    frames = _frames((ERR, START), (ERR, b"early\n"), (OUT, b"Checked out\n"), (OUT, START))
    assert _short(_told([frames])) == [("checkout", OUT, b"Checked out\n"), STARTED, ("fast-1", ERR, b"early\n")]


def test_a_stream_that_stays_away_holds_nothing_up() -> None:
    output = JobOutput(NONCE, ("fast-1",), Masks())
    flood = [LogFrame(SECOND, OUT, b"x" * 1000 + b"\n")] * 400
    told = output.feed([LogFrame(0, OUT, START), *flood])
    assert told[0] == TimedMarker(STARTED, 0)
    assert sum(len(event.content) for event in told if isinstance(event, TimedOutput)) == 400 * 1001
    late = output.feed(_frames((ERR, START), (ERR, b"late\n"), (OUT, END), (ERR, END)))
    assert _short(late) == [("fast-1", ERR, b"late\n"), ENDED]


def test_what_waits_is_told_at_the_end() -> None:
    frames = _frames((OUT, START), (OUT, b"a\n"))
    assert _short(_told([frames])) == [STARTED, ("fast-1", OUT, b"a\n")]
    frames = _frames((ERR, START), (ERR, b"a\n"))
    assert _short(_told([frames])) == [("fast-1", ERR, b"a\n")], "the standard output alone tells of steps"


def test_output_has_the_time_of_its_frame() -> None:
    events = _told([_frames((OUT, b"a\n"), (OUT, b"b\n"))])
    assert [event.at for event in events] == [0, SECOND]


@given(st.lists(st.integers(0, 12), max_size=6))
def test_batches_do_not_matter(cuts: list[int]) -> None:
    frames = _frames(
        (OUT, b"Checked out\n"),
        (OUT, START),
        (OUT, b"::add-mask::s3cret\n"),
        (ERR, b"git says\n"),
        (ERR, START[:9]),
        (ERR, START[9:] + b"s3c"),
        (ERR, b"ret\n"),
        (OUT, END),
        (ERR, b"s3cret"),
        (ERR, END),
        (OUT, _marker("start:fast-2") + b"x"),
        (ERR, _marker("start:fast-2")),
    )
    places = [0, *sorted(cuts), len(frames)]
    batches = [frames[begin:end] for begin, end in itertools.pairwise(places)]
    assert _short(_told(batches)) == _short(_told([frames]))


def test_a_million_lines_take_a_moment() -> None:
    output = JobOutput(NONCE, (), Masks(["hunter2"]))
    batch = [LogFrame(number, OUT, b"a line of output\n") for number in range(1000)]
    begin = time.monotonic()
    for _ in range(1000):
        output.feed(batch)
    assert time.monotonic() - begin < 8
