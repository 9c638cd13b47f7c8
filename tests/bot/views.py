"""Views of attempts for the pure tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bot.check_view import CheckView
from bot.checks import CheckBody, check_run_body
from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Plan, Tier
from draftsman.domain.run import (
    Attempt,
    Conclusion,
    Naming,
    Ref,
    RefKind,
    Repository,
    Run,
    RunState,
    Trust,
    merge_subject,
)
from draftsman.store.steps import StepRecord
from tests.bot.work import IMAGE, make_plan
from tests.github.check_rules import complaints

ALL_PASSED = {"setup-1": 0, "fast-1": 0, "full-1": 0}
FAILURE, SUCCESS = Conclusion.FAILURE, Conclusion.SUCCESS
WAITS = "waiting for approval: the first pull request of stranger"

STARTED = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SHA = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"


def make_attempt(state: RunState = RunState.FINISHED, conclusion: Conclusion | None = None, **fields: Any) -> Attempt:
    repository = Repository(1, "acme/widgets", "https://github.com/acme/widgets.git", "main", True, 2)
    run = Run(UUID(int=7), repository, SHA, "head", STARTED)
    attempt = Attempt(
        id=UUID(int=8),
        run=run,
        number=1,
        trust=Trust.TRUSTED,
        state=state,
        conclusion=conclusion,
        title=None,
        detail=None,
        epoch=1,
        version=5,
        created_at=STARTED,
        started_at=STARTED,
        finished_at=STARTED + timedelta(seconds=30) if state is RunState.FINISHED else None,
    )
    return replace(attempt, **fields)


def make_steps(plan: Plan, codes: Mapping[str, int | str]) -> tuple[StepRecord, ...]:
    """The plan's steps: an exit code for those that ended, `running` for one that runs, the others pending."""
    records = []
    for step in plan.steps:
        found = codes.get(step.id, "pending")
        if isinstance(found, int):
            records.append(StepRecord(step.id, step.tier, step.command, "finished", found, 1.5))
        else:
            records.append(StepRecord(step.id, step.tier, step.command, found, None, None))
    return tuple(records)


def make_view(
    state: RunState = RunState.FINISHED,
    conclusion: Conclusion | None = None,
    codes: Mapping[str, int | str] | None = None,
    plan: Plan | None = None,
    **fields: Any,
) -> CheckView:
    """An attempt whose plan has one step in each tier, unless a plan is given; `fields` are the attempt's."""
    plan = plan or make_plan()
    return CheckView(
        attempt=make_attempt(state, conclusion, **fields),
        details_url="https://draftsman.example/runs/7?attempt=1",
        plan=plan,
        image=IMAGE,
        steps=make_steps(plan, codes or {}),
        namings=(Naming(Ref(RefKind.PULL_REQUEST, "12"), base_branch="main"),),
    )


def finding(**fields: Any) -> Finding:
    known = {"tier": Tier.FAST, "path": "a.py", "line": 3, "level": Level.FAILURE, "title": "E1", "message": "m"}
    return Finding(**{**known, "tool": "ruff", **fields})


def merge_of(view: CheckView) -> CheckView:
    """The same attempt, of a run that tests the commit merged into main."""
    run = replace(view.attempt.run, subject=merge_subject("abc1234" + 33 * "0"))
    return replace(view, attempt=replace(view.attempt, run=run))


def bodies(view: CheckView) -> tuple[CheckBody, CheckBody]:
    """Both bodies, each checked against what GitHub demands."""
    found = (check_run_body(view, Tier.FAST), check_run_body(view, Tier.FULL))
    for body in found:
        assert complaints(body.request(body.annotations[:50]) | {"head_sha": "a" * 40}, creating=True) == []
    return found
