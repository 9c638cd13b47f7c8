"""Findings of `go test`: where a test logged its failure, or the deepest frame of ours where it panicked.

Go prints the name of a file without its folder, and the package only below the tests of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.places import Places

MOST_SAID = 40
"""Lines of a message, and of what one test logged."""

MOST_TESTS = 5000
"""Failing tests of one step."""

DEEPEST_PACKAGE = 12

RUN = re.compile(r"=== (?:RUN|CONT|NAME) {1,4}(?P<name>\S{1,400})$")
FAILED = re.compile(r" {0,80}--- FAIL: (?P<name>\S{1,400}) \(")
SUMMED = re.compile(r"=== FAIL: (?P<package>\S{1,400}) (?P<name>\S{1,400}) \(")
"""The summary of gotestsum."""

PASSED = re.compile(r" {0,80}--- (?:PASS|SKIP): ")
LOG = re.compile(r" {4,80}(?P<path>[^:\s][^:]{0,400}\.go):(?P<line>\d{1,7}): (?P<said>.*)$")
FRAME = re.compile(r"\t(?P<path>[^:]{1,400}\.go):(?P<line>\d{1,7})(?: \+0x|$)")
PACKAGE = re.compile(r"(?:FAIL|ok  )\t(?P<package>\S{1,400})(?:\t|$)")


@dataclass(slots=True)
class Test:
    """A test: whether it failed, the package if it is known, what it logged where, and how it panicked."""

    name: str
    failed: bool = False
    package: str = ""
    logs: list[tuple[str, str, list[str]]] = field(default_factory=list)
    panic: str = ""
    frames: list[tuple[str, str]] = field(default_factory=list)


def find_go_tests(lines: list[str], tier: Tier, places: Places) -> tuple[list[Finding], list[str]]:
    """Return the findings of `go test`, and the lines that are not its own."""
    findings: list[Finding] = []
    rest: list[str] = []
    tests: dict[str, Test] = {}
    current: Test | None = None
    for line in lines:
        named, package = _named(line), PACKAGE.match(line) if line.startswith(("FAIL\t", "ok  \t")) else None
        if named is not None:
            current = _of(tests, *named)
        elif package:
            findings.extend(_findings(tests, package["package"], tier, places))
            tests, current = {}, None
        elif current is None or not _take(current, line):
            rest.append(line)
    findings.extend(_findings(tests, "", tier, places))
    return findings, rest


def _named(line: str) -> tuple[str, bool, str] | None:
    """Return the name of the test that the line speaks of, whether it failed, and its package if that is told."""
    if line.startswith("=== "):
        summed = SUMMED.match(line)
        run = RUN.match(line)
        if summed:
            return summed["name"], True, summed["package"]
        return (run["name"], False, "") if run else None
    failed = FAILED.match(line) if "--- FAIL: " in line else None
    return (failed["name"], True, "") if failed else None


def _of(tests: dict[str, Test], name: str, failed: bool, package: str) -> Test:
    key = f"{package} {name}" if package else name
    if len(tests) >= MOST_TESTS and key not in tests:
        return Test(name)
    test = tests.setdefault(key, Test(name, package=package))
    test.failed = test.failed or failed
    return test


def _take(test: Test, line: str) -> bool:
    """Keep a line with the test that it belongs to. Returns whether it is one of `go test`."""
    log = LOG.match(line) if line.startswith("    ") else None
    if log:
        if len(test.logs) < MOST_SAID:
            test.logs.append((log["path"], log["line"], [log["said"]]))
        return True
    if line.startswith("panic: ") and not test.panic:
        test.panic = line
        return True
    if test.panic:
        frame = FRAME.match(line) if line.startswith("\t") else None
        if frame and len(test.frames) < MOST_SAID:
            test.frames.append((frame["path"], frame["line"]))
        return frame is not None
    if test.logs and line.startswith("        "):
        if len(test.logs[-1][2]) < MOST_SAID:
            test.logs[-1][2].append(line.strip())
        return True
    return PASSED.match(line) is not None


def _findings(tests: dict[str, Test], package: str, tier: Tier, places: Places) -> Iterator[Finding]:
    for test in tests.values():
        if not test.failed:
            continue
        # The frames are from the deepest on, the logs from the first on.
        told = [(path, line) for path, line, _ in reversed(test.logs)] if not test.panic else test.frames
        for path, line in told:
            full = go_file(path, test.package or package, places)
            if full:
                said = test.panic or _said(test)
                finding = places.finding(tier, full, line, Level.FAILURE, test.name, said, "go test")
                if finding:
                    yield finding
                break


def _said(test: Test) -> str:
    """Return what the test logged. Where that is more than one thing, each with its line."""
    if len(test.logs) == 1:
        return "\n".join(test.logs[0][2])
    return "\n".join("\n".join([f"{path}:{line}: {said[0]}", *said[1:]]) for path, line, said in test.logs[-MOST_SAID:])


def go_file(path: str, package: str, places: Places) -> str | None:
    """Return the file of the repository that a package means by a file's name, None where there is none.

    The package's name begins with that of its module, which is no folder: its endings are tried, the longest first.
    """
    if "/" in path:
        return places.resolve(path)
    folders = package.split("/")[-DEEPEST_PACKAGE:]
    candidates = ("/".join([*folders[at:], path]) for at in range(len(folders)))
    return next((full for full in map(places.resolve, candidates) if full), None) or places.resolve(path)
