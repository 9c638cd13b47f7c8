"""Lines out of raw output: no colours, no control characters, no line without end."""

from __future__ import annotations

from draftsman.ansi import harmless

LONGEST_LINE = 2000
"""Characters. The rest of a longer line is dropped."""

MOST_LINES = 100_000
"""Lines that are looked at, of all steps together: the last ones of each, the last step first."""

LONGEST_TITLE = 255
"""GitHub's limit of an annotation's title."""

LONGEST_MESSAGE = 4000


def split_lines(output: bytes, most: int = MOST_LINES) -> list[str]:
    """Return the last `most` lines of the output as a person sees them, each at most `LONGEST_LINE` characters."""
    return [_clean(line) for line in output.rsplit(b"\n", most)[-most:]] if output and most else []


def _clean(line: bytes) -> str:
    # Four bytes a character at most, and as much again for colours.
    text = line[: 8 * LONGEST_LINE].decode("utf-8", errors="replace").rstrip("\r")
    text = text.rpartition("\r")[2]  # a progress bar overwrites itself
    return harmless(text)[:LONGEST_LINE]


def shorten(text: str, most: int) -> str:
    """Return the text, cut at `most` characters with a sign that it is cut."""
    return text if len(text) <= most else text[: most - 1] + "…"
