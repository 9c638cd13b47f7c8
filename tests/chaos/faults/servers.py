"""Redis and Postgres that are flushed, restarted, killed, or away."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from tests.chaos.fault import Fault, Provocation
from tests.chaos.server import Server

AWAY_SECONDS = 8.0
"""What stands for a minute, as leases of 5 seconds stand for 30."""


async def flush(redis_url: str) -> None:
    """Empty the Redis at this `unix://` URL."""
    client = Redis(unix_socket_path=redis_url.removeprefix("unix://"))
    try:
        await client.flushall()
    finally:
        await client.aclose()


async def redis_flushed(one: Provocation) -> str:
    """FLUSHALL, some times in a row, while people push."""
    for _ in range(3):
        await one.people.prose()
        await flush(one.world.redis.url)
        await asyncio.sleep(one.luck.uniform(0.2, 1))
    return "3 times"


async def _restarted(server: Server, one: Provocation) -> str:
    way = one.variant("stopped", "killed")
    pushes = [asyncio.create_task(one.people.prose()), asyncio.create_task(one.people.counted())]
    await asyncio.sleep(one.luck.uniform(0, 1))
    if way == "killed":
        server.kill()
    else:
        await server.stop()
        await server.start()
    await asyncio.gather(*pushes)
    return f"{way} and started"


async def _away(server: Server, one: Provocation) -> str:
    pushes = [asyncio.create_task(one.people.counted())]
    await asyncio.sleep(one.luck.uniform(0.5, 2))
    await server.stop()
    try:
        pushes.append(asyncio.create_task(one.people.prose()))
        await asyncio.sleep(AWAY_SECONDS)
    finally:
        await server.start()
    await asyncio.gather(*pushes)
    return f"for {AWAY_SECONDS:.0f} s"


async def redis_restarted(one: Provocation) -> str:
    """Redis is stopped or killed, and started again."""
    return await _restarted(one.world.redis, one)


async def redis_away(one: Provocation) -> str:
    """Redis is away for a while: deliveries are taken, runs start some seconds later."""
    return await _away(one.world.redis, one)


async def postgres_restarted(one: Provocation) -> str:
    """Postgres is stopped or killed, and started again."""
    return await _restarted(one.world.postgres, one)


async def postgres_away(one: Provocation) -> str:
    """Postgres is away for longer than a lease: the API says 503, and workers wait."""
    return await _away(one.world.postgres, one)


FAULTS = (
    Fault("Redis flushed", "everything in Redis is gone", ("redis",), redis_flushed, True),
    Fault("Redis restarted", "Redis is stopped or killed, and started", ("redis",), redis_restarted),
    Fault("Redis away", "Redis is away for a while", ("redis",), redis_away, True),
    Fault("Postgres restarted", "Postgres is stopped or killed, and started", ("postgres",), postgres_restarted, True),
    Fault("Postgres away", "Postgres is away for longer than a lease", ("postgres",), postgres_away),
)
