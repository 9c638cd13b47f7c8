"""A plan on a terminal: what was decided stands out from the reasons for it."""

from __future__ import annotations

from draftsman.cli.plan import styled


def test_headings_decisions_reasons_and_warnings_look_different() -> None:
    written = ["Image", "  python 3.13", "    .python-version:1 3.13 - names it", "", "Warnings", "  No database here."]
    assert dict(styled(written)) == {
        "Image": "bold",
        "  python 3.13": "",
        "    .python-version:1 3.13 - names it": "dim",
        "": "bold",
        "Warnings": "bold",
        "  No database here.": "yellow",
    }
