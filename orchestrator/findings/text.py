"""Lines out of raw output: no colours, no control characters, no line without end."""

from __future__ import annotations

import re

LONGEST_LINE = 2000
"""Characters. The rest of a longer line is dropped."""

MOST_LINES = 100_000
"""Lines of one step's output that are looked at: the last ones."""

LONGEST_TITLE = 255
"""GitHub's limit of an annotation's title."""

LONGEST_MESSAGE = 4000

# Each alternative consumes what it scans, so the whole is linear. OSC ends with BEL, ST or the line.
ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]?|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -/]*[0-~]?"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def split_lines(output: bytes) -> list[str]:
    """Return the lines of the output as a person sees them, each at most `LONGEST_LINE` characters."""
    return [_clean(line) for line in output.rsplit(b"\n", MOST_LINES)[-MOST_LINES:]]


def _clean(line: bytes) -> str:
    # Four bytes a character at most, and as much again for colours.
    text = line[: 8 * LONGEST_LINE].decode("utf-8", errors="replace").rstrip("\r")
    text = text.rpartition("\r")[2]  # a progress bar overwrites itself
    if "\x1b" in text:
        text = ESCAPES.sub("", text)
    return CONTROLS.sub("", text)[:LONGEST_LINE]


def shorten(text: str, most: int) -> str:
    """Return the text, cut at `most` characters with a sign that it is cut."""
    return text if len(text) <= most else text[: most - 1] + "…"
