"""Where a finding in a merge stands in the commit that GitHub shows: a check run's annotations are on the head."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from draftsman.domain.finding import Finding
from orchestrator.git import GitError, git_ended
from orchestrator.source import Mirror
from orchestrator.tree_objects import Commit, Entry

_MAX_FILE_BYTES = 4 * 2**20
_SECONDS = 20
_MEMORY_BYTES = 2**30
_HUNK = re.compile(rb"^@@ -(\d{1,9})(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@", re.MULTILINE)

Hunk = tuple[int, int, int]
"""A difference: its first line in the merge, its lines there (with none, it is behind that line), and in the head."""


async def on_head(findings: Iterable[Finding], mirror: Mirror, *, merge: str, head: str) -> tuple[Finding, ...]:
    """Return the findings at their lines of the head.

    Those of files and lines that only the merge has are left out: the log has them. Raises GitError and PlanError.
    """
    there, here = await Commit(mirror.folder, merge).entries(), await Commit(mirror.folder, head).entries()
    hunks: dict[str, tuple[Hunk, ...] | None] = {}
    kept = []
    for finding in findings:
        if finding.path not in hunks:
            hunks[finding.path] = await _differences(mirror, there.get(finding.path), here.get(finding.path))
        differences = hunks[finding.path]
        placed = None if differences is None else moved(finding, differences)
        if placed is not None:
            kept.append(placed)
    return tuple(kept)


def moved(finding: Finding, hunks: Iterable[Hunk]) -> Finding | None:
    """Return the finding at its line of the head, None where the merge alone has that line. Pure."""
    hunks = tuple(hunks)
    line = _line(finding.line, hunks)
    if line is None:
        return None
    end = None if finding.end_line is None else _line(finding.end_line, hunks)
    return replace(finding, line=line, end_line=end if end is None or end >= line else None)


def hunks_of(diff: bytes) -> tuple[Hunk, ...]:
    """Return the differences out of what `git diff --unified=0` says of one file, merge first. Pure."""
    return tuple(
        (int(start), int(old) if old else 1, int(new) if new else 1) for start, old, new in _HUNK.findall(diff)
    )


def _line(line: int, hunks: Iterable[Hunk]) -> int | None:
    shift = 0
    for start, old, new in hunks:
        if line >= (start + old if old else start + 1):
            shift += new - old
        elif old and line >= start:
            return None
        else:
            break
    return line + shift


async def _differences(mirror: Mirror, there: Entry | None, here: Entry | None) -> tuple[Hunk, ...] | None:
    """Return how a file differs, None where nothing of it can be said."""
    if there is None or here is None:
        return None
    if there.id == here.id:
        return ()
    if max(there.size, here.size) > _MAX_FILE_BYTES:
        return None
    options = ("--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--text")
    try:
        _, diff = await git_ended(
            "diff", *options, there.id, here.id, cwd=mirror.folder, timeout=_SECONDS, memory_bytes=_MEMORY_BYTES
        )
    except GitError:
        return None
    return hunks_of(diff)
