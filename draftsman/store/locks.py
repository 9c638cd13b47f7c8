"""Advisory locks: one at a time across every worker that shares the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from draftsman.store.database import Pool


@asynccontextmanager
async def held(pool: Pool[Any], name: str) -> AsyncIterator[None]:
    """Hold the lock of that name, waiting for it as long as it takes. It goes with its connection."""
    async with pool.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", name, timeout=7200)
        try:
            yield
        finally:
            await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
