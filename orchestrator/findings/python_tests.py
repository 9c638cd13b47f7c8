"""Findings of pytest and unittest: where a test failed, in the deepest frame inside the repository."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.places import Places

MOST_LINES = 5000
"""Lines of one failing test that are looked at."""

MOST_SAID = 40
"""Lines of a message."""

SECTION = re.compile(r"=+ (?P<name>[^=].*?) =+$")
SUMMARY = re.compile(r"(?P<kind>FAILED|ERROR) (?P<id>.{1,1000}?)(?: - (?P<message>.*))?$")
LOCATION = re.compile(r"(?P<path>[^:\s][^:]{0,400}):(?P<line>\d{1,7}):(?: (?P<rest>.*))?$")
FRAME = re.compile(r'\s{0,40}File "(?P<path>[^"]{1,400})", line (?P<line>\d{1,7})(?:, in |$)')
SAID = re.compile(r"E(?:   |$)")
UNITTEST_HEAD = re.compile(r"(?:FAIL|ERROR): (?P<name>.{1,1000})$")
DOUBLE_RULE = "=" * 70
RULE = "-" * 70


@dataclass(slots=True)
class Failure:
    """One failing test: its name, its lines, and, in pytest's one-line style, no more than one."""

    name: str
    lines: list[str] = field(default_factory=list)


def find_python_tests(lines: list[str], tier: Tier, places: Places) -> tuple[list[Finding], list[str]]:
    """Return the findings of pytest and unittest, and the lines that are neither's."""
    failures, ids, rest = _pytest_parts(lines)
    findings = list(_pytest_findings(failures, ids, tier, places))
    failures, rest = _unittest_parts(rest)
    findings.extend(_unittest_findings(failures, tier, places))
    return findings, rest


def _pytest_parts(lines: list[str]) -> tuple[list[Failure], list[re.Match[str]], list[str]]:
    """Return pytest's failing tests, the lines of its summary, and the lines that are not pytest's."""
    failures: list[Failure] = []
    ids: list[re.Match[str]] = []
    rest: list[str] = []
    section = ""
    current = Failure("")
    for line in lines:
        title = SECTION.match(line) if line.startswith("=") else None
        if title:
            section = title["name"]
            current = Failure("")
            rest.append(line)  # RuboCop's headings look the same
        elif section in ("FAILURES", "ERRORS"):
            name = _header(line)
            if name:
                current = Failure(name)
                failures.append(current)
            elif len(current.lines) < MOST_LINES:
                current.lines.append(line)
            if not current.name and _is_one_line(line):
                failures.append(current)
                current = Failure("")
        elif section == "short test summary info":
            match = SUMMARY.match(line)
            if match:
                ids.append(match)
        elif section not in ("test session starts", "warnings summary"):
            rest.append(line)
    return failures, ids, rest


def _header(line: str) -> str:
    """Return the name in `____ name ____`, empty where the line is no header."""
    if not (line.startswith("_") and line.endswith("_")):
        return ""
    name = line.strip("_")
    return name.strip() if name.startswith(" ") and name.endswith(" ") and name.strip("_ ") else ""


def _is_one_line(line: str) -> bool:
    """Whether the line is the place of a failure in the style of `--tb=line`, which has no headers."""
    match = LOCATION.match(line)
    return bool(match and match["rest"])


def _pytest_findings(
    failures: list[Failure], ids: list[re.Match[str]], tier: Tier, places: Places
) -> Iterator[Finding]:
    named: defaultdict[str, deque[re.Match[str]]] = defaultdict(deque)
    unnamed = sum(not failure.name for failure in failures)
    in_order = unnamed == sum(match["kind"] == "FAILED" for match in ids)
    for match in ids:
        named["" if in_order and match["kind"] == "FAILED" else _header_of(match["id"])].append(match)
    shown = set()
    for failure in failures:
        name = re.sub(r"^ERROR (?:at (?:setup|teardown) of |collecting )", "", failure.name)
        told = named[name].popleft() if named[name] else None
        finding = _pytest_finding(failure, name, told, tier, places)
        if finding:
            shown.add(told)
            yield finding
    for match in ids:
        if match not in shown:
            # `--tb=no`, or no frame of ours: the file is known, the line is not.
            path, message = match["id"].partition("::")[0], match["message"] or ""
            finding = places.finding(tier, path, 1, Level.FAILURE, match["id"], message, "pytest")
            if finding:
                yield finding


def _pytest_finding(
    failure: Failure, name: str, told: re.Match[str] | None, tier: Tier, places: Places
) -> Finding | None:
    lines = _before_captured(failure.lines)
    place = _deepest(lines, places)
    if not place:
        return None
    said = _said(lines) or (told["message"] or "" if told else "")
    title = told["id"] if told else name or "pytest"
    return places.finding(tier, place[0], place[1], Level.FAILURE, title, said, "pytest")


def _header_of(test_id: str) -> str:
    """Return how a test is named above its traceback; a file that cannot be collected, by its path."""
    path, separator, name = test_id.partition("::")
    return name.replace("::", ".") if separator else path


def _before_captured(lines: list[str]) -> list[str]:
    captured = (n for n, line in enumerate(lines) if line.startswith("-") and " Captured " in line)
    return lines[: next(captured, len(lines))]


def _deepest(lines: list[str], places: Places) -> tuple[str, str] | None:
    for line in reversed(lines):
        match = LOCATION.match(line) or FRAME.match(line)
        if match and places.resolve(match["path"]):
            return match["path"], match["line"]
    return None


def _said(lines: list[str]) -> str:
    """Return the lines marked `E`; of a native traceback the unindented ones at its end."""
    marked = [line[4:] for line in lines if SAID.match(line)]
    if not marked and len(lines) == 1:  # `--tb=line` of older releases
        match = LOCATION.match(lines[0])
        return match["rest"] if match else ""
    return _dedented(marked) or _last_unindented(lines)


def _dedented(marked: list[str]) -> str:
    indents = [len(line) - len(line.lstrip()) for line in marked if line.strip()]
    return "\n".join(line[min(indents) :].rstrip() for line in marked[:MOST_SAID]) if indents else ""


def _last_unindented(lines: list[str]) -> str:
    """Return what a native traceback ends with: everything after the source line of its last frame."""
    frames = [number for number, line in enumerate(lines) if FRAME.match(line)]
    after = lines[frames[-1] + 1 :] if frames else []
    start = next((n for n, line in enumerate(after) if line and not line[0].isspace()), len(after))
    return "\n".join(after[start : start + MOST_SAID]).strip()


def _unittest_parts(lines: list[str]) -> tuple[list[Failure], list[str]]:
    failures: list[Failure] = []
    rest: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        if line == DOUBLE_RULE:
            head = UNITTEST_HEAD.match(lines[number + 1]) if number + 1 < len(lines) else None
            inside = head is not None
            if head:
                failures.append(Failure(head["name"]))
        elif inside and line == RULE and failures[-1].lines and failures[-1].lines[-1] == "":
            inside = False
        elif not inside:
            rest.append(line)
        elif len(failures[-1].lines) < MOST_LINES:
            failures[-1].lines.append(line)
    return failures, rest


def _unittest_findings(failures: list[Failure], tier: Tier, places: Places) -> Iterator[Finding]:
    for failure in failures:
        place = _deepest(failure.lines, places)
        if place:
            said = _last_unindented(failure.lines)
            finding = places.finding(tier, place[0], place[1], Level.FAILURE, failure.name, said, "unittest")
            if finding:
                yield finding
