"""What is tried again: a new attempt in the transaction that ends the one before, and nothing where it is not due."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from draftsman.domain.errors import LeaseLostError
from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.retry import Cause, RetryRules
from draftsman.domain.run import Attempt, Conclusion, Ref, RefKind, Repository, RunState, Trust
from draftsman.store import attempts, audit, check_runs, leases, refs, reruns, retrying, runs
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted

WIDGETS = Repository(7, "acme/widgets", "https://github.com/acme/widgets.git", "main", True, 3)
BRANCH = Ref(RefKind.BRANCH, "feature")
SHA = f"{1:040x}"
RULES = RetryRules(retries=2, seconds=0)
LATER = RetryRules(retries=2, seconds=600)
ERROR = Conclusion.ERROR


async def start(pool: Pool[Any], trust: Trust = Trust.TRUSTED) -> UUID:
    async with pool.acquire() as connection, connection.transaction():
        return (await runs.start(connection, Wanted(WIDGETS, SHA, BRANCH, trust), delivery=None)).run_id


async def claim(pool: Pool[Any], *, lease_seconds: float = 30) -> Attempt | None:
    return await leases.claim(pool, owner="w", lease_seconds=lease_seconds, per_repository=9)


async def end(
    pool: Pool[Any], attempt: Attempt | None, cause: Cause | None = Cause.REGISTRY, rules: RetryRules = RULES
) -> None:
    assert attempt is not None
    outcome = Outcome(Conclusion.FAILURE if cause is None else ERROR, "setup failed", "npm said no", cause=cause)
    async with pool.acquire() as connection, connection.transaction():
        await retrying.end(connection, attempt, outcome, owner="w", rules=rules)


async def give_back(pool: Pool[Any], max_claims: int) -> int:
    """Give back what was lost, as the reconciler does; return how many that were."""
    async with pool.acquire() as connection, connection.transaction():
        return len(await leases.give_back_lost(connection, max_claims=max_claims, retries=RULES))


async def test_what_a_registry_failed_is_tried_again_and_says_why(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    await end(pool, await claim(pool))
    second, first = await attempts.of_run(pool, run_id)
    assert (first.state, first.conclusion, first.cause, first.retried_as) == (RunState.FINISHED, ERROR, "registry", 2)
    assert (second.number, second.state, second.retry_of) == (2, RunState.QUEUED, 1)
    assert second.reason == "a registry did not answer as it should in attempt 1"
    assert (second.cause, second.not_before, second.retried_as) == (None, None, None)
    created = [event for event in await audit.of_run(pool, run_id) if event.action == "attempt.created"][-1]
    assert (created.actor, created.attempt_id) == ("worker w", second.id)
    assert (created.detail["cause"], created.detail["retry_of"]) == ("registry", 1)
    assert (await claim(pool)) == await attempts.get(pool, second.id)


async def test_a_check_that_fails_is_never_tried_again(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    await end(pool, await claim(pool), cause=None)
    assert [one.number for one in await attempts.of_run(pool, run_id)] == [1]
    assert await claim(pool) is None


async def test_it_asks_for_the_same_as_what_it_tries_again(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    await end(pool, await claim(pool), cause=None)
    async with pool.acquire() as connection, connection.transaction():
        await reruns.ask(connection, run_id, by="alice", cause="test", tiers=(Tier.FULL,), rebuild=True)
    await end(pool, await claim(pool))
    third, second, _ = await attempts.of_run(pool, run_id)
    assert (third.tiers, third.rebuild, third.asked_by, third.trust) == (
        frozenset({Tier.FULL}),
        True,
        "alice",
        second.trust,
    )
    assert await pool.fetchval("SELECT count(DISTINCT priority) FROM attempts WHERE number > 1") == 1


async def test_it_waits_for_its_time_and_does_not_count_as_queued_before(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    await end(pool, await claim(pool), rules=LATER)
    second = (await attempts.of_run(pool, run_id))[0]
    assert second.not_before is not None
    assert second.not_before.timestamp() - second.created_at.timestamp() == pytest.approx(600, abs=1)
    assert await claim(pool) is None
    assert await attempts.queued(pool) == 0
    await pool.execute("UPDATE attempts SET not_before = now() - interval '1 second' WHERE number = 2")
    assert await attempts.queued(pool) == 1
    claimed = await claim(pool)
    assert claimed is not None
    assert claimed.id == second.id


async def test_a_person_who_asks_again_does_not_wait_for_its_time(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    await end(pool, await claim(pool), rules=LATER)
    async with pool.acquire() as connection, connection.transaction():
        asked = await reruns.ask(connection, run_id, by="alice", cause="test")
    assert asked.asked is reruns.Asked.JOINED
    claimed = await claim(pool)
    assert claimed is not None
    assert (claimed.id, claimed.number) == (asked.attempt_id, 2)


async def test_it_ends_when_the_budget_is_spent_and_says_so(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    for _ in range(3):
        await end(pool, await claim(pool))
    assert await claim(pool) is None
    history = await attempts.of_run(pool, run_id)
    assert [(one.number, one.retried_as) for one in history] == [(3, None), (2, 3), (1, 2)]
    assert "It was tried 3 times" in (history[0].detail or "")
    assert "npm said no" in (history[0].detail or "")
    assert "It was tried" not in (history[1].detail or "")


async def test_each_cause_has_a_budget_of_its_own_and_a_person_a_new_one(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    for cause in (Cause.REGISTRY, Cause.NETWORK, Cause.REGISTRY, Cause.NETWORK, Cause.SOURCE):
        await end(pool, await claim(pool), cause)
    assert await claim(pool) is None, "of all causes together there are four"
    async with pool.acquire() as connection, connection.transaction():
        await reruns.ask(connection, run_id, by="alice", cause="test")
    await end(pool, await claim(pool))
    assert (await attempts.of_run(pool, run_id))[0].retry_of == 6


@pytest.mark.parametrize("what", ["off", "cancelled", "superseded", "unwanted", "newer"])
async def test_nothing_is_tried_again_that_nobody_wants(pool: Pool[Any], what: str) -> None:
    run_id = await start(pool)
    attempt = await claim(pool)
    assert attempt is not None
    if what == "cancelled":
        assert await attempts.ask_cancel(pool, attempt.id, by="alice", reason="by alice")
    if what == "superseded":
        async with pool.acquire() as connection, connection.transaction():
            await refs.release(connection, 7, BRANCH, head_sha=f"{2:040x}", by="delivery", reason="(superseded)")
    if what == "unwanted":
        await pool.execute("UPDATE run_refs SET is_current = false")
    if what == "newer":
        await pool.execute(
            "INSERT INTO attempts (run_id, number, trust, state, conclusion) "
            "VALUES ($1, 2, 'trusted', 'finished', 'error')",
            run_id,
        )
    await end(pool, attempt, rules=RetryRules(0) if what == "off" else RULES)
    assert await claim(pool) is None
    assert not [one for one in await attempts.of_run(pool, run_id) if one.retry_of]
    assert (await attempts.get(pool, attempt.id)).cause is Cause.REGISTRY  # type: ignore[union-attr]


async def test_what_is_superseded_while_it_waits_is_not_run(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    await end(pool, await claim(pool), rules=LATER)
    async with pool.acquire() as connection, connection.transaction():
        await refs.release(connection, 7, BRANCH, head_sha=f"{2:040x}", by="delivery", reason="(superseded)")
    newest = (await attempts.of_run(pool, run_id))[0]
    assert (newest.number, newest.conclusion) == (2, Conclusion.CANCELLED)


async def test_an_end_whose_answer_was_lost_is_retried_once(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    attempt = await claim(pool)
    for _ in range(3):
        await end(pool, attempt)
    assert [one.number for one in await attempts.of_run(pool, run_id)] == [2, 1]


async def test_a_worker_that_lost_its_lease_retries_nothing(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    lost = await claim(pool, lease_seconds=0.01)
    await asyncio.sleep(0.05)
    assert await give_back(pool, 3) == 1
    assert await claim(pool) is not None
    with pytest.raises(LeaseLostError):
        await end(pool, lost)
    assert [one.number for one in await attempts.of_run(pool, run_id)] == [1]


async def test_an_attempt_whose_worker_was_lost_too_often_is_tried_again_once(pool: Pool[Any]) -> None:
    run_id = await start(pool)
    for _ in range(2):
        assert await claim(pool, lease_seconds=0.01) is not None
        await asyncio.sleep(0.05)
        assert await give_back(pool, 1) == 1
    second, first = await attempts.of_run(pool, run_id)
    assert (first.conclusion, first.cause, first.retried_as) == (ERROR, Cause.WORKER, 2)
    assert second.reason == "its worker was lost in attempt 1"
    assert (second.conclusion, second.retried_as) == (ERROR, None)
    assert "It was tried 2 times" in (second.detail or "")
    assert second.title == "the worker was lost 1 time while it ran this"


async def test_people_who_steer_meanwhile_lose_nothing(pool: Pool[Any]) -> None:
    """Ends, re-runs and cancels at once: no deadlock, one attempt at a time, each tried again at most once."""
    run_id = await start(pool)

    async def steer(number: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE", run_id)
            newest = await attempts.newest_of(connection, run_id)
            assert newest is not None
            if number % 3 == 0:
                await attempts.ask_cancel(connection, newest.id, by="bob", reason="by bob")
            else:
                await reruns.ask(connection, run_id, by="bob", cause="test")

    for _ in range(5):
        await asyncio.gather(*(steer(number) for number in (1, 2)))
        attempt = await claim(pool)
        await asyncio.gather(end(pool, attempt), *(steer(number) for number in range(4)))
    history = await attempts.of_run(pool, run_id)
    tried = [one.retry_of for one in history if one.retry_of]
    assert len(tried) == len(set(tried))
    assert sum(one.state is not RunState.FINISHED for one in history) <= 1


async def test_github_is_told_of_the_end_once_it_shows_the_retry(pool: Pool[Any]) -> None:
    """A red check run in between would be taken for the result."""
    run_id = await start(pool)
    first = await claim(pool)
    assert first is not None
    for tier in CHECKED_TIERS:
        reported = await check_runs.of_attempt(pool, first.id, tier)
        await check_runs.created(pool, reported, 1)
        await check_runs.told(pool, reported, version=first.version, digest="in_progress::", annotations=0)
    await end(pool, first, rules=LATER)
    second = (await attempts.of_run(pool, run_id))[0]
    assert [item.attempt_id for item in await check_runs.behind(pool)] == [second.id]
    for tier in CHECKED_TIERS:
        assert not await check_runs.speaks(pool, first.id, tier)
        assert await check_runs.speaks(pool, second.id, tier)
        reported = await check_runs.of_attempt(pool, second.id, tier)
        await check_runs.told(pool, reported, version=second.version, digest="queued::", annotations=0)
    assert [item.attempt_id for item in await check_runs.behind(pool)] == [first.id]


async def test_a_retry_does_not_speak_before_what_was_asked_for_since(pool: Pool[Any]) -> None:
    """The run that tests the merge is asked for while the one of the head goes on, which is tried again after that."""
    run_id = await start(pool)
    first = await claim(pool)
    merged = Wanted(WIDGETS, SHA, BRANCH, Trust.TRUSTED, subject=f"merge:{3:040x}")
    async with pool.acquire() as connection, connection.transaction():
        newer = await runs.start(connection, merged, delivery=None)
    await end(pool, first)
    assert newer.attempt_id is not None
    assert await check_runs.speaks(pool, newer.attempt_id, Tier.FAST)
    assert (await runs.of_commit(pool, 7, SHA))[0] == newer.run_id
    assert not await check_runs.speaks(pool, (await attempts.of_run(pool, run_id))[0].id, Tier.FAST)
