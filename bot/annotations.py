"""Findings as annotations of a check run, in GitHub's shape and within its limits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from bot.markdown import cut, one_line, plain
from draftsman.domain.finding import Finding
from draftsman.domain.plan import Tier

Annotation = dict[str, Any]

PER_REQUEST = 50
"""GitHub takes no more annotations in one request; more are appended by further ones."""

MOST = 200
"""Annotations of one check run: a reviewer reads no more, and each 50 cost a request."""

LONGEST_TITLE = 255
LONGEST_MESSAGE = 16 * 1024
"""Bytes. GitHub's cap on a message is 64 KB; 50 of these still make a modest request."""

LARGEST_LINE = 2**31 - 1


def of_tiers(findings: Iterable[Finding], tiers: Collection[Tier]) -> tuple[Finding, ...]:
    """Return the tiers' findings that can be shown at a line, in the order in which they were kept, each once."""
    ours = dict.fromkeys(found for found in findings if found.tier in tiers and _has_place(found))
    return tuple(ours)


def _has_place(found: Finding) -> bool:
    # GitHub refuses the whole request where one path is not that of a file inside the repository.
    parts = set(found.path.removeprefix("./").split("/"))
    printable = found.path.isprintable() and "\\" not in found.path
    return printable and not parts & {"", ".", ".."} and 0 < found.line <= LARGEST_LINE


def annotation(found: Finding) -> Annotation:
    """Return the finding as GitHub wants it."""
    end_line = found.end_line if found.end_line and found.line <= found.end_line <= LARGEST_LINE else found.line
    title = one_line(found.title) or found.tool
    shown: Annotation = {
        "path": found.path.removeprefix("./"),
        "start_line": found.line,
        "end_line": end_line,
        "annotation_level": str(found.level),
        "message": cut(plain(found.message).strip() or title, LONGEST_MESSAGE),
        "title": cut(title, LONGEST_TITLE),
    }
    # Columns are refused where the annotation spans lines.
    if found.column and 0 < found.column <= LARGEST_LINE and end_line == found.line:
        shown |= {"start_column": found.column, "end_column": found.column}
    return shown
