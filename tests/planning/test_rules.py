"""Every rule of planning has an id, and a case in `tests/repos/` that fails without it."""

from __future__ import annotations

import re

import pytest

from orchestrator.planning.rule import Rule
from orchestrator.planning.rules import RULES
from tests.planning.cases import Case, read_cases
from tools.rules_page import PAGE, page

CASES = read_cases()
IDS = frozenset(rule.id for rule in RULES)


def test_ids_are_unique_and_readable() -> None:
    assert len(IDS) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+\.[a-z]+\.[a-z0-9-]+", rule.id), rule.id
        assert rule.says.endswith("."), rule.id


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_names_the_rules_that_it_proves(case: Case) -> None:
    assert case.proves, "name at least one rule"
    assert set(case.proves) <= IDS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_without_the_rule_a_case_fails(rule: Rule) -> None:
    named = [case for case in CASES if rule.id in case.proves]
    assert named, f"no case names it: {rule.says}"
    assert any(fails_without(case, rule) for case in named), [case.name for case in named]


def fails_without(case: Case, rule: Rule) -> bool:
    try:
        case.check(frozenset({rule.id}))
    except AssertionError:
        return True
    return False


def test_the_page_of_rules_is_current() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tools.rules_page"
