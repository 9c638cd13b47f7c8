"""Which findings are shown, and in which order: duplicates as one, the most useful first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from draftsman.domain.finding import Finding, Level
from orchestrator.findings.changes import ChangedLines
from orchestrator.findings.text import LONGEST_MESSAGE

USEFULNESS = {Level.FAILURE: 0, Level.WARNING: 1, Level.NOTICE: 2}

MOST_COMPARED = 50
"""Findings of one line of a file that another is compared with."""

COMPARED = 600
"""Characters of a message that are compared."""

SHORTEST = 8
"""Characters that a message must have to be recognised within another."""

NOT_WORD = re.compile(r"[\W_]+")


def merged(told: Iterable[Finding], reported: Iterable[Finding]) -> list[Finding]:
    """Return the findings of output and of reports, each once a tier, in order.

    What two tools' texts say counts as one only where it is the same; what a report says also where one message
    contains the other at the same line, since a tool words both alike but not the same. The name stays that of the
    output, and the longer message, the worse level and every number that one of them has are kept.
    """
    found: dict[tuple[str, ...], Finding] = {}
    for finding in told:
        found.setdefault(_key(finding), finding)
    at_place: defaultdict[tuple[str, str, int], list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    for key, finding in found.items():
        at_place[finding.tier, finding.path, finding.line].append((_words(finding), key))
    for finding in reported:
        key = _key(finding)
        if key in found:
            found[key] = _richer(found[key], finding)
            continue
        near = at_place[finding.tier, finding.path, finding.line]
        words = _words(finding)
        same = next((of for had, of in near[:MOST_COMPARED] if _alike(had, words, found[of], finding)), None)
        if same:
            found[same] = _richer(found[same], finding)
        else:
            found[key] = finding
            near.append((words, key))
    return list(found.values())


def _key(finding: Finding) -> tuple[str, ...]:
    return finding.tier, finding.path, str(finding.line), finding.title, finding.message


def _words(finding: Finding) -> str:
    return f" {NOT_WORD.sub(' ', finding.message[:COMPARED].lower()).strip()} "


def _alike(words: str, others: str, one: Finding, other: Finding) -> bool:
    if one.tool == other.tool and one.title != other.title and all(_has_code(each) for each in (one, other)):
        return False
    shorter, longer = sorted((words, others), key=len)
    return words == others or (len(shorter) >= SHORTEST and shorter in longer)


def _has_code(finding: Finding) -> bool:
    return finding.title.startswith(f"{finding.tool}: ")


def _richer(one: Finding, other: Finding) -> Finding:
    return replace(
        one,
        level=min(one.level, other.level, key=USEFULNESS.__getitem__),
        message=max(one.message, other.message, key=len)[:LONGEST_MESSAGE],
        column=one.column or other.column,
        end_line=one.end_line or other.end_line,
    )


def most_useful(findings: list[Finding], most: int, changed: ChangedLines | None) -> tuple[Finding, ...]:
    """Return `most` findings at most, the most useful first.

    What is on changed lines goes before what is in changed files, and that before the rest; within each, failures go
    before warnings and these before notices. Where nothing is known of a change, the order is that of the output
    unless there are too many.
    """
    if changed is None:
        if len(findings) <= most:
            return tuple(findings)
        changed = ChangedLines()
    known = changed
    ordered = sorted(findings, key=lambda finding: (_distance(finding, known), USEFULNESS[finding.level]))
    return tuple(ordered[:most])


def _distance(finding: Finding, changed: ChangedLines) -> int:
    if changed.has_line(finding.path, finding.line, finding.end_line):
        return 0
    return 1 if changed.has_file(finding.path) else 2
