"""Whether this instance can do its work, for people, load balancers and Docker's health check."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from draftsman import __version__
from draftsman.domain.alert import Alert
from draftsman.store import attempts
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool

ANSWERED_WITHIN = 3.0
"""Seconds that Postgres has."""


async def answer(pool: Pool[Any], redis_answers: Callable[[], Awaitable[bool]]) -> web.Response:
    """Answer 200 while deliveries can be kept, 503 while Postgres is away.

    Without Redis work goes on, more slowly: it is told, and changes nothing.
    """
    queued, redis = await asyncio.gather(_queued(pool), redis_answers())
    body = {
        "status": "unavailable" if queued is None else "ok",
        "postgres": queued is not None,
        "redis": redis,
        "version": __version__,
        "queued": queued,
        "see": [alert.page for alert in _alerts(queued is not None, redis)],
    }
    return web.json_response(body, status=503 if queued is None else 200)


def _alerts(postgres: bool, redis: bool) -> list[Alert]:
    """Return what an administrator has to look after."""
    away = ((postgres, Alert.POSTGRES_AWAY), (redis, Alert.REDIS_AWAY))
    return [alert for answers, alert in away if not answers]


async def _queued(pool: Pool[Any]) -> int | None:
    try:
        async with asyncio.timeout(ANSWERED_WITHIN):
            return await attempts.queued(pool)
    except (*DATABASE_AWAY, *DATABASE_REFUSED):
        return None
