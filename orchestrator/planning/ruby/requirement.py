"""RubyGems' ranges of versions: `~> 3.2`, `>= 2.7`, lists of them.

A comparer of our own: `~>` has no counterpart in PEP 440 (`~=` refuses one segment) nor in npm's grammar (`~>` is its
`~`), and only dotted numbers are compared. Source: https://guides.rubygems.org/patterns/#pessimistic-version-constraint.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orchestrator.planning.versions import RUBY, RUBY_DEFAULT

PART = re.compile(r"\s*(=|!=|>=|<=|~>|>|<)?\s*([0-9]{1,4}(?:\.[0-9A-Za-z]{1,10}){0,4})\s*")
NEWEST_PATCH = 999

Numbers = tuple[int, ...]

_COMPARE: dict[str, Callable[[Numbers, Numbers], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """Conditions that all hold for a version, each an operator and the numbers of a version."""

    parts: tuple[tuple[str, Numbers], ...]

    def allows(self, version: str) -> bool:
        """Return whether a version fits; `3.3` stands for its newest patch release."""
        numbers = _numbers(version)
        full = (*numbers, NEWEST_PATCH)[:3] if len(numbers) == 2 else numbers
        return all(_holds(sign, full, wanted) for sign, wanted in self.parts)

    def newest(self, tested: frozenset[str]) -> str | None:
        """Return the image's tag that the range takes, or None where no known release fits.

        Of those that fit, `tested` lines come first, then the default, then supported ones, newest first. Where no
        line fits with its newest patch release, an exact version of the range, or one beyond the table, does.
        """
        fitting = [release for release in RUBY if self.allows(release.version)]
        fitting.sort(key=lambda one: (one.version not in tested, one.version != RUBY_DEFAULT, not one.supported))
        if fitting:
            return fitting[0].version
        for sign, numbers in self.parts:
            exact = ".".join(map(str, numbers[:3]))
            beyond = sign in (">=", "~>") and numbers > _numbers(RUBY[0].version)
            version = ".".join(map(str, numbers[:2])) if beyond and len(numbers) > 1 else exact
            if (sign in ("=", "<=", "~>") or beyond) and self.allows(version):
                return version
        return None


def read_requirement(texts: Iterable[str]) -> Requirement | None:
    """Return the requirement that the texts make together (each may be a list with commas), None for malformed ones."""
    parts = []
    for one in (one for text in texts for one in text.split(",")):
        match = PART.fullmatch(one)
        if match is None:
            return None
        parts.append((match.group(1) or "=", _numbers(match.group(2))))
    return Requirement(tuple(parts)) if parts else None


def _numbers(version: str) -> Numbers:
    """Return the numbers of a version up to the first letter, as pre-releases are compared here."""
    found = []
    for part in version.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def _holds(sign: str, version: Numbers, wanted: Numbers) -> bool:
    if sign in ("=", "!="):
        # `ruby "3.2"` names a line of releases: no Ruby is just 3.2.
        equal = version[: len(wanted)] == wanted
        return equal if sign == "=" else not equal
    if sign == "~>":
        kept = wanted[: max(len(wanted) - 1, 1)]
        return version >= wanted and version[: len(kept)] == kept
    return _COMPARE[sign](version, (*wanted, 0, 0)[:3])
