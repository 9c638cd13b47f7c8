"""The lines of a comment that are its author's own words: neither quoted nor code nor raw HTML. Pure.

CommonMark's block structure, as far as it decides that: block quotes with their lazy continuation, list items, fences,
indented code, HTML blocks; and of inline structure code spans and HTML comments, which may run over lines. Anybody
writes comments, so each line costs no more than its own length, whatever came before it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

LONGEST = 262_144
"""Characters that are read. GitHub takes no comment of more than 65,536."""

MOST_NESTED = 32
"""Quotes and list items inside each other; a deeper one counts as text."""

_LINE_END = re.compile(r"\r\n?|\n")
_SPACES = re.compile(r" *")
_OWN = re.compile(r" {0,3}(?! )")

_QUOTE = re.compile(r" {0,3}> ?")
_ITEM = re.compile(r"( {0,3}(?:[-+*]|([0-9]{1,9})[.)]))(?= |$)( *)")
_RULE = re.compile(r" {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+) *$")
_HEADING = re.compile(r" {0,3}#{1,6}(?: |$)")
_FENCE = re.compile(r" {0,3}(?:(`{3,}+)[^`]*$|(~{3,}+))")

_BLOCK_TAGS = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|"
    "menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|"
    "track|ul"
)
_ATTRIBUTE = r"\s++[A-Za-z_:][A-Za-z0-9_.:-]*+(?:\s*=\s*(?:[^\s\"'=<>`]++|'[^']*+'|\"[^\"]*+\"))?"
_TAG = rf"<(?:[A-Za-z][A-Za-z0-9-]*+(?:{_ATTRIBUTE})*+\s*+/?|/[A-Za-z][A-Za-z0-9-]*+\s*+)>"


def _html(begins: str, ends: str | None) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    return re.compile(f" {{0,3}}{begins}", re.IGNORECASE), None if ends is None else re.compile(ends, re.IGNORECASE)


_HTML = (
    _html(r"<(?:script|pre|style|textarea)(?=[\s>]|$)", r"</(?:script|pre|style|textarea)>"),
    _html(r"<!--", r"-->"),
    _html(r"<\?", r"\?>"),
    _html(r"<!\[CDATA\[", r"\]\]>"),
    _html(r"<![A-Z]", r">"),
    _html(rf"</?(?:{_BLOCK_TAGS})(?=\s|/?>|$)", None),
)
"""How an HTML block begins, and what its last line has in it; None: a blank line ends it."""

_ANY_TAG = _html(rf"{_TAG}\s*$", None)
"""This one interrupts no paragraph; with GitHub's own parser it ends one that would go on lazily."""

_INLINE = re.compile(r"\\[\\`<]|`+|<!--")


def own_lines(body: str) -> tuple[str, ...]:
    """Return the lines that are all the author's own words, indented by at most three spaces, stripped, in order.

    A line that begins with the mark of a list item or a heading is none of them.

    Never raises, whatever the text; its time grows with the length of the text and no faster.
    """
    reader = _Reader()
    for line in _LINE_END.split(body[:LONGEST]):
        reader.read(line.expandtabs(4))
    reader.end_paragraph()
    return tuple(reader.found)


@dataclass(slots=True)
class _Container:
    """A list item whose content is indented by `width`, or a quote, whose width is 0."""

    width: int
    is_empty: bool = False


