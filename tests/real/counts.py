"""Counts the tests in a log by what the test runners say at their end. Pure: lines in, numbers out.

A runner's own summary is what counts, not the lines of single tests, so a quiet run counts as a verbose one does.
Skipped tests did not run and are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

PYTEST = re.compile(r"[=\s]*(?:\d+ (?:failed|passed|skipped|deselected|xfailed|xpassed|warnings?|errors?)(?:, | |$))+")
PYTEST_END = re.compile(r"(?:in \d[\d.]*s.*|results? \(.*|=+)?[=\s]*")
PART = re.compile(r"(\d+) (failed|passed|xfailed|xpassed)\b")
UNITTEST = re.compile(r"Ran (\d+) tests? in \d[\d.]*s")
UNITTEST_SKIPPED = re.compile(r"(?:OK|FAILED) \(.*?\bskipped=(\d+)")
NODE = re.compile(r"(?:ℹ|#) (pass|fail) +(\d+)")
TAP_START = re.compile(r"TAP version \d+")
TAP_TEST = re.compile(r"# (?!(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) +\d|ok$|Subtest: )\S.*")
MOCHA = re.compile(r"(\d+) (passing|failing)(?: \([\d.]+\w+\))?")
JEST = re.compile(r"Tests: +(?:\d+ \w+, )*\d+ total")
VITEST = re.compile(r"Tests +\d+ \w+(?: \| \d+ \w+)* \(\d+\)")
BUN = re.compile(r"(\d+) (pass|fail)")
UVU = re.compile(r"(Passed|Total): +(\d+)")


@dataclass(frozen=True, slots=True)
class Counted:
    """How many tests ran: those that passed (or failed as expected), and those that failed."""

    passed: int = 0
    failed: int = 0

    @property
    def ran(self) -> int:
        """Return the number of tests that ran."""
        return self.passed + self.failed

    def __add__(self, other: Counted) -> Counted:
        """Return the sum of two counts."""
        return Counted(self.passed + other.passed, self.failed + other.failed)


def count_tests(lines: Iterable[str]) -> Counted:
    """Return how many tests ran, over all runs of all runners in the log.

    Knows pytest, unittest, node's own runner, tape, mocha, jest, vitest, bun and uvu.
    """
    total = Counted()
    tape: int | None = None
    for raw in lines:
        line = COLOURS.sub("", raw).strip()
        if TAP_START.fullmatch(line):
            tape = 0
        elif tape is not None and TAP_TEST.fullmatch(line):
            tape += 1
        elif tape and (match := NODE.fullmatch(line)):
            # tape's own numbers are those of assertions; a test of it is a comment line with a name.
            total += Counted(passed=tape) if match[1] == "pass" else Counted(failed=int(match[2]))
        else:
            total += _count_line(line)
    return total


def _count_line(line: str) -> Counted:
    if match := UNITTEST.fullmatch(line):
        return Counted(passed=int(match[1]))
    if match := UNITTEST_SKIPPED.match(line):
        return Counted(passed=-int(match[1]))
    if match := NODE.fullmatch(line):
        return _of(match[1] == "pass", int(match[2]))
    if match := MOCHA.fullmatch(line):
        return _of(match[2] == "passing", int(match[1]))
    if match := BUN.fullmatch(line):
        return _of(match[2] == "pass", int(match[1]))
    if match := UVU.fullmatch(line):
        return _uvu(match)
    if JEST.fullmatch(line) or VITEST.fullmatch(line) or _is_pytest(line):
        found = {word: int(number) for number, word in PART.findall(line)}
        return Counted(found.pop("passed", 0) + found.pop("xfailed", 0) + found.pop("xpassed", 0), sum(found.values()))
    return Counted()


def _is_pytest(line: str) -> bool:
    match = PYTEST.match(line)
    return match is not None and PYTEST_END.fullmatch(line, match.end()) is not None


def _uvu(match: re.Match[str]) -> Counted:
    """Return what one of uvu's two lines adds: `Total` comes first, and all but the passed ones failed."""
    number = int(match[2])
    return Counted(failed=number) if match[1] == "Total" else Counted(number, -number)


def _of(passed: bool, number: int) -> Counted:
    return Counted(passed=number) if passed else Counted(failed=number)
