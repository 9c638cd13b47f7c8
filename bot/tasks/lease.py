"""The lease of a task that is being done: renewed while its process lives, so that one that dies holds nothing up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from draftsman.domain.errors import LeaseLostError
from draftsman.store import tasks
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool
from draftsman.store.tasks import Task


@asynccontextmanager
async def held(pool: Pool[Any], task: Task, *, seconds: float) -> AsyncIterator[None]:
    """Renew the lease of `seconds` while the block runs.

    The block is ended, and LeaseLostError raised, where somebody else has the task now, and before anybody can have it:
    where the lease was not renewed for three quarters of its time, since Postgres is away.
    """
    try:
        async with asyncio.timeout(seconds * 3 / 4) as limit:
            renewing = asyncio.create_task(_renewed(pool, task, limit, seconds), name=f"lease of task {task.id}")
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.wait([renewing])
    except TimeoutError:
        if not limit.expired():
            raise
        raise LeaseLostError(f"the lease of task {task.id} ({task.kind}) could not be renewed") from None


async def _renewed(pool: Pool[Any], task: Task, limit: asyncio.Timeout, seconds: float) -> None:
    """Renew the lease every quarter of its time, and move the limit as far as that goes."""
    now = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(seconds / 4)
        asked = now()
        try:
            async with asyncio.timeout(seconds / 4):
                await tasks.renew(pool, task, lease_seconds=seconds)
            until = asked + seconds * 3 / 4
        except LeaseLostError:
            until = asked
        except (*DATABASE_AWAY, *DATABASE_REFUSED):
            continue  # what is done with the task meets this as well, and says it
        if limit.expired():
            return
        limit.reschedule(until)
