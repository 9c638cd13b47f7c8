"""Workflow commands in a log, as a person sees them."""

from __future__ import annotations

import pytest

from draftsman.log_commands import shown_line, shown_lines


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("::group::Install", "▾ Install"),
        ("::endgroup::", None),
        ("::error file=a.py,line=3,title=x::It broke%0Ahere", "error: It broke here"),
        ("::warning::hm 100%25", "warning: hm 100%"),
        ("::debug::x", None),
        ("::add-mask::***", None),
        ("a ::group::b", "a ::group::b"),
        ("::unknown::x", "::unknown::x"),
        ("12:00:00.123 err | ::error::late", "12:00:00.123 err | error: late"),
        ("                 | ::endgroup::", None),
        ("::group::Install\r", "▾ Install"),
    ],
)
def test_lines(line: str, shown: str | None) -> None:
    assert shown_line(line) == shown
    assert shown_lines([line]) == ([] if shown is None else [shown])
