"""Files that a step's tools wrote about what they found: JUnit XML and SARIF."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from draftsman.domain.finding import Finding
from draftsman.domain.plan import Tier
from orchestrator.findings.junit import read_junit
from orchestrator.findings.places import Places
from orchestrator.findings.sarif import read_sarif

LARGEST_REPORTS = 40 * 1024 * 1024
"""Bytes of all reports together. One that would go beyond is left out, and so are those after it."""

MOST_REPORTS = 500

MOST_FINDINGS = 5000
"""Of all reports together."""

ALL_SECONDS = 8.0
"""Seconds of computing for all reports together. After that no further one is begun."""

SNIFFED = 4096
"""Bytes in which a report's kind is looked for."""


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file that a step wrote. `name` ends with `.xml`, `.sarif` or `.sarif.json`."""

    tier: Tier
    name: str
    content: bytes


def find_in_reports(reports: Iterable[ReportFile], places: Places) -> Iterator[Finding]:
    """Yield the findings of the reports, in order. What is neither JUnit XML nor SARIF has none."""
    room, most = LARGEST_REPORTS, MOST_FINDINGS
    end = time.thread_time() + ALL_SECONDS
    for number, report in enumerate(reports):
        room -= len(report.content)
        if number >= MOST_REPORTS or room < 0 or most <= 0 or time.thread_time() > end:
            return
        findings = _of_report(report, places)[:most]
        most -= len(findings)
        yield from findings


def _of_report(report: ReportFile, places: Places) -> tuple[Finding, ...]:
    kind = kind_of(report.name, report.content)
    if kind == "junit":
        return read_junit(report.content, report.tier, places).findings
    return read_sarif(report.content, report.tier, places) if kind == "sarif" else ()


def kind_of(name: str, content: bytes) -> str:
    """Return `junit` or `sarif`, empty where name and content do not agree on either."""
    lower = name.lower()
    head = content[:SNIFFED]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.replace(b"\0", b"")
    if lower.endswith(".xml"):
        return "junit" if b"<testsuite" in head or b"<testcase" in head else ""
    if lower.endswith((".sarif", ".sarif.json")):
        return "sarif" if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else ""
    return ""
