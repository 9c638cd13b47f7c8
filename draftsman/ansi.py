"""Text of strangers, made safe for a terminal and for plain lines. Pure.

A terminal obeys what it is sent: sequences move its cursor, set its title, write its clipboard, answer as if
typed. So of all that begins with an escape, only complete colours ever stay, and of control characters only
tab and line feed. Whatever is unfinished goes as well, so that text may be cut anywhere, or joined afterwards.
"""

from __future__ import annotations

import codecs
import re

LONGEST_PIECE = 8192
"""Characters of a line that are kept waiting for its end; then they are a line of their own."""

# Each alternative consumes what it scans, so the whole is linear. A string that nobody ended (a title, say) ends
# with its line: it must not hide the lines below. C1 controls (U+0080 to U+009F) do what ESC and a letter do.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]{0,64}m")
_REORDERING = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def harmless(text: str, *, colours: bool = False) -> str:
    """Return the text without anything that steers a terminal or reorders characters; linear in its length.

    With `colours`, complete SGR sequences stay. What stood for bytes that are no UTF-8 becomes U+FFFD, so that
    the text can be written anywhere.
    """
    if _CONTROL.search(text):
        text = _SEQUENCE.sub(_keep_colour if colours else "", text)
    return text if text.isascii() else _SURROGATE.sub("\ufffd", _REORDERING.sub("", text))


def _keep_colour(match: re.Match[str]) -> str:
    return match[0] if _COLOUR.fullmatch(match[0]) else ""


class HarmlessLines:
    """Harmless lines out of chunks of bytes, wherever those were cut."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, content: bytes) -> list[str]:
        """Return the lines that this chunk completes, `LONGEST_PIECE` characters each at most."""
        return self._take(self._decoder.decode(content))

    def finish(self) -> list[str]:
        """Return what is left: the last line, where nothing ended it."""
        lines = self._take(self._decoder.decode(b"", final=True))
        last, self._rest = self._rest, ""
        self._decoder.reset()
        return [*lines, self._clean(last)] if last else lines

    def _take(self, text: str) -> list[str]:
        *lines, self._rest = (self._rest + text).split("\n")
        cleaned = [self._clean(piece) for line in lines for piece in _pieces(line)]
        *whole, self._rest = _pieces(self._rest)
        return cleaned + [self._clean(piece) for piece in whole]

    def _clean(self, line: str) -> str:
        shown = harmless(line, colours=self._colours)
        return f"{shown}\x1b[0m" if "\x1b" in shown else shown


def _pieces(line: str) -> list[str]:
    return [line[start : start + LONGEST_PIECE] for start in range(0, len(line), LONGEST_PIECE)] or [""]
