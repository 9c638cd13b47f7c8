"""Keeps the promise that nothing is lost: brings back what a dead worker left, and wakes whoever can take it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from draftsman.store import attempts, leases
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool

log = logging.getLogger(__name__)

Wake = Callable[[], Awaitable[None]]
"""Tells the workers that there may be work. It raises nothing: a wake-up that gets lost costs seconds, no more."""


async def reconcile(pool: Pool[Any], wake: Wake, *, max_claims: int) -> None:
    """Give back the attempts of lost leases, and wake the workers where anything is queued."""
    for attempt_id in await leases.give_back_lost(pool, max_claims=max_claims):
        log.warning("attempt %s: its worker was lost", attempt_id)
    if await attempts.queued(pool):
        await wake()


async def reconcile_regularly(pool: Pool[Any], wake: Wake, *, max_claims: int, every_seconds: float = 10) -> None:
    """Reconcile for ever: at once, then every `every_seconds`. A database that is away is waited for."""
    while True:
        try:
            await reconcile(pool, wake, max_claims=max_claims)
        except DATABASE_AWAY as error:
            log.warning("reconcile failed, trying again: %r", error)
        except DATABASE_REFUSED as error:
            log.error("reconcile failed: Postgres refuses", exc_info=error)
        await asyncio.sleep(every_seconds)
