"""Each folder of `tests/repos` is a case: adding a case is adding a folder."""

from __future__ import annotations

import re

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Evidence, Plan
from orchestrator.planning.plan import make_plan
from tests.planning.cases import TEMPLATES, Case, read_cases, read_tree

CASES = read_cases()


def plan_of(case: Case) -> Plan:
    tree = read_tree(case.repo, case.overrides)
    return make_plan(tree, repo="octo/case", overrides=case.overrides, templates=TEMPLATES)


def matches(evidence: Evidence, wanted: dict[str, str | int]) -> bool:
    return all(
        str(value) in evidence.rule if key == "rule" else getattr(evidence, key) == value
        for key, value in wanted.items()
    )


@pytest.mark.parametrize("case", [one for one in CASES if "error" not in one.expected], ids=lambda case: case.name)
def test_case_gets_the_expected_plan(case: Case) -> None:
    expected = case.expected
    plan = plan_of(case)
    assert plan.profile.dependency_manager == expected["manager"]
    assert plan.profile.setup == expected["setup"]
    assert list(plan.profile.fast) == expected["fast"]
    assert list(plan.profile.full) == expected["full"]
    assert [toolchain.image for toolchain in plan.toolchains] == expected["images"]
    assert list(plan.caches) == expected["caches"]
    for part in expected.get("dockerfile_has", []):
        assert part in plan.dockerfile
    for wanted in expected.get("evidence", []):
        assert any(matches(one, wanted) for one in plan.evidence), (wanted, plan.evidence)
    for wanted in expected.get("warnings", []):
        assert any(wanted in one for one in plan.warnings), plan.warnings
    if not expected.get("warnings"):
        assert plan.warnings == ()


@pytest.mark.parametrize("case", [one for one in CASES if "error" in one.expected], ids=lambda case: case.name)
def test_malformed_case_is_refused_with_file_and_line(case: Case) -> None:
    with pytest.raises(PlanError, match=re.escape(case.expected["error"])):
        plan_of(case)


@pytest.mark.parametrize("case", [one for one in CASES if "error" not in one.expected], ids=lambda case: case.name)
def test_evidence_names_lines_that_hold_the_value(case: Case) -> None:
    for one in plan_of(case).evidence:
        if one.file is None:
            continue
        assert (case.repo / one.file).is_file()
        if one.line is not None:
            assert one.line <= len((case.repo / one.file).read_text().splitlines())
