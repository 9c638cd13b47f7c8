"""What an attempt's order says: the tiers, the plan that was kept, and what its refs say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from draftsman.domain.outcome import ImageUsed, Outcome
from draftsman.domain.plan import Tier
from draftsman.domain.run import (
    HEAD,
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
from draftsman.store import attempts, leases, reruns, runs, steps
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted
from orchestrator.executor import _earlier, seen_from
from orchestrator.order import Order
from orchestrator.source import Remote
from tests.orchestrator.sandbox_parts import make_plan

REPOSITORY = Repository(1, "acme/widgets", "https://example.com/w.git", "main", False, 7)
MARKERS = ("[skip ci]",)
SHA, BASE, BEFORE = "a" * 40, "b" * 40, "c" * 40
PULL_REQUEST = Naming(Ref(RefKind.PULL_REQUEST, "1"), BASE, "main")
BRANCH = Naming(Ref(RefKind.BRANCH, "feature"), BEFORE)
QUEUE = Naming(Ref(RefKind.MERGE_GROUP, "gh-readonly-queue/main/1"), BEFORE, "main")
TAG = Naming(Ref(RefKind.TAG, "v1"))
PLAN = make_plan("FROM a\n", setup="make deps", fast=("make lint",), full=("make test",))


def seen(*namings: Naming, trust: Trust = Trust.TRUSTED, asked_by: str | None = None, subject: str = HEAD) -> Order:
    now = datetime.now(UTC)
    run = Run(uuid4(), REPOSITORY, SHA, subject, now)
    state = RunState.PREPARING
    attempt = Attempt(uuid4(), run, 1, trust, state, None, None, None, 1, 1, now, now, None, asked_by=asked_by)

    async def remote() -> Remote:
        raise AssertionError

    order = Order("1", "acme/widgets", SHA, "github:1", "acme", remote, trusted=trust is Trust.TRUSTED)
    return seen_from(order, attempt, namings, MARKERS)


@pytest.mark.parametrize(
    ("namings", "trust", "base"),
    [
        ((BRANCH, PULL_REQUEST), Trust.TRUSTED, BASE),
        ((BRANCH,), Trust.TRUSTED, BEFORE),
        ((BRANCH, PULL_REQUEST), Trust.UNTRUSTED, BASE),
        ((BRANCH,), Trust.UNTRUSTED, None),
        ((QUEUE,), Trust.UNTRUSTED, None),
        ((replace(PULL_REQUEST, base_sha=None),), Trust.UNTRUSTED, None),
        ((replace(PULL_REQUEST, is_current=False, base_sha="d" * 40), PULL_REQUEST), Trust.UNTRUSTED, BASE),
        ((replace(PULL_REQUEST, is_current=False),), Trust.TRUSTED, BASE),
        ((), Trust.TRUSTED, None),
    ],
)
def test_the_base_is_the_pull_requests_and_never_a_strangers_push(
    namings: Sequence[Naming], trust: Trust, base: str | None
) -> None:
    assert seen(*namings, trust=trust).base_sha == base


@pytest.mark.parametrize(
    ("namings", "options", "filtered", "marked"),
    [
        ((PULL_REQUEST,), {}, True, True),
        ((PULL_REQUEST,), {"asked_by": "alice"}, False, False),
        ((PULL_REQUEST,), {"trust": Trust.UNTRUSTED}, True, False),
        ((BRANCH, QUEUE), {}, False, False),
        ((BRANCH, TAG), {}, False, True),
    ],
)
def test_only_an_events_attempt_is_left_out_and_a_strangers_by_filters_alone(
    namings: Sequence[Naming], options: dict[str, Any], filtered: bool, marked: bool
) -> None:
    order = seen(*namings, **options)
    assert (order.filtered, order.skip_markers) == (filtered, MARKERS if marked else ())


def test_a_merge_is_tested_into_the_base_that_the_run_names() -> None:
    pinned = "e" * 40
    for trust in Trust:
        order = seen(PULL_REQUEST, trust=trust, subject=merge_subject(pinned))
        assert (order.merge_into, order.base_sha, order.base_branch) == (pinned, pinned, "main")
    assert seen(PULL_REQUEST).merge_into is None


async def started(pool: Pool[Any], trust: Trust = Trust.TRUSTED) -> UUID:
    wanted = Wanted(REPOSITORY, SHA, Ref(RefKind.BRANCH, "feature"), trust)
    async with pool.acquire() as connection, connection.transaction():
        return (await runs.start(connection, wanted, delivery=None)).run_id


async def claimed(pool: Pool[Any]) -> Attempt:
    attempt = await leases.claim(pool, owner="w", lease_seconds=30, per_repository=2)
    assert attempt is not None
    return attempt


async def ended(pool: Pool[Any]) -> Attempt:
    attempt = await claimed(pool)
    await attempts.keep_plan(pool, attempt, PLAN)
    await attempts.finish(pool, attempt, Outcome(Conclusion.FAILURE, "no"), owner="w")
    return attempt


async def asked(pool: Pool[Any], run_id: UUID, **options: Any) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await reruns.ask(connection, run_id, by="alice", cause="test", **options)


async def test_a_rerun_has_the_newest_plan_of_its_own_trust(pool: Pool[Any]) -> None:
    run_id = await started(pool)
    first = await ended(pool)
    assert await attempts.kept_plan_of(pool, first) is None
    await asked(pool, run_id)
    again = await claimed(pool)
    assert await attempts.kept_plan_of(pool, again) == (PLAN, 1)
    assert await attempts.kept_plan_of(pool, replace(again, trust=Trust.UNTRUSTED)) is None
    await pool.execute("""UPDATE attempts SET plan = '{"profile": 1}' WHERE id = $1""", first.id)
    assert await attempts.kept_plan_of(pool, again) is None


async def test_a_job_goes_on_only_where_it_does_all_that_is_asked_by_now(pool: Pool[Any]) -> None:
    run_id = await started(pool)
    await ended(pool)
    await asked(pool, run_id, tiers=(Tier.FAST,))
    attempt = await claimed(pool)
    await attempts.keep_plan(pool, attempt, PLAN)
    await steps.replace(pool, attempt, PLAN.limited_to(attempt.tiers).steps)
    await attempts.keep_image(pool, attempt, ImageUsed("t:1", "k", True, 0))
    await leases.give_back(pool, attempt, owner="w")
    taken = await claimed(pool)
    assert await _earlier(pool, taken) is not None
    await leases.give_back(pool, taken, owner="w")
    await asked(pool, run_id, tiers=(Tier.FULL,))
    assert await _earlier(pool, await claimed(pool)) is None


def test_a_plan_that_is_limited_keeps_its_set_up_and_its_names_of_steps() -> None:
    assert [step.id for step in PLAN.limited_to([Tier.FULL]).steps] == ["setup-1", "full-1"]
    assert [step.id for step in PLAN.limited_to([]).steps] == ["setup-1"]
    assert PLAN.limited_to([Tier.FAST, Tier.FULL]) == PLAN
