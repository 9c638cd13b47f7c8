"""What the tools of a repository said about its lines, out of what they printed.

The output is hostile: a line counts only if it names a file of the repository, and everything is capped.
Pure, but seconds of work for the largest output: call it off the event loop. It is no more than that whatever
the output says: bytes and lines are limited for all steps together, and each line meets each of about thirty
expressions once, whose time is linear in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.diagnostics import find_diagnostics
from orchestrator.findings.javascript_tests import find_javascript_tests
from orchestrator.findings.places import Places
from orchestrator.findings.python_tests import find_python_tests
from orchestrator.findings.text import MOST_LINES, split_lines

LARGEST_OUTPUT = 8 * 1024 * 1024
"""Bytes that are looked at, of all steps together. The ends of the outputs count, the last step first."""

MOST_FINDINGS = 200
"""Of all steps together. Where there are more, failures go before warnings."""

MOST_OF_A_STEP = 2000

__all__ = ["find"]


def find(
    steps_output: Iterable[tuple[Tier, bytes]], paths: frozenset[str], workspace: str = "/workspace"
) -> tuple[Finding, ...]:
    """Return the findings in the steps' outputs, in order, each once a tier, `MOST_FINDINGS` at most.

    `paths` are the files of the repository, and `workspace` is where it was checked out.
    """
    places = Places(paths, workspace)
    found: dict[tuple[str, ...], Finding] = {}
    for tier, lines in _last_lines(list(steps_output)):
        for finding in islice(_find_in(lines, tier, places), MOST_OF_A_STEP):
            key = (tier, finding.path, str(finding.line), finding.title, finding.message)
            found.setdefault(key, finding)
    return _first(list(found.values()), MOST_FINDINGS)


def _find_in(lines: list[str], tier: Tier, places: Places) -> Iterator[Finding]:
    # Tests print anything, other tools' formats too: their lines are not looked at twice.
    tests, rest = find_python_tests(lines, tier, places)
    script_tests, rest = find_javascript_tests(rest, tier, places)
    return chain(tests, script_tests, find_diagnostics(rest, tier, places))


def _last_lines(outputs: list[tuple[Tier, bytes]]) -> list[tuple[Tier, list[str]]]:
    room, most = LARGEST_OUTPUT, MOST_LINES
    kept = []
    for tier, output in reversed(outputs):
        tail = output[-room:] if room else b""
        room -= len(tail)
        if len(tail) < len(output):
            tail = tail.partition(b"\n")[2]
        lines = split_lines(tail, most)
        most -= len(lines)
        kept.append((tier, lines))
    return kept[::-1]


def _first(findings: list[Finding], most: int) -> tuple[Finding, ...]:
    if len(findings) <= most:
        return tuple(findings)
    failures_first = sorted(findings, key=lambda finding: finding.level is not Level.FAILURE)
    return tuple(failures_first[:most])
