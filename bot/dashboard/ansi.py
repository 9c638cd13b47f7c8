"""HTML out of terminal output: text escaped, colours as spans, every other control sequence gone.

What a job prints is hostile: only colours and weights of our own making reach the page, never a link, a
title, a style or a character that reorders text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

# Each alternative consumes what it scans, so the whole is linear. What is unfinished ends with the line.
SEQUENCE = re.compile(
    r"\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~]?)"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that show nothing, reorder what stands around them, or are none in UTF-8."""

MOST_PARAMETERS = 32
"""Numbers of one sequence that are looked at."""

MOST_MARKUP = 4 * 2**20

FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
ENDED_BY = {21: (1,), 22: (1, 2), 23: (3,), 24: (4,), 27: (7,), 29: (9,)}


@dataclass(frozen=True, slots=True)
class Style:
    """How text looks. A colour is a number of the 256, or `#rrggbb`; None is the terminal's own."""

    flags: frozenset[int] = frozenset()
    colour: int | str | None = None
    background: int | str | None = None


PLAIN = Style()


def visible(text: str) -> str:
    """Return the text with a replacement character for each that would show nothing or mislead."""
    return CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))


class Terminal:
    """Turns lines into HTML one by one; a colour lasts from line to line until it is ended, as on a screen.

    `markup` is the characters that colours may take in all; what comes after is shown without them.
    """

    def __init__(self, *, markup: int = MOST_MARKUP) -> None:
        self._style = PLAIN
        self._markup = markup

    def line(self, text: str) -> str:
        """Return the HTML of a line (without its line break). Every span that is opened is closed."""
        text = text.rstrip("\r").rpartition("\r")[2]  # a progress bar overwrites itself
        if "\x1b" not in text:
            return self._span(text)
        return "".join(self._spans(text))

    def _spans(self, text: str) -> Iterator[str]:
        position = 0
        for match in SEQUENCE.finditer(text):
            yield self._span(text[position : match.start()])
            position = match.end()
            if match["final"] == "m":
                self._style = restyled(self._style, match["parameters"])
        yield self._span(text[position:])

    def _span(self, text: str) -> str:
        shown = escape(CONTROLS.sub("", text))
        if not shown or self._style == PLAIN:
            return shown
        opening = f"<span{_attributes(self._style)}>"
        self._markup -= len(opening) + len("</span>")
        return f"{opening}{shown}</span>" if self._markup >= 0 else shown


def restyled(style: Style, parameters: str) -> Style:
    """Return the style after a sequence `ESC [ parameters m`. What is unknown or malformed changes nothing."""
    fields = re.split("[;:]", parameters)[:MOST_PARAMETERS]
    if not all(not field or (field.isdecimal() and len(field) <= 3) for field in fields):
        return style
    numbers = iter([int(field or 0) for field in fields])
    for number in numbers:
        if number == 0:
            style = PLAIN
        elif number in FLAGS:
            style = replace(style, flags=style.flags | {number})
        elif number in ENDED_BY:
            style = replace(style, flags=style.flags.difference(ENDED_BY[number]))
        elif number in (38, 48):
            colour = _extended(numbers)
            if colour is not None:
                style = replace(style, colour=colour) if number == 38 else replace(style, background=colour)
        elif 30 <= number <= 39:
            style = replace(style, colour=None if number == 39 else number - 30)
        elif 40 <= number <= 49:
            style = replace(style, background=None if number == 49 else number - 40)
        elif 90 <= number <= 97:
            style = replace(style, colour=number - 82)
        elif 100 <= number <= 107:
            style = replace(style, background=number - 92)
    return style


def _extended(numbers: Iterator[int]) -> int | str | None:
    """Take the rest of `38;5;N` or `38;2;R;G;B` and return its colour, None where it is none."""
    kind = next(numbers, None)
    if kind == 5:
        number = next(numbers, 256)
        return number if number < 256 else None
    if kind == 2:
        red, green, blue = (next(numbers, 256) for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}" if max(red, green, blue) < 256 else None
    return None


def _attributes(style: Style) -> str:
    classes = [FLAGS[flag] for flag in sorted(style.flags) if flag != 7]
    styles = []
    colour, background = style.colour, style.background
    if 7 in style.flags:
        classes.append("reverse")  # the terminal's own colours the other way round, where none is set
        colour, background = background, colour
    for value, name, prefix in ((colour, "color", "c"), (background, "background-color", "b")):
        if isinstance(value, int) and value < 16:
            classes.append(f"{prefix}{value}")
        elif value is not None:
            styles.append(f"{name}:{_hexadecimal(value)}")
    return (f' class="{" ".join(classes)}"' if classes else "") + (f' style="{";".join(styles)}"' if styles else "")


def _hexadecimal(colour: int | str) -> str:
    """Return `#rrggbb` of a colour from 16 up: a cube of 6 x 6 x 6, then 24 greys."""
    if isinstance(colour, str):
        return colour
    if colour >= 232:
        return "#" + f"{8 + 10 * (colour - 232):02x}" * 3
    levels = (0, 95, 135, 175, 215, 255)
    cube = colour - 16
    return "#" + "".join(f"{levels[index]:02x}" for index in (cube // 36, cube // 6 % 6, cube % 6))
