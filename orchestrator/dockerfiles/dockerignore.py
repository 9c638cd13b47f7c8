"""What a `.dockerignore` keeps out of a build's context, as Docker reads it. Pure.

Read from moby/patternmatcher and its `ignorefile`: patterns are anchored at the root of the context, the last one
that matches decides, and what holds for a folder holds for everything in it unless a later `!` pattern matches the
thing itself. Patterns and paths are strangers' text, so matching takes time linear in the path.
"""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from draftsman.domain.errors import BuildError
from orchestrator.dockerfiles.glob import translate

MOST_COMPARISONS = 20_000_000
"""Patterns times paths: what one context may ask for."""

_LONGEST_PATTERN = 1000
_MOST_STARS = 30


class _Match(Protocol):
    def __call__(self, path: str, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. `exception` says that it began with `!`; `line` counts from 1.

    A path longer than `longest` takes long to match.
    """

    text: str
    exception: bool
    line: int
    matches: _Match
    longest: int = sys.maxsize


def dockerignore_of(dockerfile: str, paths: Iterable[str]) -> str | None:
    """Return which file says what a build of this Dockerfile leaves out: its own, else the context's, else None."""
    present = frozenset(paths)
    for path in (f"{dockerfile}.dockerignore", ".dockerignore"):
        if path in present:
            return path
    return None


def read_patterns(text: str, *, file: str = ".dockerignore") -> tuple[Pattern, ...]:
    """Return the patterns in order. Raises BuildError with file and line for one that Docker refuses as well."""
    found: list[Pattern] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        pattern = line.strip()
        if line.startswith("#") or not pattern:
            continue
        exception = pattern.startswith("!")
        pattern = _cleaned(pattern[1:].strip() if exception else pattern)
        if not pattern:
            raise BuildError(f"{file}, line {number}: `!` stands alone. Write what is not to be left out after it.")
        if pattern == ".":
            continue  # Docker: nothing of the context has this name
        if len(pattern) > _LONGEST_PATTERN:
            raise BuildError(f"{file}, line {number}: the pattern is longer than {_LONGEST_PATTERN} characters.")
        found.append(_pattern(pattern, exception, number, file))
    return tuple(found)


def _cleaned(pattern: str) -> str:
    """Return the pattern as Go's `filepath.Clean` leaves it, without the slash at its beginning."""
    if not pattern:
        return ""
    cleaned = posixpath.normpath(pattern)
    return cleaned.lstrip("/") or "."


def _pattern(text: str, exception: bool, number: int, file: str) -> Pattern:
    wildcards = translate(text)
    if wildcards is None:
        raise BuildError(f"{file}, line {number}: {text[:120]!r} is no pattern: a `[` or a `\\` has no end.")
    suffix = text[2:]
    if text.startswith("**") and not any(sign in suffix for sign in "*?[]\\"):
        return Pattern(text, exception, number, _Suffix(suffix).matches)
    if wildcards.plain:
        return Pattern(text, exception, number, text.__eq__)
    if wildcards.longest < 0 and text.count("*") > _MOST_STARS:
        raise BuildError(f"{file}, line {number}: {text[:120]!r} has more than {_MOST_STARS} stars.")
    return Pattern(text, exception, number, wildcards.fullmatch, wildcards.longest)


@dataclass(frozen=True, slots=True)
class _Suffix:
    """`**/name`, and `**name`, which Docker compares with the end of the path, whatever stands before it."""

    text: str

    def matches(self, path: str) -> bool:
        return path.endswith(self.text) or (self.text.startswith("/") and path == self.text[1:])


class Ignored:
    """Answers for one context. Remembers what it found for each folder, as Docker does while it walks."""

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self._patterns = patterns
        self._has_exceptions = any(pattern.exception for pattern in patterns)
        self._always_slow = sum(pattern.longest < 0 for pattern in patterns)
        self._sometimes_slow = [pattern.longest for pattern in patterns if 0 <= pattern.longest < sys.maxsize]
        self._folders: dict[str, tuple[bool, int]] = {"": (False, 0)}
        self._left = MOST_COMPARISONS

    def hides(self, path: str) -> bool:
        """Return whether the file at this path stays out. Raises BuildError where it all takes too long."""
        return bool(self._patterns) and self._look_up(path)[0]

    def _look_up(self, path: str) -> tuple[bool, int]:
        """Return whether the path is hidden, and which patterns matched it or a folder above it, as bits."""
        parent = path.rpartition("/")[0]
        missing = []
        while parent not in self._folders:
            missing.append(parent)
            parent = parent.rpartition("/")[0]
        found = self._folders[parent]
        for folder in reversed(missing):
            found = self._folders[folder] = self._evaluate(folder, found)
        return self._evaluate(path, found)

    def _evaluate(self, path: str, above: tuple[bool, int]) -> tuple[bool, int]:
        hidden, inherited = above
        if hidden and not self._has_exceptions:
            return above
        slow = self._always_slow + sum(len(path) > longest for longest in self._sometimes_slow)
        self._left -= len(self._patterns) + 16 * slow * len(path)
        if self._left < 0:
            raise BuildError("The .dockerignore has too many patterns for a repository with so many files.")
        hidden, matched = False, 0
        for position, pattern in enumerate(self._patterns):
            bit = 1 << position
            if inherited & bit or (pattern.exception == hidden and pattern.matches(path)):
                matched |= bit
                hidden = not pattern.exception
        return hidden, matched
