"""Keeps the promise that nothing is lost: brings back what a dead worker left, and wakes whoever can take it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from draftsman.awake import Vigil
from draftsman.domain.alert import Alert
from draftsman.domain.retry import NO_RETRIES, RetryRules
from draftsman.pulse import Beat, no_beat
from draftsman.store import attempts, leases
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool

log = logging.getLogger(__name__)

Wake = Callable[[], Awaitable[None]]
"""Tells the workers that there may be work. It raises nothing: a wake-up that gets lost costs seconds, no more."""


async def reconcile(
    pool: Pool[Any],
    wake: Wake,
    *,
    max_claims: int,
    retries: RetryRules = NO_RETRIES,
    hand_over_seconds: float = 0,
    are_lost: bool = True,
) -> None:
    """Give back the attempts of lost leases, where `are_lost`, and wake the workers where anything is queued."""
    lost: list[UUID] = []
    if are_lost:
        async with pool.acquire() as connection, connection.transaction():
            lost = await leases.give_back_lost(
                connection, max_claims=max_claims, retries=retries, kept_seconds=hand_over_seconds
            )
    for attempt_id in lost:
        log.warning("attempt %s: its worker was lost", attempt_id, extra=Alert.WORKER_LOST.extra)
    if await attempts.any_queued(pool):
        await wake()


async def reconcile_regularly(
    pool: Pool[Any],
    wake: Wake,
    *,
    vigil: Vigil,
    max_claims: int,
    retries: RetryRules = NO_RETRIES,
    hand_over_seconds: float = 0,
    beat: Beat = no_beat,
) -> None:
    """Reconcile for ever: at once, then as often as the vigil looks. A database that is away is waited for.

    After it was, or after the machine slept, leases have their time again before one counts as lost.
    """
    while True:
        beat()
        try:
            await reconcile(
                pool,
                wake,
                max_claims=max_claims,
                retries=retries,
                hand_over_seconds=hand_over_seconds,
                are_lost=vigil.look(),
            )
        except DATABASE_AWAY as error:
            vigil.miss()
            log.warning("reconcile failed, trying again: %r", error, extra=Alert.POSTGRES_AWAY.extra)
        except DATABASE_REFUSED as error:
            log.error("reconcile failed: Postgres refuses", exc_info=error, extra=Alert.POSTGRES_REFUSES.extra)
        await asyncio.sleep(vigil.every_seconds)
