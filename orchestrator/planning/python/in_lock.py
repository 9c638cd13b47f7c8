"""Which distributions uv.lock says come along with others.

Read line by line: a TOML parser takes a second for a large lock.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

PACKAGE = re.compile(r'name = "([A-Za-z0-9._-]{1,100})"')
LISTED = re.compile(r"dependencies = \[(?:.*\])?")
NEEDED = re.compile(r'\{ name = "([A-Za-z0-9._-]{1,100})"')


def brought_along(lock: str, names: Iterable[str]) -> frozenset[str]:
    """Return what a lock installs for the sake of these distributions, directly or not. Markers count as true."""
    needs = _needs(lock)
    found: set[str] = set()
    waiting = deque(names)
    while waiting:
        for name in needs.get(waiting.popleft(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)


def _needs(lock: str) -> dict[str, list[str]]:
    """Return the direct dependencies of each package, without those of its extras and groups."""
    needs: dict[str, list[str]] = {}
    mine: list[str] = []
    inside = False
    for line in lock.splitlines():
        if line == "[[package]]" or line.startswith("["):
            mine, inside = [], False
        elif match := PACKAGE.fullmatch(line):
            mine = needs.setdefault(match.group(1), [])
        elif LISTED.fullmatch(line):
            mine += NEEDED.findall(line)
            inside = not line.endswith("]")
        elif line == "]":
            inside = False
        elif inside:
            mine += NEEDED.findall(line)
    return needs
