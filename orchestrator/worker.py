"""The arq worker: wake-ups, nothing else. Attempts are tasks of ours, since arq's loop ends when Redis goes away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from arq.connections import ArqRedis
from arq.cron import cron
from arq.typing import StartupShutdown
from arq.worker import Worker, func

from draftsman.domain.alert import Alert
from draftsman.queue import CALLS, QUEUE, REDIS_AWAY, WAKE, redis_client
from orchestrator.claims import Claims

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05  # arq's default of 0.5 s would be a mean wait of 250 ms for nothing
_RESTART_SECONDS = 1
_PING_SECONDS = 30


Upkeep = Callable[[bool], Awaitable[None]]
"""Removes what was left behind; of dependency caches, too, where it is told so. It raises nothing."""


Renew = Callable[[], Awaitable[None]]
"""Builds anew the images that will soon be too old. It raises nothing."""


async def listen(redis_url: str, claims: Claims) -> None:
    """Turn wake-ups into claims for ever. Where Redis goes away, the arq loop is started anew until it is back.

    The log is told once that it went, and once that it came back.
    """

    def back() -> None:
        claims.wake()  # for those that were lost meanwhile

    await _keep_running(redis_url, lambda redis, connected: _arq_worker(redis, claims, connected), back)


async def hear(redis_url: str, claims: Claims) -> None:
    """Turn what all workers are told at once into claims, for ever. While Redis is away, `listen` tells the log.

    A wake-up of the queue reaches one worker, which may have no slot free, or lack the labels that are needed.
    """
    while True:
        redis = redis_client(redis_url)
        try:
            async with redis.pubsub() as calls:
                await calls.subscribe(CALLS)
                while True:
                    # A connection that broke without a word is noticed by the ping.
                    if await calls.get_message(ignore_subscribe_messages=True, timeout=_PING_SECONDS) is None:
                        await calls.ping()
                    else:
                        claims.wake()
        except REDIS_AWAY as error:
            log.debug("calls are not heard: %r", error)
        finally:
            await redis.aclose()
        await asyncio.sleep(_RESTART_SECONDS)


async def keep_up(redis_url: str, name: str, upkeep: Upkeep, renew: Renew) -> None:
    """Call the upkeep every hour, and once a month for the caches, and renew images every night, for ever.

    By arq's cron, in a queue of this worker's own: each has an engine that no other one sees to.
    """
    await _keep_running(
        redis_url, lambda redis, connected: _cron_worker(redis, name, upkeep, renew, connected), lambda: None
    )


async def _keep_running(
    redis_url: str, make: Callable[[ArqRedis, StartupShutdown], Worker], back: Callable[[], None]
) -> None:
    away = False

    async def connected(ctx: dict[Any, Any]) -> None:
        nonlocal away
        if away:
            log.warning("Redis is heard again")
        away = False
        back()

    while True:
        redis = redis_client(redis_url)
        worker = make(redis, connected)
        try:
            await worker.async_run()
        except REDIS_AWAY as error:
            if not away:
                log.warning(
                    "Redis is away, looking for attempts every few seconds until it is back: %r",
                    error,
                    extra=Alert.REDIS_AWAY.extra,
                )
            away = True
        finally:
            await _end(worker)
            await redis.aclose()
        await asyncio.sleep(_RESTART_SECONDS)


def _cron_worker(redis: ArqRedis, name: str, upkeep: Upkeep, renew: Renew, connected: StartupShutdown) -> Worker:
    async def hourly(ctx: dict[Any, Any]) -> None:
        await upkeep(False)

    async def monthly(ctx: dict[Any, Any]) -> None:
        await upkeep(True)

    async def nightly(ctx: dict[Any, Any]) -> None:
        await renew()

    return Worker(
        cron_jobs=[
            cron(hourly, name="upkeep", minute=17, timeout=1800, keep_result=0, max_tries=1),
            cron(monthly, name="cache upkeep", day=1, hour=4, minute=43, timeout=3600, keep_result=0, max_tries=1),
            cron(nightly, name="image renewal", hour=3, minute=11, timeout=6 * 3600, keep_result=0, max_tries=1),
        ],
        redis_pool=redis,
        queue_name=f"{QUEUE}:upkeep:{name}",
        on_startup=connected,
        handle_signals=False,
        poll_delay=5,
        health_check_interval=60,
        max_jobs=2,  # upkeep does not wait for the last image of the night
    )


def _arq_worker(redis: ArqRedis, claims: Claims, connected: StartupShutdown) -> Worker:
    async def wake(ctx: dict[Any, Any], *_: Any, **__: Any) -> None:
        claims.wake()

    return Worker(
        functions=[func(wake, name=WAKE, keep_result=0, timeout=10, max_tries=1)],
        redis_pool=redis,
        queue_name=QUEUE,
        on_startup=connected,
        handle_signals=False,
        poll_delay=_POLL_SECONDS,
        health_check_interval=5,
        keep_result=0,
        max_jobs=20,
    )


async def _end(worker: Worker) -> None:
    """End the loop's own tasks. arq's `close` talks to Redis first, and ends nothing where that is away."""
    tasks = list(worker.tasks.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
