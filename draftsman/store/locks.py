"""Advisory locks: one at a time across every process that shares the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from draftsman.store.database import DATABASE_AWAY, Pool
from draftsman.store.retry import retried

log = logging.getLogger(__name__)

_LONGEST_WAIT = 7200.0
"""Seconds. Whoever holds the lock builds an image, which has a time limit of its own."""

_UNLOCK_SECONDS = 10.0
_TRY_SECONDS = 10.0


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


@asynccontextmanager
async def alone(pool: Pool[Any], key: int) -> AsyncIterator[bool]:
    """Yield whether this is the only process that does now what the key stands for. Others do not wait."""
    async with pool.acquire() as connection:
        mine: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", key)
        try:
            yield mine
        finally:
            if mine:
                try:
                    await connection.execute("SELECT pg_advisory_unlock($1)", key, timeout=_UNLOCK_SECONDS)
                except DATABASE_AWAY:
                    connection.terminate()  # the lock goes with its connection


@dataclass(frozen=True, slots=True)
class Turn:
    """A lock that was got at the first try."""

    _connection: Any

    @property
    def is_held(self) -> bool:
        """Return whether it is still ours: it goes with its connection."""
        return not self._connection.is_closed()


class Turns:
    """Advisory locks that are tried, never waited for. One connection holds them all, however many, and no pool's.

    Within one process the caller sees to it that a name is tried by one task at a time.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: Any = None
        self._one_statement = asyncio.Lock()

    @asynccontextmanager
    async def tried(self, name: str) -> AsyncIterator[Turn | None]:
        """Yield the lock of that name, held until the end of the block; None where somebody else holds it.

        Raises one of DATABASE_AWAY where Postgres is away.
        """
        connection = await self._take(name)
        if connection is None:
            yield None
            return
        try:
            yield Turn(connection)
        finally:
            await self._give(connection, name)

    async def close(self) -> None:
        """Give up every lock."""
        if self._connection is not None:
            self._connection.terminate()

    async def _take(self, name: str) -> Any:
        async with self._one_statement:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._database_url, timeout=_TRY_SECONDS)
            connection = self._connection
            got = await connection.fetchval(
                "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name, timeout=_TRY_SECONDS
            )
        return connection if got else None

    async def _give(self, connection: Any, name: str) -> None:
        try:
            async with self._one_statement:
                await connection.execute(
                    "SELECT pg_advisory_unlock(hashtextextended($1, 0))", name, timeout=_UNLOCK_SECONDS
                )
        except DATABASE_AWAY as error:
            # A lock that nobody can give back would keep others out: with its connection it goes.
            connection.terminate()
            log.warning("the lock %r goes with its connection: %r", name, error)
