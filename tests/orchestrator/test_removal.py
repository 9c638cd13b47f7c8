"""Whether a change removes the checks of its base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import CHECKED_TIERS, Plan, ProfileOverrides, Tier
from draftsman.domain.run import Conclusion
from orchestrator.removal import judged, removed_tiers
from tests.orchestrator.sandbox_parts import make_plan

FAST, FULL = Tier.FAST, Tier.FULL


def plan_of(
    fast: Sequence[str] = ("make lint",), full: Sequence[str] = ("make test",), removed: Sequence[Tier] = ()
) -> Plan:
    return replace(make_plan("FROM a\n", fast=tuple(fast), full=tuple(full)), removed=tuple(removed))


@pytest.mark.parametrize(
    ("fast", "full", "base", "overrides", "removed"),
    [
        ((), (), CHECKED_TIERS, ProfileOverrides(), (FAST, FULL)),
        (("a",), (), CHECKED_TIERS, ProfileOverrides(), (FULL,)),
        (("a",), ("b",), CHECKED_TIERS, ProfileOverrides(), ()),
        ((), (), (FAST,), ProfileOverrides(), (FAST,)),
        ((), (), (), ProfileOverrides(), ()),
        # A person said that there are none.
        ((), (), CHECKED_TIERS, ProfileOverrides(full=()), (FAST,)),
    ],
)
def test_what_the_base_checks_and_the_commit_does_not_is_removed(
    fast: Sequence[str],
    full: Sequence[str],
    base: Sequence[Tier],
    overrides: ProfileOverrides,
    removed: Sequence[Tier],
) -> None:
    assert removed_tiers(plan_of(fast, full), base, overrides) == tuple(removed)


@pytest.mark.parametrize(
    ("conclusion", "removed", "tiers", "shown"),
    [
        (Conclusion.NEUTRAL, (FAST, FULL), CHECKED_TIERS, Conclusion.FAILURE),
        (Conclusion.SUCCESS, (FULL,), CHECKED_TIERS, Conclusion.FAILURE),
        (Conclusion.SUCCESS, (FULL,), (FAST,), Conclusion.SUCCESS),
        (Conclusion.SUCCESS, (), CHECKED_TIERS, Conclusion.SUCCESS),
        (Conclusion.CANCELLED, (FULL,), CHECKED_TIERS, Conclusion.CANCELLED),
        (Conclusion.ERROR, (FULL,), CHECKED_TIERS, Conclusion.ERROR),
    ],
)
def test_a_change_that_removes_what_was_asked_for_fails(
    conclusion: Conclusion, removed: Sequence[Tier], tiers: Sequence[Tier], shown: Conclusion
) -> None:
    found = judged(Outcome(conclusion, "so it was", plan=plan_of(removed=removed)), tiers)
    assert found.conclusion is shown
    assert ("removes the checks" in found.title) == (shown is not conclusion)
