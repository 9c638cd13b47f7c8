"""The table of verdicts: what happened, and what both check runs say of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.check_view import CheckView
from bot.verdict import stands
from draftsman.domain.plan import Tier
from draftsman.domain.retry import Cause
from draftsman.domain.run import Conclusion, RunState
from draftsman.domain.waiting import Told
from tests.bot.views import ALL_PASSED, FAILURE, STARTED, SUCCESS, WAITS, bodies, make_view, merge_of
from tests.bot.work import make_plan

REASON = f"{Cause.NETWORK.phrase} in attempt 1"

STATES: list[tuple[str, CheckView, tuple[str, str], tuple[str, str]]] = [
    (
        "the full checks were removed",
        make_view(
            conclusion=FAILURE,
            codes={"setup-1": 0, "fast-1": 0},
            plan=replace(make_plan(full=()), removed=(Tier.FULL,)),
        ),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("failure", "this change removes the checks: its base has full checks, and this commit none"),
    ),
    (
        "all checks were removed",
        make_view(
            conclusion=FAILURE, plan=replace(make_plan(setup="", fast=(), full=()), removed=(Tier.FAST, Tier.FULL))
        ),
        ("failure", "this change removes the checks: its base has fast checks, and this commit none"),
        ("failure", "this change removes the checks: its base has full checks, and this commit none"),
    ),
    (
        "the full checks were removed and the image cannot be built",
        make_view(conclusion=FAILURE, title="no image", plan=replace(make_plan(full=()), removed=(Tier.FULL,))),
        ("failure", "no image"),
        ("failure", "this change removes the checks: its base has full checks, and this commit none"),
    ),
    (
        "the full checks were removed and it was cancelled",
        make_view(
            conclusion=Conclusion.CANCELLED, title="cancelled", plan=replace(make_plan(full=()), removed=(Tier.FULL,))
        ),
        ("cancelled", "cancelled"),
        ("cancelled", "cancelled"),
    ),
    (
        "queued",
        make_view(RunState.QUEUED, started_at=None),
        ("queued", "waiting for a worker"),
        ("queued", "waiting for a worker"),
    ),
    (
        "a retry that waits for its time",
        make_view(RunState.QUEUED, started_at=None, number=2, retry_of=1, reason=REASON, not_before=STARTED),
        ("queued", "attempt 2, since the network failed in attempt 1: waiting for a worker, not before 14:00:00 UTC"),
        ("queued", "attempt 2, since the network failed in attempt 1: waiting for a worker, not before 14:00:00 UTC"),
    ),
    (
        "a retry that may start",
        make_view(RunState.QUEUED, started_at=None, number=2, retry_of=1, reason=REASON),
        ("queued", "attempt 2, since the network failed in attempt 1: waiting for a worker"),
        ("queued", "attempt 2, since the network failed in attempt 1: waiting for a worker"),
    ),
    (
        "our fault, and tried again",
        make_view(conclusion=Conclusion.ERROR, codes={"setup-1": 1}, title="the engine is away", retried_as=2),
        ("cancelled", "Draftsman could not run this: the engine is away; tried again as attempt 2"),
        ("cancelled", "Draftsman could not run this: the engine is away; tried again as attempt 2"),
    ),
    (
        "our fault with much to say, and tried again",
        make_view(conclusion=Conclusion.ERROR, title="x" * 300, retried_as=2),
        ("cancelled", f"Draftsman could not run this: {'x' * 141}…; tried again as attempt 2"),
        ("cancelled", f"Draftsman could not run this: {'x' * 141}…; tried again as attempt 2"),
    ),
    (
        "preparing",
        make_view(RunState.PREPARING),
        ("in_progress", "fetching the commit and making the plan"),
        ("in_progress", "fetching the commit and making the plan"),
    ),
    (
        "queued, nobody knows why",
        make_view(RunState.QUEUED),
        ("queued", "waiting for a worker"),
        ("queued", "waiting for a worker"),
    ),
    (
        "queued, paused",
        replace(make_view(RunState.QUEUED), wait=Told("paused", "waiting: all runs are paused", "It starts again.")),
        ("queued", "waiting: all runs are paused"),
        ("queued", "waiting: all runs are paused"),
    ),
    (
        "building",
        make_view(RunState.BUILDING),
        ("in_progress", "getting the image ready"),
        ("in_progress", "getting the image ready"),
    ),
    (
        "setup runs",
        make_view(RunState.RUNNING, codes={"setup-1": "running"}),
        ("in_progress", "setting up: uv sync"),
        ("in_progress", "setting up: uv sync"),
    ),
    (
        "fast runs",
        make_view(RunState.RUNNING, codes={"setup-1": 0, "fast-1": "running"}),
        ("in_progress", "running: ruff check ."),
        ("in_progress", "waiting for the fast checks"),
    ),
    (
        "full runs",
        make_view(RunState.RUNNING, codes={"setup-1": 0, "fast-1": 0, "full-1": "running"}),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("in_progress", "running: pytest"),
    ),
    (
        "both passed",
        make_view(conclusion=SUCCESS, codes=ALL_PASSED),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
    ),
    (
        "setup failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 2}),
        ("failure", "`uv sync` failed (exit 2)"),
        ("failure", "not run: setup failed"),
    ),
    (
        "fast failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 0, "fast-1": 1}),
        ("failure", "`ruff check .` failed (exit 1)"),
        ("failure", "not run: fast failed"),
    ),
    (
        "full failed",
        make_view(conclusion=FAILURE, codes=ALL_PASSED | {"full-1": 1}),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("failure", "`pytest` failed (exit 1)"),
    ),
    (
        "two fast steps failed",
        make_view(
            conclusion=FAILURE,
            codes={"setup-1": 0, "fast-1": 1, "fast-2": 1},
            plan=make_plan(fast=("ruff check .", "mypy")),
        ),
        ("failure", "`ruff check .` failed (exit 1), and 1 more"),
        ("failure", "not run: fast failed"),
    ),
    (
        "no full commands",
        make_view(conclusion=SUCCESS, codes={"setup-1": 0, "fast-1": 0}, plan=make_plan(full=())),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("neutral", "nothing was run: no full checks were found in this repository"),
    ),
    (
        "no fast commands, full failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 0, "full-1": 1}, plan=make_plan(fast=())),
        ("neutral", "nothing was run: no fast checks were found in this repository"),
        ("failure", "`pytest` failed (exit 1)"),
    ),
    (
        "no full commands, fast failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 0, "fast-1": 1}, plan=make_plan(full=())),
        ("failure", "`ruff check .` failed (exit 1)"),
        ("neutral", "nothing was run: no full checks were found in this repository"),
    ),
    (
        "no commands at all",
        make_view(conclusion=Conclusion.NEUTRAL, title="nothing to run", plan=make_plan(fast=(), full=())),
        ("neutral", "nothing was run: no fast checks were found in this repository"),
        ("neutral", "nothing was run: no full checks were found in this repository"),
    ),
    (
        "out of memory in full",
        make_view(
            conclusion=FAILURE,
            codes=ALL_PASSED | {"full-1": 137},
            title="out of memory: `pytest` needed more than 4096 MiB",
            detail="Use less.",
        ),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("failure", "out of memory: `pytest` needed more than 4096 MiB"),
    ),
    (
        "out of memory in fast, its end never seen",
        make_view(
            conclusion=FAILURE,
            codes={"setup-1": 0, "fast-1": "running"},
            title="out of memory: `ruff check .` needed more than 4096 MiB",
            detail="Use less.",
        ),
        ("failure", "out of memory: `ruff check .` needed more than 4096 MiB"),
        ("failure", "not run: fast failed"),
    ),
    (
        "the Dockerfile did not build",
        make_view(conclusion=FAILURE, title="the Dockerfile did not build", detail="a\nb"),
        ("failure", "the Dockerfile did not build"),
        ("failure", "the Dockerfile did not build"),
    ),
    (
        "timed out in fast",
        make_view(
            conclusion=Conclusion.TIMED_OUT,
            codes={"setup-1": 0, "fast-1": "running"},
            title="timed out: `ruff check .` ran longer than 30 min",
        ),
        ("timed_out", "timed out: `ruff check .` ran longer than 30 min"),
        ("failure", "not run: fast timed out"),
    ),
    (
        "timed out in full",
        make_view(
            conclusion=Conclusion.TIMED_OUT,
            codes={"setup-1": 0, "fast-1": 0, "full-1": "running"},
            title="timed out: `pytest` ran longer than 30 min",
        ),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("timed_out", "timed out: `pytest` ran longer than 30 min"),
    ),
    (
        "cancelled",
        make_view(conclusion=Conclusion.CANCELLED, codes={"setup-1": 0}, title="superseded by abc1234"),
        ("cancelled", "superseded by abc1234"),
        ("cancelled", "superseded by abc1234"),
    ),
    (
        "skipped",
        make_view(conclusion=Conclusion.SKIPPED, title="only documentation changed"),
        ("skipped", "only documentation changed"),
        ("skipped", "only documentation changed"),
    ),
    (
        "our fault",
        make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED | {"full-1": "pending"}, title="the engine is away"),
        ("failure", "Draftsman could not run this: the engine is away"),
        ("failure", "Draftsman could not run this: the engine is away"),
    ),
    (
        "our fault in full",
        make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED | {"full-1": "running"}, title="the engine is away"),
        ("failure", "Draftsman could not run this: the engine is away"),
        ("failure", "Draftsman could not run this: the engine is away"),
    ),
    (
        "a job that says it passed and did not",
        make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED, title="its result is missing"),
        ("failure", "Draftsman could not run this: its result is missing"),
        ("failure", "Draftsman could not run this: its result is missing"),
    ),
    (
        "looking at who wrote it",
        make_view(RunState.WAITING, started_at=None),
        ("queued", "looking at whether this needs approval"),
        ("queued", "looking at whether this needs approval"),
    ),
    (
        "waiting for approval",
        make_view(RunState.WAITING, started_at=None, title=WAITS),
        ("action_required", WAITS),
        ("action_required", WAITS),
    ),
    (
        "approved: another attempt runs it",
        make_view(conclusion=Conclusion.ACTION_REQUIRED, started_at=None, title="approved by alice"),
        ("action_required", "approved by alice"),
        ("action_required", "approved by alice"),
    ),
    (
        "only fast was asked for, and runs",
        make_view(RunState.RUNNING, codes={"setup-1": 0, "fast-1": "running"}, tiers=frozenset({Tier.FAST})),
        ("in_progress", "running: ruff check ."),
        ("action_required", "not asked for: only the fast checks were run"),
    ),
    (
        "only full was asked for, and setup failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 1}, tiers=frozenset({Tier.FULL})),
        ("action_required", "not asked for: only the full checks were run"),
        ("failure", "`uv sync` failed (exit 1)"),
    ),
    (
        "only full was asked for, and ended in setup",
        make_view(
            conclusion=Conclusion.TIMED_OUT,
            codes={"setup-1": "running"},
            tiers=frozenset({Tier.FULL}),
            title="timed out: `uv sync` ran longer than 30 min",
        ),
        ("action_required", "not asked for: only the full checks were run"),
        ("timed_out", "timed out: `uv sync` ran longer than 30 min"),
    ),
    (
        "a merge passed",
        merge_of(make_view(conclusion=SUCCESS, codes=ALL_PASSED)),
        ("success", "1 of 1 step passed in 1.5 s, image cached, merged into main at abc1234"),
        ("success", "1 of 1 step passed in 1.5 s, image cached, merged into main at abc1234"),
    ),
    (
        "a merge is not possible",
        merge_of(make_view(conclusion=FAILURE, title="conflicts with main at abc1234", detail="a.py")),
        ("failure", "conflicts with main at abc1234"),
        ("failure", "conflicts with main at abc1234"),
    ),
    (
        "a merge waits",
        merge_of(make_view(RunState.QUEUED, started_at=None)),
        ("queued", "waiting for a worker"),
        ("queued", "waiting for a worker"),
    ),
]


@pytest.mark.parametrize(("view", "fast", "full"), [row[1:] for row in STATES], ids=[row[0] for row in STATES])
def test_what_happened_is_said_on_both_tiers(view: CheckView, fast: tuple[str, str], full: tuple[str, str]) -> None:
    said = [(body.conclusion or body.status, body.title) for body in bodies(view)]
    assert said == [fast, full]


def test_every_state_and_conclusion_is_reported_on_both_tiers() -> None:
    ends = [make_view(conclusion=conclusion) for conclusion in Conclusion]
    on_the_way = [make_view(state) for state in RunState if state is not RunState.FINISHED]
    for view in [*ends, *on_the_way]:
        for body in bodies(view):
            assert body.title
            assert body.summary


@pytest.mark.parametrize(
    ("view", "shown", "stays"),
    [
        (make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED | {"full-1": "running"}), "success", True),
        (make_view(conclusion=Conclusion.ERROR), "success", True),
        (make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED | {"full-1": "running"}), None, False),
        (make_view(conclusion=Conclusion.ERROR), "action_required", False),
        (make_view(conclusion=Conclusion.ERROR, codes={"setup-1": 0, "fast-1": 1}), "success", False),
        (make_view(conclusion=FAILURE, codes={"setup-1": 1}), "success", False),
        (make_view(RunState.RUNNING), "success", False),
    ],
)
def test_only_a_fast_tier_that_was_told_as_passed_stands_where_the_fault_is_ours(
    view: CheckView, shown: str | None, stays: bool
) -> None:
    assert stands(view, Tier.FAST, shown) is stays
    assert not stands(view, Tier.FULL, shown)
