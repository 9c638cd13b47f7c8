"""Wake-ups on a real Redis that is away, comes, is killed and comes back."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from draftsman import embedded
from draftsman.awake import Vigil
from draftsman.domain.errors import HostError
from draftsman.domain.outcome import Outcome
from draftsman.domain.progress import Sink
from draftsman.domain.run import Attempt, Conclusion
from draftsman.queue import CALLS, WakeUps, redis_client
from draftsman.store.database import Pool
from orchestrator.claims import Claims
from orchestrator.upkeep import reconcile_regularly
from orchestrator.worker import hear, listen
from tests.orchestrator.test_claims import finished, queue_run, rules
from tests.product import scratch_folder

pytestmark = pytest.mark.services


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    with scratch_folder() as found:
        yield found


async def execute(_: Attempt, __: Sink, ___: asyncio.Event) -> Outcome:
    return Outcome(Conclusion.SUCCESS, "all checks passed")


async def test_a_redis_that_is_away_fails_no_wake_up_and_is_told_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wake_ups = WakeUps(f"unix://{folder}/absent")
    with caplog.at_level(logging.WARNING):
        await asyncio.gather(*(wake_ups.wake() for _ in range(3)))
        assert not await wake_ups.answers()
    await wake_ups.close()
    assert caplog.text.count("Redis is away") == 1


async def test_a_redis_that_says_nothing_holds_nobody_up(folder: Path) -> None:
    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)
        writer.close()

    server = await asyncio.start_unix_server(say_nothing, folder / "mute")
    wake_ups = WakeUps(f"unix://{folder}/mute")
    begin = time.monotonic()
    await wake_ups.wake()
    assert time.monotonic() - begin < 4
    await wake_ups.close()
    server.close()


async def test_a_malformed_url_is_told_at_the_start() -> None:
    with pytest.raises(HostError, match="REDIS_URL must look like"):
        WakeUps("http://example.com")


async def test_wake_ups_connect_when_redis_comes_and_comes_back(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with embedded.redis(folder / "redis") as url:
        pass
    wake_ups = WakeUps(url)
    with caplog.at_level(logging.WARNING):
        await wake_ups.wake()
        async with embedded.redis(folder / "redis") as url_again:
            assert url_again == url
            await wake_ups.wake()
            assert await wake_ups.answers()
            os.kill(int((folder / "redis/data/pid").read_text()), signal.SIGKILL)
            async with asyncio.timeout(20):
                while await wake_ups.answers():
                    await asyncio.sleep(0.02)
                while not await wake_ups.answers():
                    await asyncio.sleep(0.1)
            await wake_ups.wake()
            await wake_ups.close()
    told = [record.message.split(",")[0] for record in caplog.records if record.name == "draftsman.queue"]
    assert told == ["Redis is away (REDIS_URL)", "Redis is back"] * 2


async def test_work_goes_on_without_redis_and_wake_ups_are_heard_once_it_is_there(
    pool: Pool[Any], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with embedded.redis(folder / "redis") as url:
        pass
    claims = Claims(pool, execute, rules())
    wake_ups = WakeUps(url)

    async def wake() -> None:
        claims.wake()
        await wake_ups.wake()

    with caplog.at_level(logging.INFO):
        working = [
            asyncio.create_task(claims.run()),
            asyncio.create_task(listen(url, claims)),
            asyncio.create_task(
                reconcile_regularly(pool, wake, vigil=Vigil(lease_seconds=30, every_seconds=0.2), max_claims=3)
            ),
        ]
        for sha in "ab":
            attempt = await finished(pool, await queue_run(pool, sha))
            assert attempt.conclusion is Conclusion.SUCCESS
        await asyncio.sleep(2.5)
        assert caplog.text.count("looking for attempts every few seconds") == 1
        working.pop().cancel()  # without the reconciler, only a wake-up is quick
        async with embedded.redis(folder / "redis"):
            async with asyncio.timeout(10):
                while "heard again" not in caplog.text:
                    await asyncio.sleep(0.02)
            attempt_id = await queue_run(pool, "c")
            await wake_ups.wake()
            async with asyncio.timeout(2):
                await finished(pool, attempt_id)
            assert not any(task.done() for task in working)
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await wake_ups.close()


async def _listeners(url: str) -> int:
    """How many workers hear calls."""
    redis = redis_client(url)
    try:
        [(_, number)] = await redis.pubsub_numsub(CALLS)
        return int(number)
    finally:
        await redis.aclose()


async def test_a_worker_that_can_take_nothing_keeps_no_wake_up_from_another(pool: Pool[Any], folder: Path) -> None:
    async def never() -> bool:
        return False

    async with embedded.redis(folder / "redis") as url:
        wake_ups = WakeUps(url)
        full, free = Claims(pool, execute, rules(), is_ready=never), Claims(pool, execute, rules())
        works = [work for claims in (full, free) for work in (claims.run(), listen(url, claims), hear(url, claims))]
        working = [asyncio.create_task(work) for work in works]
        try:
            async with asyncio.timeout(10):
                while await _listeners(url) < 2:
                    await asyncio.sleep(0.02)
            for sha in "abcdef":
                attempt_id = await queue_run(pool, sha)
                await wake_ups.wake()
                async with asyncio.timeout(2):
                    await finished(pool, attempt_id)
            assert not any(task.done() for task in working)
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await wake_ups.close()
