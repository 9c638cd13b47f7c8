"""Which of the files that a job left are kept. Pure: paths in, paths out.

What the profile names, as globs below the workspace, and by itself what other tools read: test results (JUnit XML),
coverage, SARIF.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    for pattern in patterns:
        matcher = glob(pattern)
        chosen |= dict.fromkeys(path for path in clean if matcher.fullmatch(path))
    chosen |= dict.fromkeys(path for path in clean if _REPORTS.search(path) and not _INSTALLED.search(path))
    return list(chosen)[:MOST]


def is_report(path: str) -> bool:
    """Return whether a kept file is one that findings are read from: JUnit XML or SARIF."""
    return path.endswith((".xml", ".sarif", ".sarif.json"))


def glob(pattern: str) -> re.Pattern[str]:
    """Return the expression of a glob: `*` and `?` inside a name, `**` over folders; a folder means all below it."""
    parts = []
    for part in pattern.strip("/").split("/"):
        if part == "**":
            parts.append(r"(?:[^/]+/)*+")
        else:
            words = re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
            parts.append(re.sub(r"(?:\[\^/\]\*){2,}", "[^/]*", words) + "/")
    text = "".join(parts).removesuffix("/")
    if pattern.strip("/").endswith("**"):
        return re.compile(text.removesuffix(r"(?:[^/]+/)*+") + r".+", re.DOTALL)
    return re.compile(text + r"(?:/.+)?", re.DOTALL)
