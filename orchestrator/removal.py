"""Whether a change removes the checks of the branch that it is to be merged into. Pure.

A tier without commands is told as neutral, which passes a required check: that must not be the way around one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import CHECKED_TIERS, Plan, ProfileOverrides, Tier
from draftsman.domain.run import Conclusion

TITLE = "this change removes the checks"


def removed_tiers(plan: Plan, base_tiers: Collection[Tier], overrides: ProfileOverrides) -> tuple[Tier, ...]:
    """Return the tiers that the base has commands for and the plan has none.

    Where a person set a tier's commands in the profile, it is not the change that removes them.
    """
    planned = {Tier.FAST: plan.profile.fast, Tier.FULL: plan.profile.full}
    by_a_person = {Tier.FAST: overrides.fast is not None, Tier.FULL: overrides.full is not None}
    return tuple(tier for tier in CHECKED_TIERS if tier in base_tiers and not planned[tier] and not by_a_person[tier])


def judged(outcome: Outcome, tiers: Collection[Tier]) -> Outcome:
    """Return the outcome as a failure where nothing else failed and checks that were asked for were removed."""
    removed = [] if outcome.plan is None else [tier for tier in outcome.plan.removed if tier in tiers]
    if not removed or outcome.conclusion not in (Conclusion.SUCCESS, Conclusion.NEUTRAL):
        return outcome
    return replace(outcome, conclusion=Conclusion.FAILURE, title=f"{TITLE}: the base has {_named(removed)}, this none")


def _named(tiers: Collection[Tier]) -> str:
    return f"{' and '.join(tiers)} checks"
