"""The journal on a real Postgres that is killed, loses answers, or stays away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from draftsman import embedded
from draftsman.awake import Vigil
from draftsman.domain.errors import LeaseLostError
from draftsman.domain.outcome import ImageUsed, Outcome, StepResult
from draftsman.domain.progress import Entered, ImageReady, Output, Planned, Sink, StepFinished, StepStarted
from draftsman.domain.run import Attempt, Conclusion, RunState
from draftsman.store import audit, database, leases, logs, steps
from draftsman.store.database import DATABASE_AWAY, Pool
from draftsman.store.migrate import migrate
from orchestrator.claims import Claims
from orchestrator.journal import Journal
from orchestrator.lease import Lease
from orchestrator.upkeep import reconcile_regularly
from tests.bot.work import make_findings, make_plan
from tests.orchestrator.database_faults import way_to
from tests.orchestrator.test_claims import claim, finished, queue_run, rules
from tests.product import scratch_folder

pytestmark = pytest.mark.services

IMAGE = ImageUsed("image:1", "key", cached=False, build_seconds=1.5)


async def claimed(pool: Pool[Any]) -> Attempt:
    await queue_run(pool, "a")
    attempt = await claim(pool)
    assert attempt is not None
    return attempt


def journal_of(pool: Pool[Any], attempt: Attempt, *, lease_seconds: float = 30) -> Journal:
    lease = Lease(pool, attempt, seconds=lease_seconds, patience=lease_seconds)
    return Journal(pool, attempt, lease, owner="w", engine=lambda: "engine-1")


async def log_of(pool: Pool[Any], attempt: Attempt) -> bytes:
    return b"".join([chunk.content async for chunk in logs.read(pool, attempt.id)])


@asynccontextmanager
async def own_postgres() -> AsyncIterator[tuple[Pool[Any], int]]:
    """A Postgres that may be killed, and the pid to kill."""
    with scratch_folder() as folder:
        async with embedded.postgres(folder / "postgres") as url:
            pool = await database.connect(url, size=8)
            await migrate(pool)
            yield pool, int((folder / "postgres/data/postmaster.pid").read_text().splitlines()[0])
            pool.terminate()


async def test_a_postgres_that_is_killed_costs_the_log_nothing_and_the_attempt_its_outcome_neither() -> None:
    lines = [b"line %d\n" % number for number in range(3000)]
    outcome = Outcome(Conclusion.SUCCESS, "all checks passed", findings=tuple(make_findings(3)))
    killed = asyncio.Event()

    async def execute(_: Attempt, sink: Sink, __: asyncio.Event) -> Outcome:
        plan = make_plan()
        await sink(Planned(plan))
        await sink(ImageReady(IMAGE))
        await sink(Entered(RunState.RUNNING))
        for number, line in enumerate(lines):
            await sink(Output("fast-1" if number % 1000 < 500 else "full-1", line))
            if number == 1000:
                os.kill(pid, signal.SIGKILL)
                killed.set()
            if number % 500 == 0:
                await sink(StepStarted(plan.steps[0]))
                await asyncio.sleep(0.1)
        await sink(StepFinished(StepResult(plan.steps[0].id, plan.steps[0].tier, plan.steps[0].command, 0, 1.0)))
        return outcome

    async def wake() -> None: ...

    async with own_postgres() as (pool, pid):
        attempt_id = await queue_run(pool, "a")
        working = [
            asyncio.create_task(Claims(pool, execute, rules()).run()),
            asyncio.create_task(
                reconcile_regularly(pool, wake, vigil=Vigil(lease_seconds=30, every_seconds=0.2), max_claims=1)
            ),
        ]
        await killed.wait()
        async with asyncio.timeout(30):
            while True:
                try:
                    ended = await finished(pool, attempt_id)
                    break
                except DATABASE_AWAY:
                    await asyncio.sleep(0.1)
        assert not any(task.done() for task in working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        assert (ended.conclusion, ended.title, ended.epoch) == (Conclusion.SUCCESS, "all checks passed", 1)
        assert await log_of(pool, ended) == b"".join(lines)
        assert len(await steps.findings_of(pool, ended.id)) == 3
        assert (await steps.of_attempt(pool, ended.id))[0].state == "finished"
        actions = [event.action for event in await audit.of_run(pool, ended.run.id)]
        assert actions == ["attempt.created", "attempt.claimed", "attempt.running", "attempt.finished"]


async def test_a_chunk_whose_answer_was_lost_is_in_the_log_once(pool: Pool[Any], database_url: str) -> None:
    attempt = await claimed(pool)
    async with way_to(database_url) as (way, url):
        cut = await database.connect(url, size=2)
        async with journal_of(cut, attempt) as journal:
            way.lose = b"lost-answer"  # the section, in the statement that keeps the chunk
            await journal(Output("lost-answer", b"first\n"))
            while not way.lost:
                await asyncio.sleep(0.02)
            await journal(Output("lost-answer", b"second\n"))
            await journal.finish(Outcome(Conclusion.SUCCESS, "good"))
        cut.terminate()
    assert way.lost == 1
    assert await log_of(pool, attempt) == b"first\nsecond\n"


async def test_an_end_whose_answer_was_lost_is_no_lost_lease(pool: Pool[Any], database_url: str) -> None:
    attempt = await claimed(pool)
    async with way_to(database_url) as (way, url):
        cut = await database.connect(url, size=2)
        async with journal_of(cut, attempt) as journal:
            way.lose = b"COMMIT"
            await journal.finish(Outcome(Conclusion.FAILURE, "bad", findings=tuple(make_findings(2))))
        cut.terminate()
    assert way.lost == 1
    ended = await finished(pool, attempt.id)
    assert (ended.conclusion, ended.title) == (Conclusion.FAILURE, "bad")
    assert len(await steps.findings_of(pool, attempt.id)) == 2
    actions = [event.action for event in await audit.of_run(pool, ended.run.id)]
    assert actions.count("attempt.finished") == 1


async def test_what_postgres_refuses_is_raised_at_once(pool: Pool[Any]) -> None:
    attempt = await claimed(pool)
    async with journal_of(pool, attempt) as journal:
        await pool.execute("ALTER TABLE attempts DROP COLUMN image")
        begin = time.monotonic()
        with pytest.raises(asyncpg.UndefinedColumnError):
            await journal(ImageReady(IMAGE))
        assert time.monotonic() - begin < 1


async def test_a_postgres_that_stays_away_costs_the_lease_and_no_more_time(pool: Pool[Any], database_url: str) -> None:
    attempt = await claimed(pool)
    async with way_to(database_url) as (way, url):
        cut = await database.connect(url, size=2)
        async with journal_of(cut, attempt, lease_seconds=1.5) as journal:
            way.close()
            begin = time.monotonic()
            with pytest.raises(LeaseLostError, match="ran out while Postgres was away"):
                await journal.finish(Outcome(Conclusion.SUCCESS, "good"))
            assert 1 < time.monotonic() - begin < 4
        cut.terminate()


async def test_a_lease_that_was_lost_during_an_outage_is_not_written_over(pool: Pool[Any], database_url: str) -> None:
    attempt = await claimed(pool)
    async with way_to(database_url) as (way, url):
        cut = await database.connect(url, size=2)
        async with journal_of(cut, attempt) as journal:
            way.close()
            ending = asyncio.create_task(journal.finish(Outcome(Conclusion.SUCCESS, "good")))
            await asyncio.sleep(0.3)
            await pool.execute("UPDATE attempts SET lease_expires = now() - interval '1 s'")
            await leases.give_back_lost(pool, max_claims=3)
            assert await claim(pool, "another") is not None
            way.closed = False
            with pytest.raises(LeaseLostError):
                await ending
        cut.terminate()
    assert (await pool.fetchval("SELECT state FROM attempts")) == "preparing"


async def test_the_image_is_noted_with_the_engine_that_has_it(pool: Pool[Any]) -> None:
    async with journal_of(pool, await claimed(pool)) as journal:
        await journal(ImageReady(IMAGE))
    assert await pool.fetchval("SELECT engine FROM images") == "engine-1"
