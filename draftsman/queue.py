"""The queue holds wake-ups, no more: what there is to do, and who does it, is decided by the claim in Postgres.

So Redis being away stops nothing: workers look for attempts by themselves every few seconds. This is the only module
that knows arq's enqueue side.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from arq.connections import ArqRedis, RedisSettings
from redis.exceptions import RedisError

from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError

log = logging.getLogger(__name__)

QUEUE = "draftsman:wake"
WAKE = "wake"

CALLS = "draftsman:calls"
"""The channel on which all workers hear that there is something: the queue wakes one, who may have no slot free."""

REDIS_AWAY = (OSError, RedisError)
"""What a command raises where Redis is away, or does not answer in time."""

ANSWERED_WITHIN = 2.0
"""Seconds that Redis has for a wake-up or a ping."""

CONNECTED_WITHIN = 5.0
"""Seconds for a connection."""


def redis_client(url: str) -> ArqRedis:
    """Return arq's client for a `redis://`, `rediss://` or `unix://` URL; it connects when it is used.

    Raises HostError where the URL is malformed. Made by hand: arq's own `create_pool` wants Redis to be there, and
    leaves its connection open where it is not.
    """
    try:
        settings = RedisSettings.from_dsn(url)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise HostError("REDIS_URL must look like redis://host:6379/0 or unix:///path/to/socket.") from error
    return ArqRedis(
        default_queue_name=QUEUE,
        host=settings.host,
        port=settings.port,
        unix_socket_path=settings.unix_socket_path,
        db=settings.database,
        username=settings.username,
        password=settings.password,
        ssl=settings.ssl,
        socket_connect_timeout=CONNECTED_WITHIN,
        encoding="utf8",
    )


class WakeUps:
    """Wakes workers. It connects at the first use, and again after an outage, which it tells the log once.

    Raises HostError where the URL is malformed. Close it at the end.
    """

    def __init__(self, url: str) -> None:
        self._redis = redis_client(url)
        self._away = False

    async def wake(self) -> None:
        """Tell the workers to look for queued attempts. Nothing is raised where Redis is away."""
        try:
            async with asyncio.timeout(ANSWERED_WITHIN):
                await self._redis.enqueue_job(WAKE, _expires=60)
                await self._redis.publish(CALLS, "")
        except REDIS_AWAY as error:
            self._note_away(error)
        else:
            self._note_back()

    async def answers(self) -> bool:
        """Return whether Redis answers a ping within `ANSWERED_WITHIN`."""
        try:
            async with asyncio.timeout(ANSWERED_WITHIN):
                ping: Any = self._redis.ping()
                answered = bool(await ping)
        except REDIS_AWAY as error:
            self._note_away(error)
            return False
        self._note_back()
        return answered

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _note_away(self, error: Exception) -> None:
        if not self._away:
            log.warning(
                "Redis is away (REDIS_URL), new work starts some seconds later: %r", error, extra=Alert.REDIS_AWAY.extra
            )
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            log.warning("Redis is back")
        self._away = False
