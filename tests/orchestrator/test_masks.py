"""Secrets in output, wherever it is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.masks import HIDDEN, MaskedStream, Masks


def _masked(chunks: list[bytes], *secrets: str) -> bytes:
    stream = MaskedStream(Masks(secrets))
    return b"".join(stream.feed(chunk) for chunk in chunks) + stream.flush()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"password hunter2!\n", b"password ***!\n"),
        (b"hunterhunter2", b"hunter***"),
        (b"hunter", b"hunter"),
        (b"::add-mask::s3cret\nthe s3cret\n", b"::add-mask::***\nthe ***\n"),
        (b"s3cret\n::add-mask::s3cret\ns3cret", b"s3cret\n::add-mask::***\n***"),
        (b"x ::add-mask::s3cret\ns3cret\n", b"x ::add-mask::s3cret\ns3cret\n"),
        (b"::add-mask::ab\nab\n", b"::add-mask::***\nab\n"),
        (b"::add-mask::one%0Atwo\none two\n", b"::add-mask::***\n*** ***\n"),
        (b"::add-mask::" + b"x" * 5000 + b"\n", b"::add-mask::" + b"x" * 5000 + b"\n"),
        (b"::group::Tests\n", b"::group::Tests\n"),
        (b"::add-mask", b"::add-mask"),
    ],
)
def test_what_is_shown(text: bytes, expected: bytes) -> None:
    assert _masked([text], "hunter2") == expected
    assert _masked([bytes([byte]) for byte in text], "hunter2") == expected


def test_a_secret_that_holds_another_leaves_nothing() -> None:
    assert _masked([b"abc-long-abc"], "abc", "abc-long") == HIDDEN + b"-" + HIDDEN


def test_a_mask_counts_in_the_other_stream_too() -> None:
    masks = Masks()
    out, err = MaskedStream(masks), MaskedStream(masks)
    out.feed(b"::add-mask::s3cret\n")
    assert err.feed(b"s3cret\n") == b"***\n"


def test_output_without_secrets_is_not_kept_waiting() -> None:
    assert MaskedStream(Masks()).feed(b"50% done") == b"50% done"


def test_a_line_without_end_is_cut_beside_its_secrets() -> None:
    line = b"x" * (32 * 1024 - 3) + b"hunter2" + b"y" * 500_000
    pieces = [line[at : at + 777] for at in range(0, len(line), 777)]
    stream = MaskedStream(Masks(["hunter2"]))
    shown = [stream.feed(piece) for piece in pieces]
    assert sum(map(len, shown)) > 400_000
    assert b"".join(shown) + stream.flush() == line.replace(b"hunter2", HIDDEN) == _masked([line], "hunter2")


TEXT = b"one\n::add-mask::s3cret\ns3cret s3cr s3crets3cret\n::add-mask::two words\n:: two words\n::add-mask::tail"


@given(st.lists(st.integers(0, len(TEXT)), max_size=20))
def test_where_the_output_is_cut_does_not_matter(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TEXT)]
    chunks = [TEXT[begin:end] for begin, end in itertools.pairwise(places)]
    assert _masked(chunks, "hunter2") == _masked([TEXT], "hunter2")
