"""Advisory locks: one at a time across every worker that shares the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from draftsman.store.database import DATABASE_AWAY, Pool
from draftsman.store.retry import retried

log = logging.getLogger(__name__)

_LONGEST_WAIT = 7200.0
"""Seconds. Whoever holds the lock builds an image, which has a time limit of its own."""

_UNLOCK_SECONDS = 10.0


@asynccontextmanager
async def held(pool: Pool[Any], name: str) -> AsyncIterator[None]:
    """Hold the lock of that name, waiting for it as long as it takes, and for Postgres where it is away.

    The lock goes with its connection: a Postgres that restarts frees it, and what is done inside goes on.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LONGEST_WAIT
    connection = await retried(
        lambda: _lock(pool, name), seconds_left=lambda: deadline - loop.time(), name=f"the lock {name!r}"
    )
    try:
        yield
    finally:
        try:
            await connection.execute(
                "SELECT pg_advisory_unlock(hashtextextended($1, 0))", name, timeout=_UNLOCK_SECONDS
            )
        except DATABASE_AWAY as error:
            log.warning("the lock %r went with its connection: %r", name, error)
        finally:
            await pool.release(connection)


async def _lock(pool: Pool[Any], name: str) -> Any:
    connection = await pool.acquire()
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", name, timeout=_LONGEST_WAIT)
    except BaseException:
        await pool.release(connection)
        raise
    return connection
