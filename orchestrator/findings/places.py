"""Which file of the repository a tool means by a path."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from functools import cached_property
from urllib.parse import unquote

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.text import LONGEST_MESSAGE, LONGEST_TITLE, shorten

LONGEST_PATH = 4096
"""Characters, as Linux has it."""

LAST_LINE = 1_000_000
"""No file is longer; a number beyond it is not a line."""


class Places:
    """The files of a repository, and where it was checked out."""

    def __init__(self, paths: frozenset[str], workspace: str) -> None:
        self._paths = paths
        self._workspace = workspace.rstrip("/") + "/"

    def resolve(self, told: str) -> str | None:
        """Return the path relative to the repository, None where it names no file of it.

        A relative path that a tool printed in a sub-folder counts if one file alone ends with it.
        """
        path = told.strip()
        if not path or len(path) > LONGEST_PATH:
            return None
        if path.startswith("file://"):
            path = unquote(path.removeprefix("file://"))
        if path.startswith(self._workspace):
            path = path[len(self._workspace) :]
        elif path.startswith("/"):
            return None
        path = posixpath.normpath(path)
        if path in self._paths:
            return path
        endings = [full for full in self._by_name.get(posixpath.basename(path), ()) if full.endswith("/" + path)]
        return endings[0] if len(endings) == 1 else None

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        by_name = defaultdict(list)
        for path in self._paths:
            by_name[posixpath.basename(path)].append(path)
        # A name that half of the repository has (__init__.py) decides nothing and costs much.
        return {name: paths for name, paths in by_name.items() if len(paths) <= 100}

    def finding(
        self,
        tier: Tier,
        path: str,
        line: str | int,
        level: Level,
        title: str,
        message: str,
        tool: str,
        column: str | int | None = None,
        end_line: str | int | None = None,
    ) -> Finding | None:
        """Return a finding at the place that a tool told, None where that is no place of the repository."""
        resolved = self.resolve(path)
        number, end = _number(line), _number(end_line)
        if resolved is None or number is None:
            return None
        title, message = title.strip(), message.strip()
        return Finding(
            tier=tier,
            path=resolved,
            line=number,
            level=level,
            title=shorten(title or tool, LONGEST_TITLE),
            message=shorten(message or title or tool, LONGEST_MESSAGE),
            tool=tool,
            end_line=end if end is not None and end > number else None,
            column=_number(column),
        )


def _number(told: str | int | None) -> int | None:
    """Return a line or a column, None where what a tool told is none."""
    if isinstance(told, str):
        told = int(told) if len(told) <= 7 and told.isascii() and told.isdecimal() else None
    return told if told is not None and 1 <= told <= LAST_LINE else None
