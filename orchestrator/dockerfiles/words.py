"""The words of a Dockerfile's instructions: split, unquoted and with variables put in, as BuildKit does it.

Pure (moby/buildkit, frontend/dockerfile/shell). What it does not follow, the patterns of `${name#pattern}` and the
like, comes out as `UNKNOWN`, never as a guess.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable

from draftsman.domain.errors import BuildError

SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's `unicode.IsSpace` takes for a space. Python's own notion has more."""

UNKNOWN = "\0"
"""Stands in a word for text that only the build knows."""

Lookup = Callable[[str], str | None]
"""Returns a variable's value: None where it is not set, `UNKNOWN` where that cannot be told."""

_NAME = re.compile(r"[0-9]+|[@*#?$!-]|\w+")
_DEEPEST = 20
_MOST_OF_VALUES = 4096


def split_words(text: str, escape: str) -> tuple[list[str], bool]:
    """Return the words with their quotes and escapes, and whether every quote has its end."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == escape and quote != "'":
            word += (character, text[at : at + 1])
            at += 1
        elif quote:
            word.append(character)
            quote = "" if character == quote else quote
        elif character not in SPACES:
            word.append(character)
            quote = character if character in "\"'" else ""
        elif word:
            words.append("".join(word))
            word = []
    return ([*words, "".join(word)] if word else words), not quote


def read_json(text: str) -> list[str] | None:
    """Return the strings of an instruction in JSON form, None where it is in the other. What follows is dropped."""
    if not text.startswith("["):
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def read_fields(text: str) -> list[str]:
    """Return the fields of a flag such as `--mount`, which is one line of CSV. Raises BuildError for a huge one."""
    try:
        return next(csv.reader([text]), [])
    except csv.Error as error:
        raise BuildError(f"A flag of the Dockerfile cannot be read ({error}): {text[:80]!r}") from error


def read_pairs(text: str, escape: str, lookup: Lookup) -> list[tuple[str, str | None]]:
    """Return the names and values of ENV or ARG; a value is None where a name stands alone."""
    words, _ = split_words(text, escape)
    if len(words) > 1 and "=" not in words[0]:  # the old form: a name, and all that follows is its value
        name, value = re.split(r"[\t\v\f\r ]+", text.strip(SPACES), maxsplit=1)
        return [(expand(name, escape, lookup), expand(value, escape, lookup))]
    pairs: list[tuple[str, str | None]] = []
    for word in words:
        name, given, value = word.partition("=")
        pairs.append((expand(name, escape, lookup), expand(value, escape, lookup) if given else None))
    return pairs


def expand(word: str, escape: str, lookup: Lookup) -> str:
    """Return the word without its quotes and escapes, variables replaced by their values.

    Values together longer than 4096 characters are UNKNOWN: a line that doubles a variable can be repeated.
    """
    return _Expansion(word, escape, lookup).until("")


class _Expansion:
    def __init__(self, text: str, escape: str, lookup: Lookup) -> None:
        self._text = text
        self._escape = escape
        self._lookup = lookup
        self._at = 0
        self._depth = 0
        self._room = _MOST_OF_VALUES

    def _next(self) -> str:
        character = self._text[self._at : self._at + 1]
        self._at += 1
        return character

    def until(self, stop: str) -> str:
        """Return what comes before `stop`, and go past it."""
        result: list[str] = []
        while character := self._next():
            if character == stop:
                break
            if character == "$":
                result.append(self._variable())
            elif character == "'":
                end = self._text.find("'", self._at)
                end = len(self._text) if end < 0 else end
                result.append(self._text[self._at : end])
                self._at = end + 1
            elif character == '"':
                result.append(self._double_quoted())
            elif character == self._escape:
                result.append(self._next())
            else:
                result.append(character)
        return "".join(result)

    def _double_quoted(self) -> str:
        result: list[str] = []
        while (character := self._next()) and character != '"':
            if character == "$":
                result.append(self._variable())
            elif character == self._escape:
                following = self._next()
                result.append(following if following in ('"', "$", self._escape) else character + following)
            else:
                result.append(character)
        return "".join(result)

    def _variable(self) -> str:
        braced = self._text.startswith("{", self._at)
        self._at += braced
        match = _NAME.match(self._text, self._at)
        if match is None:
            return UNKNOWN if braced else "$"
        self._at = match.end()
        value = self._lookup(match[0])
        self._room -= len(value or "")
        if self._room < 0:
            value = UNKNOWN
        return self._substituted(value) if braced else value or ""

    def _substituted(self, value: str | None) -> str:
        """Return what `${name...}` stands for, once its name was read."""
        sign = self._next()
        if sign == "}":
            return value or ""
        if sign == ":":
            sign += self._next()
        self._depth += 1
        if sign.strip(":") not in ("-", "+", "?") or self._depth > _DEEPEST:
            self._at = len(self._text)
            return UNKNOWN
        other = self.until("}")
        self._depth -= 1
        if value is not None and UNKNOWN in value:
            return UNKNOWN
        is_set = bool(value) if sign.startswith(":") else value is not None
        if sign.endswith("+"):
            return other if is_set else ""
        return value or "" if is_set else other if sign.endswith("-") else UNKNOWN
