"""Refs that move on, approvals, and attempts that people ask for, in the store."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import Tier
from draftsman.domain.run import Attempt, Conclusion, Ref, RefKind, Repository, RunState, Trust
from draftsman.store import approvals, attempts, leases, refs, reruns, runs
from draftsman.store.database import Pool
from draftsman.store.reruns import Asked
from draftsman.store.runs import Started, Wanted

WIDGETS = Repository(7, "acme/widgets", "https://github.example/acme/widgets.git", "main", False, 3)
FEATURE = Ref(RefKind.BRANCH, "feature")
PULL = Ref(RefKind.PULL_REQUEST, "1")
A, B = "a" * 40, "b" * 40


async def start(pool: Pool[Any], sha: str, ref: Ref = FEATURE, trust: Trust = Trust.TRUSTED, **more: Any) -> Started:
    async with pool.acquire() as connection, connection.transaction():
        return await runs.start(connection, Wanted(WIDGETS, sha, ref, trust), delivery=None, **more)


async def release(pool: Pool[Any], ref: Ref, head_sha: str | None) -> list[UUID]:
    async with pool.acquire() as connection, connection.transaction():
        released = await refs.release(connection, 7, ref, head_sha=head_sha, by="delivery", reason="(superseded by b)")
        return list(released.ended)


async def ask(pool: Pool[Any], run_id: UUID, **more: Any) -> reruns.Rerun:
    async with pool.acquire() as connection, connection.transaction():
        return await reruns.ask(connection, run_id, by="alice", cause="test", **more)


async def claim(pool: Pool[Any]) -> Attempt | None:
    return await leases.claim(pool, owner="w", lease_seconds=60, per_repository=8)


async def finish(pool: Pool[Any], attempt: Attempt | None, conclusion: Conclusion = Conclusion.SUCCESS) -> None:
    assert attempt is not None
    await attempts.finish(pool, attempt, Outcome(conclusion, "done"), owner="w")


async def states(pool: Pool[Any], run_id: UUID) -> list[tuple[int, str, str | None]]:
    return [(one.number, one.state, one.conclusion) for one in reversed(await attempts.of_run(pool, run_id))]


async def test_a_run_ends_when_nothing_names_its_commit_any_more(pool: Pool[Any]) -> None:
    run = await start(pool, A)
    await start(pool, A, PULL)
    await start(pool, B)
    assert await release(pool, FEATURE, B) == [], "the pull request still wants it"
    assert await release(pool, PULL, None) == [run.attempt_id]
    assert await states(pool, run.run_id) == [(1, RunState.FINISHED, Conclusion.CANCELLED)]
    assert await release(pool, PULL, None) == []


async def test_a_ref_that_comes_back_starts_another_attempt_only_where_nothing_wanted_the_first(
    pool: Pool[Any],
) -> None:
    run = await start(pool, A)
    await release(pool, FEATURE, B)
    assert (await start(pool, A)).attempt_id is not None
    assert (await start(pool, A)).attempt_id is None
    newest = (await attempts.of_run(pool, run.run_id))[0]
    await attempts.ask_cancel(pool, newest.id, by="alice", reason="by alice")
    assert (await start(pool, A)).attempt_id is None, "what a person ended stays so"
    assert len(await states(pool, run.run_id)) == 2


async def test_what_a_person_asked_for_on_an_old_commit_is_not_ended_by_events_of_the_new_one(pool: Pool[Any]) -> None:
    run = await start(pool, A)
    await release(pool, FEATURE, B)
    assert (await ask(pool, run.run_id)).asked is Asked.CREATED
    assert await release(pool, FEATURE, B) == []


async def test_a_persons_attempt_goes_first(pool: Pool[Any]) -> None:
    run = await start(pool, A)
    await finish(pool, await claim(pool))
    for number in range(3):
        await start(pool, f"{number}" * 40, Ref(RefKind.BRANCH, f"b{number}"))
    assert (await ask(pool, run.run_id)).asked is Asked.CREATED
    claimed = await claim(pool)
    assert claimed is not None
    assert (claimed.run.id, claimed.number, claimed.asked_by) == (run.run_id, 2, "alice")


async def test_asking_joins_what_is_queued_and_waits_for_what_does_less(pool: Pool[Any]) -> None:
    run = await start(pool, A)
    await finish(pool, await claim(pool))
    first = await ask(pool, run.run_id, tiers=[Tier.FAST])
    joined = await ask(pool, run.run_id, tiers=[Tier.FULL], rebuild=True)
    assert (joined.asked, joined.attempt_id) == (Asked.JOINED, first.attempt_id)
    claimed = await claim(pool)
    assert claimed is not None
    assert (claimed.tiers, claimed.rebuild) == (frozenset((Tier.FAST, Tier.FULL)), True)
    assert (await ask(pool, run.run_id)).asked is Asked.JOINED
    await finish(pool, claimed)
    await ask(pool, run.run_id, tiers=[Tier.FAST])
    claimed = await claim(pool)
    assert (await ask(pool, run.run_id, tiers=[Tier.FULL])).asked is Asked.BUSY
    assert (await ask(pool, run.run_id, tiers=[Tier.FAST], rebuild=True)).asked is Asked.BUSY
    assert claimed is not None
    await attempts.ask_cancel(pool, claimed.id, by="bob", reason="by bob")
    assert (await ask(pool, run.run_id, tiers=[Tier.FAST])).asked is Asked.BUSY, "it ends without doing it"
    await finish(pool, claimed, Conclusion.CANCELLED)
    assert (await ask(pool, run.run_id, tiers=[Tier.FAST])).asked is Asked.CREATED


async def test_asking_never_approves_and_an_approval_is_of_one_commit(pool: Pool[Any]) -> None:
    run = await start(pool, A, PULL, Trust.UNTRUSTED)
    assert (await ask(pool, run.run_id)).asked is Asked.WAITING
    assert await claim(pool) is None
    await approvals.hold(pool, run.run_id, title="waiting for approval")
    async with pool.acquire() as connection, connection.transaction():
        queued = await approvals.approve(connection, run.run_id, by="alice", reason="comment")
    claimed = await claim(pool)
    assert claimed is not None
    assert (claimed.id, claimed.trust, claimed.asked_by) == (queued, Trust.UNTRUSTED, "alice")
    assert await states(pool, run.run_id) == [
        (1, RunState.FINISHED, Conclusion.ACTION_REQUIRED),
        (2, RunState.PREPARING, None),
    ]
    later = await start(pool, B, PULL, Trust.UNTRUSTED)
    assert await claim(pool) is None
    assert await states(pool, later.run_id) == [(1, RunState.WAITING, None)]


async def test_a_run_that_nobody_was_told_of_yet_goes_on_when_the_policy_lets_it(pool: Pool[Any]) -> None:
    run = await start(pool, A, PULL, Trust.UNTRUSTED)
    async with pool.acquire() as connection, connection.transaction():
        await approvals.approve(connection, run.run_id, by="policy", reason="known", asked=False)
    assert await states(pool, run.run_id) == [(1, RunState.QUEUED, None)]


async def test_a_policy_that_never_runs_forks_ends_the_attempt(pool: Pool[Any]) -> None:
    run = await start(pool, A, PULL, Trust.UNTRUSTED)
    await approvals.hold(pool, run.run_id, title="this repository runs nothing from forks", never=True)
    assert await states(pool, run.run_id) == [(1, RunState.FINISHED, Conclusion.ACTION_REQUIRED)]


@pytest.mark.parametrize("trust", list(Trust))
async def test_a_repository_that_is_not_served_has_a_neutral_end_and_runs_once_it_is(
    pool: Pool[Any], trust: Trust
) -> None:
    run = await start(pool, A, PULL, trust, not_served="this Draftsman does not serve acme")
    assert await states(pool, run.run_id) == [(1, RunState.FINISHED, Conclusion.NEUTRAL)]
    assert (await start(pool, A, PULL, trust)).attempt_id is not None
