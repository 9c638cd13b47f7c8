"""Go's file patterns (`*`, `?`, `[a-z]`, `\\x`) with Docker's `**`, matched in time linear in the path. Pure.

A pattern that a regular expression answers without going back and forth becomes one; the others are followed
character by character, all possibilities at once.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

_FEW, _SHORT = 3, 256
"""Of so few wildcards a regular expression may try every way, on a path that is so short."""

_STAR, _FOLDERS, _REST = "*", "**/", "**"


@dataclass(frozen=True, slots=True)
class _One:
    """One character: `pattern` is the regular expression for it, `literal` the character where it is just one."""

    pattern: str
    literal: str | None = None

    def matches(self, character: str) -> bool:
        return re.fullmatch(self.pattern, character, re.DOTALL) is not None


_Token = _One | str
"""One character, or one of `_STAR` (no slash), `_FOLDERS` (any folders, or none) and `_REST` (anything)."""


@dataclass(frozen=True, slots=True)
class Wildcards:
    """A pattern, ready to be matched. Paths longer than `longest` are followed, which takes long."""

    tokens: tuple[_Token, ...]
    expression: re.Pattern[str]
    longest: int
    plain: bool

    def fullmatch(self, path: str) -> bool:
        """Return whether the whole path is of this pattern."""
        if len(path) <= self.longest:
            return self.expression.fullmatch(path) is not None
        return _follow(self.tokens, path)


def translate(pattern: str) -> Wildcards | None:
    """Return the pattern ready for use, None where it is malformed (an open `[`, a `\\` at its end)."""
    tokens = _tokens(pattern)
    if tokens is None:
        return None
    plain = all(isinstance(token, _One) for token in tokens) and not any(sign in pattern for sign in "?[]\\")
    expression = "".join(map(_expression, tokens))
    longest = sys.maxsize
    if _is_ambiguous(tokens):
        longest = _SHORT if sum(isinstance(token, str) for token in tokens) <= _FEW else -1
    return Wildcards(tokens, re.compile(expression, re.DOTALL), longest, plain)


def _tokens(pattern: str) -> tuple[_Token, ...] | None:
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if pattern.startswith("**", at):
            at += 2 + (pattern[at + 2 : at + 3] == "/")
            token = _REST if at >= len(pattern) else _FOLDERS
            if tokens[-1:] != [_FOLDERS] or token == _REST:
                tokens.append(token)
            continue
        if character == "*":
            tokens.append(_STAR)
        elif character == "?":
            tokens.append(_One("[^/]"))
        elif character == "[":
            found = _class(pattern, at)
            if found is None:
                return None
            one, at = found
            tokens.append(one)
            continue
        elif character == "\\":
            at += 1
            if at >= len(pattern):
                return None
            tokens.append(_One(re.escape(pattern[at]), pattern[at]))
        else:
            tokens.append(_One(re.escape(character), character))
        at += 1
    return tuple(tokens)


def _class(pattern: str, at: int) -> tuple[_One, int] | None:
    """Return the class that begins at `[`, and where it ends, in the grammar of Go's `filepath.Match`."""
    at += 1
    negated = pattern.startswith("^", at)
    at += negated
    parts: list[str] = []
    while at < len(pattern) and not (pattern[at] == "]" and parts):
        low, at = _class_character(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _class_character(pattern, at + 1)
        if not low or not high:
            return None
        if low <= high:
            parts.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            return None  # Go's regexp package refuses it
    if at >= len(pattern):
        return None
    inside = "".join(parts)
    return _One(f"[{'^' if negated else ''}{inside}]"), at + 1


def _class_character(pattern: str, at: int) -> tuple[str, int]:
    """Return the next character of a class, "" where there is none."""
    character = pattern[at : at + 1]
    if character in ("", "-", "]"):
        return "", at
    if character == "\\":
        return pattern[at + 1 : at + 2], at + 2
    return character, at + 1


def _expression(token: _Token) -> str:
    if isinstance(token, _One):
        return token.pattern
    return {_STAR: "[^/]*", _FOLDERS: "(?:.*/)?", _REST: ".*"}[token]


def _is_ambiguous(tokens: tuple[_Token, ...]) -> bool:
    """Return whether a regular expression would try many ways: two stars in a segment, two times `**`."""
    stars = folders = 0
    for token in tokens:
        if token == _STAR:
            stars += 1
        elif token in (_FOLDERS, _REST):
            folders += 1
            stars = 0
        elif isinstance(token, _One) and token.pattern == "/":
            stars = 0
        elif isinstance(token, _One) and token.pattern.startswith("[^") and token.pattern != "[^/]":
            return True  # it may match a slash
        if stars > 1 or folders > 1:
            return True
    return False


def _follow(tokens: tuple[_Token, ...], path: str) -> bool:
    """Return whether the tokens match the whole path: the set of positions in the pattern goes along with it."""
    end = len(tokens)
    positions = _closure({0}, tokens)
    inside: set[int] = {at for at in positions if at < end and tokens[at] == _FOLDERS}
    for character in path:
        following: set[int] = set()
        for at in positions:
            if at >= end:
                continue
            token = tokens[at]
            if isinstance(token, _One):
                if token.literal == character or (token.literal is None and token.matches(character)):
                    following.add(at + 1)
            elif token == _REST or (token == _STAR and character != "/"):
                following.add(at)
        staying = set(inside)
        if character == "/":
            following |= {at + 1 for at in inside}
        positions = _closure(following, tokens)
        inside = staying | {at for at in positions if at < end and tokens[at] == _FOLDERS}
    return end in positions


def _closure(positions: set[int], tokens: tuple[_Token, ...]) -> set[int]:
    """Return the positions with those that are reached without a character."""
    reached = set(positions)
    pending = list(positions)
    while pending:
        at = pending.pop()
        if at < len(tokens) and isinstance(tokens[at], str) and at + 1 not in reached:
            reached.add(at + 1)
            pending.append(at + 1)
    return reached
