"""A worker says that it is there, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from draftsman.store import workers
from draftsman.store.database import Pool
from draftsman.store.workers import Present
from orchestrator.presence import Presence

ME = Present("w1", "box", "1.0", slots=2, per_repository=1)


async def seen(pool: Pool[Any]) -> Any:
    return await workers.get(pool, "w1")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_it_says_how_much_is_in_use_as_soon_as_that_changes_and_at_the_end_that_it_stops(
    pool: Pool[Any],
) -> None:
    busy = 0
    engine: str | None = None
    presence = Presence(
        pool, ME, busy=lambda: busy, engine=lambda: engine, labels=lambda: ("gpu", "arm64") if engine else ("gpu",)
    )
    await presence.begin()
    assert ((await seen(pool)).busy, (await seen(pool)).engine, (await seen(pool)).labels) == (0, None, ("gpu",))
    keeping = asyncio.create_task(presence.keep())
    busy, engine = 2, "E1"

    async def is_said() -> bool:
        worker = await seen(pool)
        return (worker.busy, worker.engine, worker.labels) == (2, "E1", ("gpu", "arm64"))

    await until(is_said)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    stopped = await seen(pool)
    assert (stopped.stopped_at is not None, stopped.busy) == (True, 0)


async def test_the_log_tells_that_it_is_drained(pool: Pool[Any], caplog: pytest.LogCaptureFixture) -> None:
    await workers.beat(pool, ME)
    async with pool.acquire() as connection, connection.transaction():
        await workers.drain(connection, "w1", by="ada", reason="upgrade")
    presence = Presence(pool, ME, busy=lambda: 0, engine=lambda: None)
    await presence.begin()
    await presence.begin()
    said = [record.getMessage() for record in caplog.records if "drained" in record.getMessage()]
    assert len(said) == 1
    assert "by ada (upgrade)" in said[0]
    assert "draftsman queue undrain w1" in said[0]
    async with pool.acquire() as connection, connection.transaction():
        await workers.undrain(connection, "w1", by="ada")
    await presence.begin()
    assert "takes runs again" in caplog.text


async def test_a_database_that_is_away_is_waited_for(pool: Pool[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.presence.BEAT_SECONDS", 0.1)
    presence = Presence(pool, ME, busy=lambda: 0, engine=lambda: None)
    await presence.begin()
    await pool.execute("ALTER TABLE workers RENAME TO away")  # Postgres refuses
    keeping = asyncio.create_task(presence.keep())
    await asyncio.sleep(1)
    assert not keeping.done()
    await pool.execute("ALTER TABLE away RENAME TO workers")
    await pool.execute("UPDATE workers SET seen_at = now() - interval '1 hour'")

    async def is_back() -> bool:
        return bool(await pool.fetchval("SELECT seen_at > now() - interval '10 seconds' FROM workers"))

    await until(is_back)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
