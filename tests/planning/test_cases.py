"""Each folder of `tests/repos` is a case: adding a case is adding a folder."""

from __future__ import annotations

import pytest

from tests.planning.cases import Case, read_cases

CASES = read_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_gets_the_expected_plan_or_is_refused_with_file_and_line(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("case", [one for one in CASES if "error" not in one.expected], ids=lambda case: case.name)
def test_evidence_names_lines_that_hold_the_value(case: Case) -> None:
    for one in case.plan().evidence:
        if one.file is None:
            continue
        assert (case.repo / one.file).is_file()
        if one.line is not None:
            assert one.line <= len((case.repo / one.file).read_text().splitlines())
