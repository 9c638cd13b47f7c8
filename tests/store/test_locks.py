"""Advisory locks on a real Postgres, also one that drops their connections."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from draftsman.store import database
from draftsman.store.database import Pool
from draftsman.store.locks import Turns, held

HOLDERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
WAITERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


async def drop(pool: Pool[Any], which: str) -> None:
    """End the connections that hold a lock of this database, or wait for one."""
    ended = await pool.fetch(
        f"SELECT pg_terminate_backend(pid) FROM ({which} AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())) found"
    )
    assert len(ended) == 1


async def test_one_at_a_time_by_name(pool: Pool[Any]) -> None:
    inside: list[str] = []

    async def build(name: str) -> None:
        async with held(pool, name):
            assert name not in inside
            inside.append(name)
            await asyncio.sleep(0.05)
            inside.remove(name)

    async with asyncio.timeout(10):
        await asyncio.gather(*(build(name) for name in ("one", "one", "two", "one")))


async def test_what_is_done_under_a_lock_stays_done_when_its_connection_breaks(
    pool: Pool[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with held(pool, "build key"):
            await drop(pool, HOLDERS)
            built = True
    assert built
    assert "'build key' went with its connection" in caplog.text
    async with asyncio.timeout(5), held(pool, "build key"):
        pass


async def test_a_failure_under_a_lock_is_the_one_that_is_told(pool: Pool[Any]) -> None:
    async def fail() -> None:
        async with held(pool, "build key"):
            await drop(pool, HOLDERS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_who_waits_goes_on_waiting_when_its_connection_breaks(pool: Pool[Any], database_url: str) -> None:
    entered = asyncio.Event()
    others = await database.connect(database_url, size=2)

    async def wait() -> None:
        async with held(others, "build key"):
            entered.set()

    async with held(pool, "build key"):
        waiting = asyncio.create_task(wait())
        async with asyncio.timeout(10):
            while not await pool.fetch(WAITERS):
                await asyncio.sleep(0.02)
            await drop(pool, WAITERS)
            while not await pool.fetch(WAITERS):
                await asyncio.sleep(0.02)
        assert not entered.is_set()
    async with asyncio.timeout(10):
        await waiting
    others.terminate()


async def test_a_turn_is_had_by_one_process_at_a_time_and_given_back(database_url: str) -> None:
    one, other = Turns(database_url), Turns(database_url)
    async with one.tried("a") as mine, one.tried("b") as also_mine:
        assert mine is not None
        assert also_mine is not None
        assert mine.is_held
        async with other.tried("a") as theirs, other.tried("c") as free:
            assert theirs is None
            assert free is not None
    async with other.tried("a") as theirs:
        assert theirs is not None
    await one.close()
    await other.close()


async def test_a_turn_goes_with_its_connection_and_whoever_had_it_knows(pool: Pool[Any], database_url: str) -> None:
    one, other = Turns(database_url), Turns(database_url)
    async with one.tried("a") as mine:
        assert mine is not None
        await drop(pool, HOLDERS)
        async with asyncio.timeout(10):
            while mine.is_held:
                await asyncio.sleep(0.01)
        async with other.tried("a") as theirs:
            assert theirs is not None
    async with one.tried("a") as again:
        assert again is not None
    await one.close()
    await other.close()


async def test_turns_of_many_tasks_share_one_connection(pool: Pool[Any], database_url: str) -> None:
    turns = Turns(database_url)

    async def take(name: str) -> bool:
        async with turns.tried(name) as turn:
            await asyncio.sleep(0.1)
            return turn is not None

    taken = [asyncio.create_task(take(f"commit {number}")) for number in range(20)]
    await asyncio.sleep(0.05)
    assert await pool.fetchval(f"SELECT count(DISTINCT pid) FROM ({HOLDERS}) found") == 1
    assert all(await asyncio.gather(*taken))
    await turns.close()
