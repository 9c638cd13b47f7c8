"""The numbers that test runners print at their end."""

from __future__ import annotations

import pytest

from tests.real.counts import Counted, count_tests


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("======================== 906 passed, 2 skipped in 7.06s ========================", Counted(906)),
        ("= 2 failed, 1 passed, 4 skipped, 1 warning, 4 errors in 0.75s =", Counted(1, 2)),
        ("12 passed, 1 xfailed, 2 xpassed in 61.20s (0:01:01)", Counted(15)),
        ("         551 passed", Counted(551)),
        ("Ran 31 tests in 0.004s", Counted(31)),
        ("ℹ pass 12", Counted(12)),
        ("# fail 3", Counted(0, 3)),
        ("  254 passing (1s)", Counted(254)),
        ("  2 failing", Counted(0, 2)),
        ("Tests:       1 failed, 3 skipped, 1051 passed, 1055 total", Counted(1051, 1)),
        ("      Tests  186 passed | 2 skipped (188)", Counted(186)),
        ("      Tests  1 failed | 186 passed (187)", Counted(186, 1)),
        ("\x1b[2m      Tests \x1b[22m \x1b[1m\x1b[32m186 passed\x1b[39m\x1b[22m\x1b[90m (186)\x1b[39m", Counted(186)),
        (" 45 pass", Counted(45)),
        (" 0 fail", Counted()),
    ],
)
def test_a_summary_is_counted(line: str, expected: Counted) -> None:
    assert count_tests([line]) == expected


@pytest.mark.parametrize(
    "line",
    [
        "collected 906 items",
        "3 passed the door in a hurry",
        "Test Suites: 97 passed, 97 total",
        " Test Files  7 passed (7)",
        "Snapshots:   0 total",
        "All 12 tests passed our review",
        "src/a.py:3: 12 passed",
        "ℹ tests 12",
        "# tests 12",
        "Ran 45 tests across 3 files. [100.00ms]",
        "OK",
    ],
)
def test_other_lines_count_nothing(line: str) -> None:
    assert count_tests([line]) == Counted()


def test_skipped_tests_of_unittest_did_not_run() -> None:
    assert count_tests(["Ran 10 tests in 0.1s", "", "OK (skipped=4)"]) == Counted(6)


def test_uvu_tells_the_total_and_the_passed_ones() -> None:
    assert count_tests(["  Total:     12", "  Passed:    10", "  Skipped:   0"]) == Counted(10, 2)


def test_several_runs_add_up() -> None:
    assert count_tests(["3 passed in 0.1s", "  4 passing (2ms)", "  1 failing"]) == Counted(7, 1)


def test_of_tape_the_tests_are_counted_and_not_the_assertions() -> None:
    log = ["TAP version 13", "# floors", "ok 1 a", "ok 2 b", "# ceils", "ok 3 c", "1..3", "# tests 3", "# pass  3"]
    assert count_tests([*log, "# ok"]) == Counted(2)
    assert count_tests([*log, "# fail  1"]) == Counted(2, 1)


def test_of_nodes_own_runner_the_summary_is_counted() -> None:
    log = [
        "TAP version 13",
        "# Subtest: adds",
        "ok 1 - adds",
        "1..1",
        "# tests 1",
        "# suites 0",
        "# pass 1",
        "# fail 0",
    ]
    assert count_tests(log) == Counted(1)
