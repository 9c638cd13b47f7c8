"""Redis is emptied every five seconds while a hundred runs are under way: all finish, and each once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from tests.chaos.engine import shared_engine
from tests.chaos.faults.servers import flush
from tests.chaos.gather import gather
from tests.chaos.oracle import judge
from tests.chaos.world import World, opened
from tests.product import scratch_folder
from tests.scenario.samples import WORDS

pytestmark = [pytest.mark.scenario, pytest.mark.chaos, pytest.mark.engine, pytest.mark.linux_root]

RUNS, EVERY = 100, 6
"""So many runs; every sixth is a job that takes some seconds."""
EVERY_SECONDS = 5.0


async def flush_for_ever(world: World, flushes: list[float]) -> None:
    while True:
        await flush(world.redis.url)
        flushes.append(time.monotonic())
        await asyncio.sleep(EVERY_SECONDS)


@pytest.mark.timeout(300)
async def test_a_hundred_runs_finish_once_while_redis_is_flushed_every_five_seconds() -> None:
    flushes: list[float] = []
    with scratch_folder() as folder:
        async with opened(folder, await shared_engine()) as world:
            people = world.people("flushed")
            words = await people.repository(WORDS, "words")
            flushing = asyncio.create_task(flush_for_ever(world, flushes))
            for number in range(RUNS):
                await (people.counted() if number % EVERY == 0 else people.prose(words))
            await world.at_rest(seconds=200)
            flushing.cancel()
            facts, _ = await gather(world, patience=30)
    assert judge(facts) == []
    assert len(facts.wanted) == RUNS
    assert len(flushes) >= 4, "it was over too soon to tell"
    ends = Counter(row.attempt for row in facts.audit if row.action == "attempt.finished")
    assert (len(ends), set(ends.values())) == (RUNS, {1})
    claims = Counter(row.attempt for row in facts.audit if row.action == "attempt.claimed")
    assert (len(claims), set(claims.values())) == (RUNS, {1}), "no flush has anything executed twice"