@dataclass(slots=True)
class _Reader:
    """Reads line after line. `_ends` says of a line whether it is the last one of the open code or HTML block."""

    found: list[str] = field(default_factory=list)
    _nested: list[_Container] = field(default_factory=list)
    _paragraph: list[str] = field(default_factory=list)
    _own: list[bool] = field(default_factory=list)
    _ends: Callable[[str], bool] | None = None

    def read(self, line: str) -> None:
        """Take the next line, in which tabs are spaces already."""
        depth, at = self._continued(line)
        goes_on = depth == len(self._nested)
        if self._ends is not None:
            if goes_on:
                self._ends = None if self._ends(line[at:]) else self._ends
                return
            self._ends = None
        is_underline = goes_on and self._paragraph and _UNDERLINE.match(line, at)
        opened_at = at if is_underline else self._open(line, depth, at)
        text = line[opened_at:]
        if opened_at == at and not goes_on:
            if self._paragraph and text.strip(" ") and not (_begins_block(text) or _ANY_TAG[0].match(text)):
                self._say(line, text)  # a lazy continuation: the quote, or item, goes on
                return
            self._leave(depth)
        if is_underline:
            self.end_paragraph()
        else:
            self._leaf(line, text)

    def end_paragraph(self) -> None:
        """Keep what the paragraph says, unless it is quoted."""
        lines, own = self._paragraph, self._own
        self._paragraph, self._own = [], []
        if lines and not any(container.width == 0 for container in self._nested):
            marked = zip(lines, own, _outside_spans(lines), strict=True)
            self.found += [line.strip() for line, is_own, is_plain in marked if is_own and is_plain]

    def _continued(self, line: str) -> tuple[int, int]:
        """Return how many of the open containers the line continues, and where its content begins."""
        at = 0
        for depth, container in enumerate(self._nested):
            indent = _indent(line, at)
            if container.width == 0:
                quote = _QUOTE.match(line, at)
                if quote is None:
                    return depth, at
                at = quote.end()
            elif at + indent == len(line):
                if container.is_empty:
                    return depth, at
            elif indent >= container.width:
                container.is_empty = False
                at += container.width
            else:
                return depth, at
        return len(self._nested), at

    def _open(self, line: str, depth: int, at: int) -> int:
        """Open the quotes and items that begin in the line, and return where their content begins."""
        interrupts = bool(self._paragraph) and depth == len(self._nested)
        while depth < MOST_NESTED:
            quote = _QUOTE.match(line, at)
            if quote:
                container, end = _Container(0), quote.end()
            elif _RULE.match(line, at):
                break
            else:
                item = _item(line, at, interrupts=interrupts)
                if item is None:
                    break
                container, end = item
            self._leave(depth)
            self._nested.append(container)
            depth, at, interrupts = depth + 1, end, False
        return at

    def _leave(self, depth: int) -> None:
        self.end_paragraph()
        del self._nested[depth:]

    def _leaf(self, line: str, text: str) -> None:
        blank = not text.strip(" ")
        if _indent(text, 0) >= 4 and not blank:
            if self._paragraph:
                self._say(line, text)
        elif blank or _begins_block(text) or (not self._paragraph and _ANY_TAG[0].match(text)):
            self.end_paragraph()
            self._ends = _end_of_block(text)
        else:
            self._say(line, text)

    def _say(self, line: str, text: str) -> None:
        self._paragraph.append(text)
        self._own.append(_OWN.match(line) is not None and line.strip() == text.strip())


def _indent(line: str, at: int) -> int:
    spaces = _SPACES.match(line, at)
    return spaces.end() - at if spaces else 0


def _item(line: str, at: int, *, interrupts: bool) -> tuple[_Container, int] | None:
    """Return the list item that begins here, and where its content does, None where there is none.

    One that `interrupts` a paragraph has content, and is not numbered other than 1.
    """
    found = _ITEM.match(line, at)
    if found is None:
        return None
    marker, number, spaces = len(found[1]), found[2], len(found[3])
    is_empty = found.end() == len(line)
    if interrupts and (is_empty or (number is not None and int(number) != 1)):
        return None
    width = marker + (spaces if not is_empty and spaces <= 4 else 1)
    return _Container(width, is_empty), found.end() if is_empty else at + width


def _begins_block(text: str) -> bool:
    """Return whether the line begins something that interrupts a paragraph, other than a quote or an item."""
    return any(found.match(text) for found in (_FENCE, _HEADING, _RULE, *(begins for begins, _ in _HTML)))


def _end_of_block(text: str) -> Callable[[str], bool] | None:
    """Return what tells the last line of the code or HTML that begins here, None where no more lines belong to it."""
    fence = _FENCE.match(text)
    if fence:
        return partial(_closes, ticks=fence[1] or fence[2])
    for begins, ends in (*_HTML, _ANY_TAG):
        if begins.match(text):
            if ends is None:
                return _is_blank
            return None if ends.search(text) else partial(_has, ends=ends)
    return None


def _is_blank(line: str) -> bool:
    return not line.strip(" ")


def _has(line: str, ends: re.Pattern[str]) -> bool:
    return ends.search(line) is not None


def _closes(line: str, ticks: str) -> bool:
    found = line.strip(" ")
    return len(found) >= len(ticks) and _indent(line, 0) <= 3 and not found.strip(ticks[0])


def _outside_spans(lines: list[str]) -> Iterator[bool]:
    """Yield for each line of a paragraph whether it begins outside of code spans and HTML comments."""
    spans = _spans("\n".join(lines))
    span = next(spans, None)
    start = 0
    for line in lines:
        while span is not None and span[1] <= start:
            span = next(spans, None)
        yield span is None or start <= span[0]
        start += len(line) + 1


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each code span and HTML comment, in order."""
    ticks: dict[int, list[int]] = {}
    for run in re.finditer("`+", text):
        ticks.setdefault(len(run[0]), []).append(run.start())
    last_comment = text.rfind("-->")
    at = 0
    while found := _INLINE.search(text, at):
        at = found.end()
        if found[0] == "<!--":
            if found.start() + 2 <= last_comment:
                at = text.index("-->", found.start() + 2) + len("-->")
                yield found.start(), at
        elif found[0].startswith("`"):
            closing = ticks.get(len(found[0]), [])
            position = bisect_left(closing, at)
            if position < len(closing):
                at = closing[position] + len(found[0])
                yield found.start(), at
