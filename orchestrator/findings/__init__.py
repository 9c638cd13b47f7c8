"""What the tools of a repository said about its lines, out of what they printed and of the reports that they wrote.

Both are hostile: a finding counts only if it names a file of the repository, and everything is capped. Pure, but
seconds of work for the largest output: call it off the event loop. It is no more than that whatever the output says:
bytes, lines and reports are limited for all steps together, and expressions have a time limit (`matchers.Limits`) or
take time that is linear in a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from draftsman.domain.finding import Finding
from draftsman.domain.plan import Tier
from orchestrator.findings.changes import ChangedLines, changed_lines
from orchestrator.findings.commands import take_commands
from orchestrator.findings.diagnostics import find_diagnostics
from orchestrator.findings.go_tests import find_go_tests
from orchestrator.findings.javascript_tests import find_javascript_tests
from orchestrator.findings.matchers import Limits
from orchestrator.findings.order import merged, most_useful
from orchestrator.findings.places import Places
from orchestrator.findings.python_tests import find_python_tests
from orchestrator.findings.reports import ReportFile, find_in_reports
from orchestrator.findings.ruby_tests import find_ruby_tests
from orchestrator.findings.text import MOST_LINES, split_lines

LARGEST_OUTPUT = 8 * 1024 * 1024
"""Bytes that are looked at, of all steps together. The ends of the outputs count, the last step first."""

MOST_FINDINGS = 200
"""Of all steps together, the most useful ones."""

MOST_OF_A_STEP = 2000

__all__ = ["ChangedLines", "ReportFile", "changed_lines", "find"]

TEST_RUNNERS = (find_python_tests, find_javascript_tests, find_ruby_tests, find_go_tests)


def find(
    outputs: Iterable[tuple[Tier, bytes]],
    paths: frozenset[str],
    *,
    reports: Iterable[ReportFile] = (),
    changed: ChangedLines | None = None,
    workspace: str = "/workspace",
) -> tuple[Finding, ...]:
    """Return the findings in the steps' outputs and reports, each once a tier, `MOST_FINDINGS` at most.

    `paths` are the files of the repository, `workspace` is where it was checked out, and `changed` are the lines that
    the change touched: what is said of them comes first (`order.most_useful`). Without it the order is that of the
    output. Nothing that output or reports contain raises an error.
    """
    places = Places(paths, workspace)
    limits = Limits()
    told = (
        finding
        for tier, lines in _last_lines(list(outputs))
        for finding in islice(_find_in(lines, tier, places, limits), MOST_OF_A_STEP)
    )
    return most_useful(merged(told, find_in_reports(reports, places)), MOST_FINDINGS, changed)


def _find_in(lines: list[str], tier: Tier, places: Places, limits: Limits) -> Iterator[Finding]:
    # Tests print anything, other tools' formats too: their lines are not looked at twice. Commands are GitHub's
    # wherever they stand.
    found, rest = take_commands(lines, tier, places)
    for take in TEST_RUNNERS:
        findings, rest = take(rest, tier, places)
        found += findings
    return chain(found, find_diagnostics(rest, tier, places, limits))


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
