"""The queue holds wake-ups, no more: what there is to do, and who does it, is decided by the claim in Postgres.

This is the only module that knows arq's enqueue side.
"""

from __future__ import annotations

import asyncio
from typing import Any

from arq.connections import ArqRedis, RedisSettings, create_pool
from redis.exceptions import RedisError

from draftsman.domain.errors import HostError

QUEUE = "draftsman:wake"
WAKE = "wake"


def redis_settings(url: str) -> RedisSettings:
    """Return arq's settings for a `redis://`, `rediss://` or `unix://` URL. Raises HostError."""
    try:
        settings = RedisSettings.from_dsn(url)
    except (AssertionError, ValueError) as error:
        raise HostError("REDIS_URL must look like redis://host:6379/0 or unix:///path/to/socket.") from error
    settings.conn_timeout = 5
    settings.conn_retries = 0
    return settings


async def connect(url: str, *, wait_seconds: float = 30) -> ArqRedis:
    """Return a connection pool, waiting for a server that is not up yet. Raises HostError after `wait_seconds`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_seconds
    while True:
        try:
            return await create_pool(redis_settings(url), default_queue_name=QUEUE)
        except (OSError, RedisError) as error:
            if loop.time() > deadline:
                raise HostError(f"Redis does not answer (REDIS_URL): {error}") from error
            await asyncio.sleep(0.2)


async def wake(redis: ArqRedis) -> None:
    """Tell one worker to look for queued attempts. Raises OSError or RedisError where Redis is away."""
    await redis.enqueue_job(WAKE, _expires=60)


async def answers(redis: ArqRedis) -> bool:
    """Return whether Redis answers a ping within 2 s."""
    try:
        ping: Any = redis.ping()
        return bool(await asyncio.wait_for(ping, 2))
    except (OSError, RedisError, TimeoutError):
        return False
