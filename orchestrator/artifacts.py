"""Which of the files that a job left are kept. Pure: paths in, paths out.

What the profile names, as globs below the workspace, and by itself what other tools read: test results (JUnit XML),
coverage, SARIF.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

_SECONDS = 10
"""How long patterns are looked for among all files of a job."""

MOST = 100
"""Files of one attempt."""

_REPORTS = re.compile(
    r"(?:^|/)(?:"
    r"(?:junit|test-?results?|TEST-[^/]{1,200}|[^/]{0,100}[-_.]junit|junit[-_.][^/]{1,100})\.xml"
    r"|coverage\.xml|cobertura(?:-coverage)?\.xml|lcov\.info|coverage-final\.json|coverage-summary\.json"
    r"|[^/]{1,200}\.sarif(?:\.json)?"
    r")$"
)
_INSTALLED = re.compile(r"(?:^|/)(?:node_modules|\.venv|venv|vendor|site-packages|\.tox|\.nox|\.git|target/debug)/")


def choose_files(paths: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Return the paths to keep, `MOST` at most: what the patterns name, in their order, then reports.

    Paths with control characters are nobody's artifact.
    """
    clean = sorted(path for path in paths if path.isprintable() and len(path) <= 1000)
    chosen: dict[str, None] = {}
    end = time.thread_time() + _SECONDS
    for pattern in patterns:
        matcher = Glob(pattern)
        for number, path in enumerate(clean):
            if number % 1000 == 0 and time.thread_time() > end:
                break
            if matcher.fits(path):
                chosen[path] = None
    chosen |= dict.fromkeys(path for path in clean if _REPORTS.search(path) and not _INSTALLED.search(path))
    return list(chosen)[:MOST]


def is_report(path: str) -> bool:
    """Return whether a kept file is one that findings are read from: JUnit XML or SARIF."""
    return path.endswith((".xml", ".sarif", ".sarif.json"))


class Glob:
    """A pattern of paths: `*` and `?` inside a name, `**` for any folders; a folder means all below it.

    Its time is linear in a name, and in the folders of a path times those of the pattern: names are a job's own.
    """

    def __init__(self, pattern: str) -> None:
        parts = [part for part in pattern.split("/") if part]
        self._parts = [None if part == "**" else _name(part) for part in parts]

    def fits(self, path: str) -> bool:
        """Return whether the path, or a folder that it lies in, is meant."""
        states = {0}
        for name in path.split("/"):
            states = self._closed(states)
            if len(self._parts) in states:
                return True
            after = set()
            for at in states:
                part = self._parts[at]
                if part is None:
                    after.add(at)
                elif part.fullmatch(name):
                    after.add(at + 1)
            states = after
        return len(self._parts) in states or bool(
            self._parts and self._parts[-1] is None and len(self._parts) - 1 in states
        )

    def _closed(self, states: set[int]) -> set[int]:
        """Return the states with those that are reached where `**` stands for no folder."""
        closed = set(states)
        for at in sorted(states):
            step = at
            while step < len(self._parts) - 1 and self._parts[step] is None:
                step += 1
                closed.add(step)
        return closed


def _name(part: str) -> re.Pattern[str]:
    """Return the expression of one name. Each star takes as little as it can and never gives it back."""
    first, *rest = [re.escape(words).replace(r"\?", ".") for words in re.sub(r"\*+", "*", part).split("*")]
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{words})" for words in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)
