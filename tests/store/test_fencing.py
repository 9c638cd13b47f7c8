"""What the model of the life cycle (`tests/store/model`) found, each as it was found: in a real Postgres."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from draftsman.domain.errors import LeaseLostError
from draftsman.domain.outcome import ImageUsed, Outcome
from draftsman.domain.run import Attempt, Conclusion, RunState, Trust
from draftsman.store import approvals, attempts, audit, leases, logs, steps
from draftsman.store.database import Pool
from tests.bot.work import make_plan
from tests.store.test_runs import claim, failed, start, wanted


async def lose(pool: Pool[Any], attempt: Attempt, *, max_claims: int = 3) -> list[Any]:
    """Let the lease run out, and the reconciler look."""
    await pool.execute("UPDATE attempts SET lease_expires = now() - interval '1 s' WHERE id = $1", attempt.id)
    return await leases.give_back_lost(pool, max_claims=max_claims)


async def test_whoever_lost_the_lease_changes_nothing_though_nobody_took_it_yet(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    lost = await claim(pool)
    await attempts.keep_plan(pool, lost, make_plan())
    await steps.replace(pool, lost, make_plan().steps)
    await logs.append(pool, lost, "fast-1", b"in time")
    assert await lose(pool, lost) == [lost.id]
    with pytest.raises(LeaseLostError):
        await attempts.keep_plan(pool, lost, make_plan(fast=("true",)))
    with pytest.raises(LeaseLostError):
        await attempts.keep_base(pool, lost, "main")
    with pytest.raises(LeaseLostError):
        await attempts.keep_image(pool, lost, ImageUsed("t:1", "k", cached=True, build_seconds=0))
    with pytest.raises(LeaseLostError):
        await attempts.finish(pool, lost, failed(), owner="w1")
    await logs.append(pool, lost, "fast-1", b", too late")
    await steps.started(pool, lost, "fast-1")
    await logs.clear(pool, lost)
    await steps.replace(pool, lost, ())
    assert await logs.tail(pool, lost.id, limit=100) == b"in time"
    assert {step.state for step in await steps.of_attempt(pool, lost.id)} == {"pending"}
    [attempt] = await attempts.of_run(pool, started.run_id)
    assert (attempt.state, await attempts.plan_of(pool, lost.id)) == (RunState.QUEUED, make_plan())


async def test_nobody_takes_an_attempt_while_a_line_of_its_log_is_being_kept(pool: Pool[Any]) -> None:
    """Else the line would be there after the next worker began anew, and in the place of one of its own."""
    await start(pool, wanted())
    slow = await claim(pool, lease_seconds=0)
    async with pool.acquire() as connection, connection.transaction():
        await logs.append(connection, slow, "fast-1", b"slow")
        assert await leases.give_back_lost(pool, max_claims=3) == []
    assert await leases.give_back_lost(pool, max_claims=3) == [slow.id]
    again = await claim(pool, "w2")
    await logs.clear(pool, again)
    assert await logs.tail(pool, slow.id, limit=100) == b""


async def test_an_approval_does_not_bring_back_what_somebody_cancelled_meanwhile(pool: Pool[Any]) -> None:
    started = await start(pool, wanted(trust=Trust.UNTRUSTED))
    assert started.attempt_id is not None

    async def approve() -> Any:
        async with pool.acquire() as connection, connection.transaction():
            return await approvals.approve(connection, started.run_id, by="bob", reason="fine", asked=False)

    async with pool.acquire() as connection, connection.transaction():
        assert await attempts.ask_cancel(connection, started.attempt_id, by="alice", reason="by alice")
        approving = asyncio.create_task(approve())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(approving), 0.3)
    assert await approving is None
    [attempt] = await attempts.of_run(pool, started.run_id)
    assert (attempt.conclusion, attempt.title) == (Conclusion.CANCELLED, "cancelled by alice")


@pytest.mark.parametrize("way", ["lost", "given back", "taken back"])
async def test_what_somebody_cancelled_is_not_queued_again_where_its_worker_goes(pool: Pool[Any], way: str) -> None:
    """It would wait for a worker, only to end; and nobody could cancel it any more."""
    started = await start(pool, wanted())
    attempt = await claim(pool)
    await attempts.ask_cancel(pool, attempt.id, by="alice", reason="by alice")
    if way == "lost":
        await lose(pool, attempt)
    elif way == "given back":
        await leases.give_back(pool, attempt, owner="w1")
    else:
        await leases.give_back_of(pool, "w1", max_claims=3)
    [ended] = await attempts.of_run(pool, started.run_id)
    assert (ended.state, ended.conclusion, ended.title) == (
        RunState.FINISHED,
        Conclusion.CANCELLED,
        "cancelled by alice",
    )
    assert await claim(pool) is None
    last = (await audit.of_run(pool, started.run_id))[-1]
    assert last.detail["now"] == "finished"


async def test_only_a_claim_begins_to_prepare(pool: Pool[Any]) -> None:
    await start(pool, wanted())
    attempt = await claim(pool)
    await attempts.enter(pool, attempt, RunState.RUNNING, owner="w1")
    with pytest.raises(LeaseLostError):
        await attempts.enter(pool, attempt, RunState.PREPARING, owner="w1")
    # A job that was gone on with was killed with its engine: it is built anew.
    await attempts.enter(pool, attempt, RunState.BUILDING, owner="w1")
    await attempts.finish(pool, attempt, Outcome(Conclusion.SUCCESS, "fine"), owner="w1")
