"""Text of strangers does not steer a terminal."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.ansi import LONGEST_PIECE, HarmlessLines, harmless

HOSTILE = (
    "\x1b]0;title",
    "\x1b]0;title\x07",
    "\x1b]0;title\x1b\\",
    "\x1b]0;title\x9c",
    "\x9d0;title\x9c",
    "\x1b]52;c;Zm9v\x07",
    "\x1b]8;;https://example.com\x07link\x1b]8;;\x07",
    "\x1b",
    "\x1bc",
    "\x1b\x1b[2J",
    "\x1b(0",
    "\x9b2J",
    "\x9b31m",
    "\x1b[1 q",
    "\x1b[20;1@",
    "\x1b[?25l",
    "\x1b[>4;1m",
    "\x1b[1\x08;2H",
    "\x1b[\x1b[31mH",
    "\x1b[" + "1" * 100 + "m",
    "\x1bP$qm\x1b\\",
    "\x1b_x\x1b\\",
    "\x85\x8d\x84",
    "\a\b\v\f\r\x7f\0",
    "\u202ereversed\u2066",
)
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def assert_harmless(text: str) -> None:
    left = _COLOUR.sub("", text)
    assert "\x1b" not in left
    assert not _UNSAFE.search(left)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_but_colours_passes(text: str) -> None:
    assert_harmless(harmless(f"a{text}b", colours=True))
    assert "\x1b" not in harmless(f"a{text}b")


@given(st.text(alphabet=st.sampled_from("\x1b[]\x9b\x9c\x9d\\P01;:?mqJ@ \n\t\x07\x85\u202e\udce9é"), max_size=30))
def test_no_text_steers_a_terminal(text: str) -> None:
    assert_harmless(harmless(text, colours=True))
    assert "\x1b" not in harmless(text)


@given(st.lists(st.sampled_from([*HOSTILE, "x", "\n", "\x1b[31m", "y" * LONGEST_PIECE]), max_size=8), st.integers(1, 7))
def test_no_sequence_passes_wherever_it_is_cut(parts: list[str], size: int) -> None:
    content = "".join(parts).encode()
    lines = HarmlessLines(colours=True)
    step = size if len(content) < 2000 else size * 1171
    written = [line for at in range(0, len(content), step) for line in lines.feed(content[at : at + step])]
    for line in [*written, *lines.finish()]:
        assert_harmless(line)
        assert "\n" not in line


def test_a_sequence_that_the_longest_piece_cuts_does_not_pass() -> None:
    for before in range(LONGEST_PIECE - 6, LONGEST_PIECE + 1):
        lines = HarmlessLines(colours=True)
        written = [*lines.feed(b"x" * before + b"\x1b[20;1H\x1b]0;t\x07\n"), *lines.finish()]
        assert "\x1b" not in "".join(written)


def test_colours_stay_where_they_are_wanted_and_end_with_their_line() -> None:
    assert harmless("\x1b[1;31mred\x1b[0m") == "red"
    assert harmless("\x1b[1;31mred\x1b[0m", colours=True) == "\x1b[1;31mred\x1b[0m"
    assert HarmlessLines(colours=True).feed(b"\x1b[31mred\nplain\n") == ["\x1b[31mred\x1b[0m", "plain"]


def test_a_title_that_nobody_ended_hides_no_other_line() -> None:
    assert harmless("one\x1b]0;hidden\ntwo\tx\n") == "one\ntwo\tx\n"


def test_names_that_are_no_utf_8_can_be_written() -> None:
    assert harmless(b"caf\xe9.py".decode("utf-8", "surrogateescape")).encode() == "caf�.py".encode()


def test_lines_come_as_they_are_whatever_the_chunks() -> None:
    lines = HarmlessLines(colours=False)
    assert lines.feed(b"caf" + b"\xc3") == []
    assert lines.feed(b"\xa9\n\nlast") == ["café", ""]
    assert lines.finish() == ["last"]
    assert lines.finish() == []


@pytest.mark.hostile
@pytest.mark.parametrize(
    "unit", ["\x1b[", "\x1b]", "\x1b[1", "\x1b]8;;", "\x1bP\x1b", "\x9b1;", "\x1b[ ", "\x1b(", "é\x00"]
)
def test_the_time_is_linear(unit: str) -> None:
    began = time.process_time()
    harmless(unit * (2**21 // len(unit)), colours=True)
    assert time.process_time() - began < 3
