"""What comes back while its job goes on: kept for workers of the same engine for a while, in a real Postgres."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from draftsman.domain.labels import Offer
from draftsman.domain.outcome import ImageUsed
from draftsman.domain.run import Attempt, RunState
from draftsman.domain.waiting import Cause
from draftsman.store import attempts, leases, waiting, workers
from draftsman.store.database import Pool
from tests.store.test_queue import SERVED, cause_of, claim, drain, pause, present, push, runs_on

HERE, ELSEWHERE = Offer(engine="E1"), Offer(engine="E2")
IMAGE = ImageUsed("t:1", "k", cached=True, build_seconds=0)


async def running(pool: Pool[Any], *, offer: Offer = HERE, owner: str = "w1") -> Attempt:
    """An attempt whose job runs on the engine of the offer."""
    attempt = await claim(pool, owner=owner, offer=offer)
    assert attempt is not None
    await attempts.keep_image(pool, attempt, IMAGE)
    await attempts.enter(pool, attempt, RunState.RUNNING, owner=owner)
    return attempt


async def kept(pool: Pool[Any], *, repo: int = 1, **how: Any) -> Attempt:
    """An attempt that was handed over."""
    await push(pool, repo, 0)
    attempt = await running(pool, **how)
    await leases.give_back(pool, attempt, owner="w1", kept_seconds=60)
    return attempt


async def time_passes(pool: Pool[Any], seconds: float) -> None:
    await pool.execute("UPDATE attempts SET kept_until = kept_until - make_interval(secs => $1)", seconds)


async def test_only_the_engine_where_its_job_goes_on_has_it_at_first_and_then_anybody(pool: Pool[Any]) -> None:
    attempt = await kept(pool)
    assert await claim(pool, owner="w2", offer=ELSEWHERE) is None
    assert await claim(pool, owner="w2") is None, "nor has a worker that does not know its engine"
    assert await cause_of(pool, attempt.run.id) is Cause.HANDED_OVER
    found = await waiting.queue(pool, SERVED, limit=5)
    assert [one.place for one, _ in found.waiting] == [None]
    await time_passes(pool, 59)
    assert await claim(pool, owner="w2", offer=ELSEWHERE) is None
    await time_passes(pool, 2)
    taken = await claim(pool, owner="w2", offer=ELSEWHERE)
    assert taken is not None
    assert (taken.id, taken.epoch) == (attempt.id, 2)


async def test_another_worker_of_that_engine_takes_it_at_once(pool: Pool[Any]) -> None:
    attempt = await kept(pool)
    taken = await claim(pool, owner="w3", offer=HERE)
    assert taken is not None
    assert taken.id == attempt.id
    # What another engine has now is not kept for the first one.
    await leases.give_back(pool, taken, owner="w3")
    assert await claim(pool, owner="w2", offer=ELSEWHERE) is not None


async def test_it_is_under_way_so_nothing_that_holds_up_what_is_new_holds_it_up(pool: Pool[Any]) -> None:
    attempt = await kept(pool)
    for number in range(1, 4):
        await push(pool, 1, number)
    await present(pool)
    busy = await claim(pool, owner="w2", offer=ELSEWHERE, per_repository=1)
    assert busy is not None
    assert busy.id != attempt.id
    await pause(pool)
    await drain(pool, "w1")
    assert await claim(pool, owner="w1", offer=Offer(), per_repository=1) is None
    taken = await claim(pool, owner="w1", offer=HERE, per_repository=1)
    assert taken is not None
    assert taken.id == attempt.id
    assert await claim(pool, owner="w1", offer=HERE, per_repository=1) is None, "and that is all"


async def test_it_goes_before_what_a_person_asked_for_and_takes_no_turn(pool: Pool[Any]) -> None:
    attempt = await kept(pool)
    turn = await pool.fetchval("SELECT claimed_at FROM claim_turns")
    await push(pool, 2, 0)
    await pool.execute("UPDATE attempts SET priority = 10 WHERE epoch = 0")
    taken = await claim(pool, offer=HERE)
    assert taken is not None
    assert taken.id == attempt.id
    assert await pool.fetchval("SELECT claimed_at FROM claim_turns") == turn


async def test_what_may_not_run_here_any_more_is_not_taken_up(pool: Pool[Any]) -> None:
    await kept(pool)
    await runs_on(pool, "acme/r1", "gpu")
    assert await claim(pool, offer=HERE) is None
    assert await claim(pool, owner="w2", offer=Offer(("gpu",), engine="E2")) is None
    await time_passes(pool, 61)
    assert await claim(pool, offer=HERE) is None
    assert await claim(pool, owner="w2", offer=Offer(("gpu",), engine="E2")) is not None


async def test_what_had_no_job_yet_is_for_anybody(pool: Pool[Any]) -> None:
    await push(pool, 1, 0)
    attempt = await claim(pool, offer=HERE)
    assert attempt is not None
    await leases.give_back(pool, attempt, owner="w1", kept_seconds=60)
    assert await claim(pool, owner="w2", offer=ELSEWHERE) is not None


async def test_one_that_somebody_cancelled_ends(pool: Pool[Any]) -> None:
    await push(pool, 1, 0)
    attempt = await running(pool)
    await attempts.ask_cancel(pool, attempt.id, by="ada", reason="by ada")
    await leases.give_back(pool, attempt, owner="w1", kept_seconds=60)
    ended = await attempts.get(pool, attempt.id)
    assert ended is not None
    assert ended.state is RunState.FINISHED


async def test_a_worker_that_died_finds_what_it_ran_when_it_is_back(pool: Pool[Any]) -> None:
    await push(pool, 1, 0)
    attempt = await running(pool)
    assert await leases.give_back_of(pool, "w1", max_claims=3, kept_seconds=60) == [attempt.id]
    assert await claim(pool, owner="w2", offer=ELSEWHERE) is None
    assert await claim(pool, owner="w1", offer=HERE) is not None


@pytest.mark.parametrize(
    ("neighbour", "is_kept"),
    [
        ({"engine": "E1"}, True),
        ({"engine": "E2"}, False),
        ({"engine": "E1", "is_engine_away": True}, False),
        ({"engine": "E1", "stopped": True}, False),
        ({"engine": "E1", "silent": True}, False),
    ],
    ids=["its neighbour is there", "only other engines", "the engine is away", "it stopped", "the machine is gone"],
)
async def test_what_a_lost_worker_ran_is_for_its_neighbours_for_a_moment(
    pool: Pool[Any], neighbour: dict[str, Any], is_kept: bool
) -> None:
    fields = {key: value for key, value in neighbour.items() if key not in ("stopped", "silent")}
    await present(pool, "w3", **fields)
    if neighbour.get("stopped"):
        await workers.stopped(pool, "w3")
    if neighbour.get("silent"):
        await pool.execute("UPDATE workers SET seen_at = now() - interval '1 minute'")
    await push(pool, 1, 0)
    attempt = await running(pool)
    await pool.execute("UPDATE attempts SET lease_expires = now() - interval '1 s'")
    assert await leases.give_back_lost(pool, max_claims=3, kept_seconds=60) == [attempt.id]
    assert (await claim(pool, owner="w2", offer=ELSEWHERE) is None) is is_kept
    await time_passes(pool, leases.NEIGHBOURS_SECONDS)
    assert (await claim(pool, owner="w2", offer=ELSEWHERE) is not None) is is_kept


async def test_of_several_workers_of_the_engine_one_has_it(pool: Pool[Any]) -> None:
    attempt = await kept(pool)
    claims = await asyncio.gather(*(claim(pool, owner=f"w{number}", offer=HERE) for number in range(8)))
    assert [one.id for one in claims if one] == [attempt.id]


async def test_a_job_is_nobodys_where_its_attempt_goes_on_without_it(pool: Pool[Any]) -> None:
    async def fence(engine: str) -> int | None:
        return (await attempts.fences(pool, [attempt.id], engine=engine)).get(attempt.id)

    attempt = await kept(pool)
    assert (attempt.epoch, await fence("E1")) == (1, 1), "it waits for a worker, and so does its job"
    adopted = await claim(pool, offer=HERE)
    assert adopted is not None
    assert (adopted.epoch, await fence("E1")) == (2, 1), "it was taken up"
    await leases.give_back(pool, adopted, owner="w1")
    await time_passes(pool, 61)
    begun = await running(pool, offer=ELSEWHERE, owner="w2")
    assert (begun.epoch, await fence("E1"), await fence("E2")) == (3, 3, 3), "the job of the first claim is nobody's"
    await leases.give_back(pool, begun, owner="w2")
    assert await fence("E1") == 3
    last = await claim(pool, offer=HERE)
    assert last is not None
    assert (await fence("E1"), await fence("E2")) == (3, 4)
    await pool.execute("UPDATE attempts SET state = 'finished', conclusion = 'success', finished_at = now()")
    assert await fence("E1") is None
