"""The arq worker: wake-ups, nothing else. Attempts are tasks of ours, since arq's loop ends when Redis goes away."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from arq.worker import Worker, func
from redis.exceptions import RedisError

from draftsman.queue import QUEUE, WAKE, redis_settings
from orchestrator.claims import Claims

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05  # arq's default of 0.5 s would be a mean wait of 250 ms for nothing
_RESTART_SECONDS = 1


async def listen(redis_url: str, claims: Claims) -> None:
    """Turn wake-ups into claims for ever. Where Redis goes away, the arq loop is started anew until it is back."""
    while True:
        worker = _arq_worker(redis_url, claims)
        try:
            await worker.async_run()
        except (OSError, RedisError) as error:
            log.warning("Redis is away, trying again: %s", error)
        finally:
            await _close(worker)
        await asyncio.sleep(_RESTART_SECONDS)


def _arq_worker(redis_url: str, claims: Claims) -> Worker:
    async def wake(ctx: dict[Any, Any], *_: Any, **__: Any) -> None:
        claims.wake()

    return Worker(
        functions=[func(wake, name=WAKE, keep_result=0, timeout=10, max_tries=1)],
        redis_settings=redis_settings(redis_url),
        queue_name=QUEUE,
        handle_signals=False,
        poll_delay=_POLL_SECONDS,
        health_check_interval=5,
        keep_result=0,
        max_jobs=20,
    )


async def _close(worker: Worker) -> None:
    try:
        async with asyncio.timeout(2):
            await worker.close()
    except (OSError, RedisError, TimeoutError) as error:
        log.debug("closing the arq loop: %s", error)
