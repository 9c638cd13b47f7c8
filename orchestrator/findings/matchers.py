"""Problem matchers: the formats of linters and compilers, as data in GitHub's own format, each with a time limit.

`formats/*.json` hold what https://github.com/actions/toolkit/blob/main/docs/problem-matchers.md describes: `owner`,
`severity`, and one expression for each line of a `pattern`, with the numbers of its groups. Beyond that format:

- `endLine` of a pattern: the group of the last line (VS Code has it, GitHub's runner does not);
- `needs` of a pattern: one of these stands in every line that it can match. It spares most expressions most lines;
- `tool`: the name that is shown, where one tool has several owners;
- `follows`: an expression for the lines below that continue the message;
- `text`: the message, where the tool prints none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import regex

FAMILIES = ("python", "javascript", "ruby", "go", "rust", "shell", "c")
"""The files, in the order in which their matchers are tried: the first that finds a place has the line."""

GROUPS = ("file", "line", "endLine", "column", "severity", "code", "message")

EACH_SECONDS = 0.1
"""What one expression may take for one line. An honest one takes microseconds."""

ALL_SECONDS = 8.0
"""Seconds of computing for all the lines of a run. After that no more lines are looked at."""

MOST_ROWS = 5000
"""Lines that one heading has below it at most."""

MOST_BETWEEN = 5
"""Lines that wrapped between two rows below a heading, at most."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of a format. `groups` tells which group of the expression is what."""

    expression: regex.Pattern[str]
    needs: tuple[str, ...]
    groups: Mapping[str, int]
    loop: bool


@dataclass(frozen=True, slots=True)
class Matcher:
    """A format. `severity` counts where no group tells one."""

    owner: str
    tool: str
    severity: str
    patterns: tuple[Pattern, ...]
    follows: regex.Pattern[str] | None
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """What a format said: its values by the names of `GROUPS`, and the number of its last line."""

    told: Mapping[str, str]
    last: int


class Limits:
    """The time that expressions may take in one run. One that ran out of it is not tried again in this run."""

    def __init__(self, each: float = EACH_SECONDS, together: float = ALL_SECONDS) -> None:
        self._each = each
        self._end = time.thread_time() + together
        self._out: set[regex.Pattern[str]] = set()

    @property
    def used_up(self) -> bool:
        """Whether no time is left for any more lines. Our thread's time counts, not that of a busy machine."""
        return time.thread_time() > self._end

    def match(self, expression: regex.Pattern[str], line: str) -> regex.Match[str] | None:
        """Return the match from the line's beginning, None where there is none or its time ran out."""
        if expression in self._out:
            return None
        try:
            return expression.match(line, timeout=self._each)
        except TimeoutError:
            self._out.add(expression)
            return None


@cache
def load_matchers() -> tuple[Matcher, ...]:
    """Return the matchers that are shipped, in the order in which they are tried. Read once a process."""
    folder = files("orchestrator.findings") / "formats"
    return tuple(
        matcher
        for family in FAMILIES
        for matcher in read_matchers(json.loads((folder / f"{family}.json").read_text("utf-8")))
    )


def read_matchers(described: Mapping[str, Any]) -> tuple[Matcher, ...]:
    """Return the matchers of a file of GitHub's format. Raises KeyError, ValueError, regex.error where it is wrong."""
    return tuple(_matcher(matcher) for matcher in described["problemMatcher"])


def _matcher(described: Mapping[str, Any]) -> Matcher:
    patterns = tuple(_pattern(pattern) for pattern in described["pattern"])
    if not patterns or any(pattern.loop for pattern in patterns[:-1]) or (patterns[0].loop):
        raise ValueError(f"{described['owner']}: only the last of several patterns may loop")
    follows = described.get("follows")
    return Matcher(
        owner=described["owner"],
        tool=described.get("tool", described["owner"]),
        severity=described.get("severity", "error"),
        patterns=patterns,
        follows=regex.compile(follows) if follows else None,
        text=described.get("text", ""),
    )


def _pattern(described: Mapping[str, Any]) -> Pattern:
    expression = regex.compile(described["regexp"])
    groups = {name: described[name] for name in GROUPS if name in described}
    if any(not 0 < number <= expression.groups for number in groups.values()):
        raise ValueError(f"a group is missing in {described['regexp']}")
    return Pattern(expression, tuple(described.get("needs", ())), groups, described.get("loop", False))


def may_match(matcher: Matcher, lines: list[str], number: int) -> bool:
    """Whether the lines from this one on have what the format needs: told without any expression, for most are none."""
    for pattern in matcher.patterns:
        if number >= len(lines):
            return False
        line = lines[number]
        for needed in pattern.needs:
            if needed in line:
                break
        else:
            if pattern.needs:
                return False
        number += 1
    return True


def match_at(matcher: Matcher, lines: list[str], number: int, limits: Limits) -> Iterator[Match]:
    """Yield what the format says from this line on: one match, several where its last pattern loops, or none."""
    told: dict[str, str] = {}
    *first, last = matcher.patterns
    for at, pattern in enumerate(first):
        found = limits.match(pattern.expression, lines[number + at])
        if not found:
            return
        told |= _values(pattern, found)
    yield from _rows(last, told, lines, number + len(first), limits)


def _rows(pattern: Pattern, told: Mapping[str, str], lines: list[str], start: int, limits: Limits) -> Iterator[Match]:
    missed = 0
    for number in range(start, min(start + (MOST_ROWS if pattern.loop else 1), len(lines))):
        found = limits.match(pattern.expression, lines[number])
        if found:
            missed = 0
            yield Match({**told, **_values(pattern, found)}, number)
        elif missed < MOST_BETWEEN and number > start and lines[number][:1].isspace():
            missed += 1
        else:
            return


def _values(pattern: Pattern, found: regex.Match[str]) -> dict[str, str]:
    return {name: found[group] for name, group in pattern.groups.items() if found[group] is not None}
