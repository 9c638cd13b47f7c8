"""The engine's progress, a JSON object a line."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.domain.errors import EngineError
from orchestrator.json_lines import JsonLines

WHOLE = b'{"stream":"one\\n"}\r\n{"a":{"b":[1]}}\n\n{"stream":"f\xc3\xbc"}\n'


@given(st.lists(st.integers(0, len(WHOLE)), max_size=10))
def test_objects_are_joined_wherever_they_are_cut(cuts: list[int]) -> None:
    lines = JsonLines()
    chunks = [WHOLE[begin:end] for begin, end in pairwise([0, *sorted(cuts), len(WHOLE)])]
    found = [message for chunk in chunks for message in lines.feed(chunk)]
    assert found == [{"stream": "one\n"}, {"a": {"b": [1]}}, {"stream": "fü"}]


@pytest.mark.parametrize("chunk", [b"not json\n", b"[1]\n", b"x" * (17 * 2**20)])
def test_what_is_no_progress_is_said_so(chunk: bytes) -> None:
    with pytest.raises(EngineError, match="progress"):
        JsonLines().feed(chunk)
