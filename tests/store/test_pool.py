"""A cancellation is heard also where the connection breaks in the same moment."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest

from draftsman.store import database
from draftsman.store.database import DATABASE_AWAY
from tests.chaos.line import laid
from tests.product import scratch_folder


@pytest.mark.parametrize("in_transaction", [True, False])
async def test_who_is_told_to_stop_stops_though_the_connection_breaks(postgres_url: str, in_transaction: bool) -> None:
    found = re.search(r"host=([^&]+)", postgres_url)
    assert found is not None
    with scratch_folder() as folder:
        socket = folder / ".s.PGSQL.5432"
        async with laid(Path(found[1], socket.name), socket) as (line, _):
            pool = await database.connect(postgres_url.replace(found[1], str(folder)), size=2)
            begun = asyncio.Event()

            async def serve() -> None:
                """Try again for ever, as services do where the database is away."""
                while True:
                    try:
                        if in_transaction:
                            async with pool.acquire() as connection, connection.transaction():
                                begun.set()
                                await connection.execute("SELECT pg_sleep(60)")
                        else:
                            begun.set()
                            await pool.execute("SELECT pg_sleep(60)")
                    except DATABASE_AWAY:
                        await asyncio.sleep(0.05)

            task = asyncio.create_task(serve())
            await begun.wait()
            await asyncio.sleep(0.2)
            line.cut()
            task.cancel()
            async with asyncio.timeout(20):
                await asyncio.wait([task])
            assert task.cancelled()
            pool.terminate()


async def test_what_fails_without_a_cancellation_fails_as_it_did(postgres_url: str) -> None:
    pool = await database.connect(postgres_url, size=1)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await pool.fetchval("SELECT 1 / 0")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await pool.execute("SELECT pg_sleep(60)")
    assert await pool.fetchval("SELECT 1") == 1
    pool.terminate()
