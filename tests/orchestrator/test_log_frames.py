"""The engine's log stream."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.domain.errors import EngineError
from orchestrator.runners.interface import LogFrame, Stream
from orchestrator.runners.log_frames import LogFrames


def _frame(stream: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(payload)) + payload


WHOLE = (
    _frame(1, b"2026-11-23T14:04:00.123456789Z one\n")
    + _frame(2, b"2026-11-23T14:04:00.000000001Z two words\n")
    + _frame(1, b"2026-11-23T14:04:01Z ")
)
EXPECTED = [
    LogFrame(1795442640_123456789, Stream.OUT, b"one\n"),
    LogFrame(1795442640_000000001, Stream.ERR, b"two words\n"),
    LogFrame(1795442641_000000000, Stream.OUT, b""),
]


@given(st.lists(st.integers(0, len(WHOLE)), max_size=10))
def test_frames_are_joined_wherever_they_are_cut(cuts: list[int]) -> None:
    frames = LogFrames()
    places = [0, *sorted(cuts), len(WHOLE)]
    chunks = [WHOLE[begin:end] for begin, end in itertools.pairwise(places)]
    assert [frame for chunk in chunks for frame in frames.feed(chunk)] == EXPECTED


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 200 OK\r\n",
        struct.pack(">BxxxL", 1, 2**31),
        _frame(1, b"no time here\n"),
        _frame(1, b"2026-99-99T14:04:01Z x"),
    ],
)
def test_what_is_no_log_stream_is_said_so(stream: bytes) -> None:
    with pytest.raises(EngineError, match="log"):
        LogFrames().feed(stream)
