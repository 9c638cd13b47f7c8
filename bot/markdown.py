"""Markdown out of text that strangers wrote: nothing in it can end its cell, its code span or its fence.

Sizes are counted in bytes of UTF-8, the safer reading of GitHub's limits.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_PLAIN_CODE = re.compile(r"[^`|\\\s](?:[^`|\\\n]*[^`|\\\s])?")
_CODE_IN_PROSE = re.compile(r"(`[^`]+`)")
_PUNCTUATION = re.compile(
    r"[\\`*\[\]<>~|$&]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # those inside of a name are not emphasis
    r"|^[#+=-]"
)
_LINKED = re.compile(r"(?:@(?=\\?\w)|#(?=[0-9])|\bGH-(?=[0-9]))", re.IGNORECASE)  # people; issues
_LONG_TICKS = re.compile("`{100}")
_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # titles, links
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]",
    re.MULTILINE,
)

ZERO_WIDTH_SPACE = "\u200b"


def size(text: str) -> int:
    """Return the bytes of the text in UTF-8."""
    return len(text.encode("utf-8", "replace"))


def cut(text: str, limit: int) -> str:
    """Return the text, its end replaced by an ellipsis where it has more than `limit` bytes."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: max(0, limit - 3)].decode("utf-8", "ignore") + "…"


def last(text: str, limit: int) -> str:
    """Return the last whole lines of the text that fit in `limit` bytes; the end of the line where none does."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    kept = encoded[len(encoded) - limit :].decode("utf-8", "ignore") if limit > 0 else ""
    _, newline, whole = kept.partition("\n")
    return whole if newline and whole else kept


def plain(output: str) -> str:
    """Return a program's output as a terminal would show it: no escape sequences, progress bars at their end."""
    without = _ESCAPE_SEQUENCE.sub("", output.replace("\r\n", "\n"))
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in without.split("\n"))


def one_line(text: str) -> str:
    """Return the text in one line, without control characters."""
    return " ".join(plain(text).split())


def escape(text: str, limit: int = 500) -> str:
    """Return a line of prose whose punctuation is only punctuation, and in which nobody, and no issue, is mentioned.

    What stands between two backticks, as the messages of tools have it, is shown as code.
    """
    parts = _CODE_IN_PROSE.split(cut(one_line(text), limit))
    return "".join(code(part[1:-1], limit) if at % 2 else _prose(part) for at, part in enumerate(parts))


def _prose(text: str) -> str:
    return _LINKED.sub(rf"\g<0>{ZERO_WIDTH_SPACE}", _PUNCTUATION.sub(r"\\\g<0>", text))


def code(text: str, limit: int = 200) -> str:
    """Return the text as code in one line, for a paragraph or a table's cell.

    A code span cannot carry a backslash before a pipe in a table whichever way it is escaped, so that
    anything but a plain text becomes an element with entities.
    """
    shown = cut(one_line(text), limit)
    if _PLAIN_CODE.fullmatch(shown):
        return f"`{shown}`"
    entities = html.escape(shown)
    for character in "`|\\*_~[]@":
        entities = entities.replace(character, f"&#{ord(character)};")
    return f"<code>{entities or ' '}</code>"


def fence(text: str, limit: int) -> str:
    """Return the end of the text in a fence, with it at most `limit` bytes; nothing in the text closes it."""
    shown = _LONG_TICKS.sub(lambda ticks: ticks[0] + ZERO_WIDTH_SPACE, text.rstrip())
    longest = max((len(ticks) for ticks in re.findall("`+", shown)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{last(shown, limit - 2 * len(ticks) - len('text') - 2)}\n{ticks}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], limit: int) -> str:
    """Return a table of cells that are safe already, with as many rows as fit in `limit` bytes."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return fit([*lines, *(f"| {' | '.join(row)} |" for row in rows)], limit, "| … {left} more |")


def fit(lines: Sequence[str], limit: int, more: str) -> str:
    """Return as many of the lines as fit in `limit` bytes; `more` tells, with `{left}`, how many are left out."""
    room = limit - size(more) - 20
    kept: list[str] = []
    for line in lines:
        room -= size(line) + 1
        if room < 0:
            return "\n".join([*kept, more.format(left=len(lines) - len(kept))])
        kept.append(line)
    return "\n".join(kept)
