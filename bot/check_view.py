"""What a check run is made from: an attempt as it stands, in values of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.comparison import SHORT_SHA, Base, base_branch
from draftsman.domain.finding import Finding
from draftsman.domain.outcome import ImageUsed
from draftsman.domain.plan import CHECKED_TIERS, Plan, Tier
from draftsman.domain.run import Attempt, Naming, RefKind
from draftsman.domain.waiting import Told
from draftsman.store.steps import StepRecord


@dataclass(frozen=True, slots=True)
class CheckView:
    """An attempt, read at one moment. `log_tail` is the end of the log that explains the tier shown.

    `details_url` is the run's page; `timings` maps phases to seconds and is empty while the attempt goes on. `written`
    is the Markdown of the job itself; `artifacts` counts the files that it left. `base` is what failures are seen
    against, None where there is nothing to compare with. `purged_at` is when a person had the log removed for good.
    `wait` is why nobody executes it yet, None where that is not known.
    """

    attempt: Attempt
    details_url: str
    plan: Plan | None = None
    image: ImageUsed | None = None
    steps: tuple[StepRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    namings: tuple[Naming, ...] = ()
    log_tail: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    written: str = ""
    artifacts: int = 0
    base: Base | None = None
    purged_at: datetime | None = None
    wait: Told | None = None

    def of(self, tier: Tier) -> tuple[StepRecord, ...]:
        """Return the steps of the tier, in order."""
        return tuple(step for step in self.steps if step.tier is tier)

    @property
    def merged_into(self) -> str:
        """Return `merged into main at abc1234` for a run that tests the merge, empty for one of the commit as it is."""
        sha = self.attempt.run.merge_base_sha
        if sha is None:
            return ""
        return f"merged into {base_branch(self.attempt.run, self.namings).shown} at {sha[:SHORT_SHA]}"

    @property
    def pull_number(self) -> str | None:
        """Return the number of the newest pull request that names the commit, None where none does."""
        numbers = [one.ref.name for one in self.namings if one.ref.kind is RefKind.PULL_REQUEST]
        return next((number for number in reversed(numbers) if number.isdecimal()), None)

    def shown_on(self, tier: Tier) -> tuple[Tier, ...]:
        """Return the tiers whose steps and findings the check run of `tier` tells of.

        Setup has none of its own: it is told of with the first tier that was asked for.
        """
        first = next((one for one in CHECKED_TIERS if one in self.attempt.tiers), Tier.FAST)
        return (Tier.SETUP, tier) if tier is first else (tier,)

    @property
    def failed_steps(self) -> tuple[StepRecord, ...]:
        """Return the steps that failed and must not."""
        return tuple(step for step in self.steps if step.is_red)

    @property
    def running_step(self) -> StepRecord | None:
        """Return the step that runs now, or that ran when the attempt ended."""
        return next((step for step in self.steps if step.state == "running"), None)

    @property
    def culprit(self) -> StepRecord | None:
        """Return the step at which a finished attempt went wrong: the first that failed, else one cut short."""
        return self.failed_steps[0] if self.failed_steps else self.running_step


def passed(steps: tuple[StepRecord, ...]) -> bool:
    """Return whether there are steps and all of them ended, none of them red."""
    return bool(steps) and all(step.state == "finished" and not step.is_red for step in steps)
