"""Findings of node's own test runner, jest and vitest: where a test failed, in the deepest frame of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.places import Places

MOST_LINES = 1000
"""Lines of one failing test that are looked at."""

MOST_SAID = 40
"""Lines of a message."""

PLACE = r"(?P<path>(?:file://)?[^\s:()][^:()]{0,400}):(?P<line>\d{1,7}):(?P<column>\d{1,7})"
FRAME = re.compile(rf"at (?:[^()]{{1,200}} \()?{PLACE}\)?")
VITEST_FRAME = re.compile(rf"❯ (?:[^\s:()]{{1,200}} )?{PLACE}$")
TAP_FRAME = re.compile(rf"(?:[^()]{{1,200}} \()?{PLACE}\)?$")
"""Stack frames, without the spaces before them."""

TAP_FAILED = re.compile(r"(?P<indent> {0,80})not ok \d{1,7} - (?P<name>.*)")
TAP_FIELD = re.compile(r"\s{1,80}(?P<name>location|failureType|error|stack): (?P<value>.*)")
NODE_TEST = re.compile(rf"test at {PLACE}$")
NODE_NAME = re.compile(r"✖ (?P<name>.*?)(?: \(\d[\d.]{0,20}ms\))?$")
JEST_TEST = re.compile(r"  ● (?P<name>.{1,1000})$")
VITEST_TEST = re.compile(r"\s?FAIL  (?P<name>.{1,1000})$")
END = re.compile(r"Test Suites: |Tests: |Ran all test suites|⎯{3,}| {0,4}(?:Test Files|PASS|FAIL) ")
SOURCE = re.compile(r"\s{0,8}>?\s{0,8}\d{0,7}\s?\|")
"""A line of the source excerpts that jest and vitest print."""


@dataclass(slots=True)
class Failure:
    """One failing test, the tool that told it, and its lines. `place` is where the test itself begins."""

    tool: str
    name: str
    place: tuple[str, str, str] | None = None
    lines: list[str] = field(default_factory=list)


def find_javascript_tests(lines: list[str], tier: Tier, places: Places) -> tuple[list[Finding], list[str]]:
    """Return the findings of node, jest and vitest, and the lines that are none's."""
    failures, rest = _failures(lines)
    findings = (_finding(failure, tier, places) for failure in failures)
    found = [finding for finding in findings if finding]
    tap, rest = _tap_failures(rest)
    return [*found, *_tap_findings(tap, tier, places)], rest


def _failures(lines: list[str]) -> tuple[list[Failure], list[str]]:
    failures: list[Failure] = []
    rest: list[str] = []
    inside = False
    for line in lines:
        opened = _opened(line)
        if opened:
            failures.append(opened)
            inside = True
        elif inside and END.match(line):
            inside = False
        elif not inside:
            rest.append(line)
        elif len(failures[-1].lines) < MOST_LINES:
            failures[-1].lines.append(line)
    return failures, rest


def _opened(line: str) -> Failure | None:
    match = NODE_TEST.match(line)
    if match:
        return Failure("node", "", (match["path"], match["line"], match["column"]))
    for tool, pattern in (("jest", JEST_TEST), ("vitest", VITEST_TEST)):
        match = pattern.match(line)
        if match and (tool == "jest" or " > " in line):
            return Failure(tool, match["name"].strip())
    return None


def _finding(failure: Failure, tier: Tier, places: Places) -> Finding | None:
    name, lines = failure.name, failure.lines
    if failure.tool == "node":
        match = NODE_NAME.match(lines[0]) if lines else None
        name, lines = (match["name"], lines[1:]) if match else (name, lines)
    place = next(_places(lines, places), failure.place)
    if not place:
        return None
    path, line, column = place
    return places.finding(tier, path, line, Level.FAILURE, name, _said(lines), failure.tool, column)


def _places(lines: list[str], places: Places) -> Iterator[tuple[str, str, str]]:
    for line in lines:
        match = _frame(line)
        if match and places.resolve(match["path"]):
            yield match["path"], match["line"], match["column"]


def _frame(line: str) -> re.Match[str] | None:
    text = line.strip()
    return FRAME.match(text) or VITEST_FRAME.match(text)


def _said(lines: list[str]) -> str:
    said: list[str] = []
    for line in lines:
        if _frame(line) or SOURCE.match(line) or line.lstrip().startswith("at "):
            break
        said.append(line.strip())
    return re.sub(r"\n{2,}", "\n", "\n".join(said[:MOST_SAID])).strip()


def _tap_failures(lines: list[str]) -> tuple[list[Failure], list[str]]:
    failures: list[Failure] = []
    rest: list[str] = []
    end = ""
    for line in lines:
        match = TAP_FAILED.match(line)
        if match:
            failures.append(Failure("node", match["name"]))
            end = match["indent"] + "  ..."
        elif end and line == end:
            end = ""
        elif end and len(failures[-1].lines) < MOST_LINES:
            failures[-1].lines.append(line)
        else:
            rest.append(line)
    return failures, rest


def _tap_findings(failures: list[Failure], tier: Tier, places: Places) -> Iterator[Finding]:
    for failure in failures:
        fields = _tap_fields(failure.lines)
        if fields.get("failureType", [""])[0].strip("'\"") == "subtestsFailed":
            continue  # the subtests tell it themselves
        frames = (TAP_FRAME.match(line.strip()) for line in fields.get("stack", []))
        place = next((frame for frame in frames if frame and places.resolve(frame["path"])), None)
        # The runner's own location is that of the test, not of what failed in it.
        place = place or TAP_FRAME.match(fields.get("location", [""])[0].strip("'\""))
        if place:
            said = "\n".join(line.strip().strip("'\"") for line in fields.get("error", []) if line != "|-")
            finding = places.finding(
                tier, place["path"], place["line"], Level.FAILURE, failure.name, said, "node", place["column"]
            )
            if finding:
                yield finding


def _tap_fields(lines: list[str]) -> dict[str, list[str]]:
    """Return the lines of the fields that count. A line that names any field ends the one before."""
    fields: dict[str, list[str]] = {}
    current: list[str] = []
    indent = -1
    for line in lines:
        depth = len(line) - len(line.lstrip())
        match = TAP_FIELD.match(line)
        if match and indent in (-1, depth):
            indent = depth
            current = fields.setdefault(match["name"], [])
            current.append(match["value"])
        elif line.strip() and depth <= indent:
            current = []
        else:
            current.append(line)
    return fields
