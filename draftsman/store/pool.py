"""A connection pool in which a cancellation is not lost.

Where a task is cancelled at the moment in which its connection breaks, as when everything is told to stop at once,
asyncpg's own clean-up fails, and its error takes the place of the cancellation. Whoever waits for a database that is
away would take that for the reason, try again, and never stop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolAcquireContext

if TYPE_CHECKING:
    _Pool = asyncpg.Pool[Any]
    _Context = PoolAcquireContext[Any]
else:
    _Pool, _Context = asyncpg.Pool, PoolAcquireContext


class HeedfulPool(_Pool):
    """asyncpg's pool, that raises a cancellation as such whatever else failed with it."""

    def acquire(self, *, timeout: float | None = None) -> _Acquired:
        """Return the context, or the awaitable, of a connection."""
        return _Acquired(self, timeout)


class _Acquired(_Context):
    def __init__(self, pool: HeedfulPool, timeout: float | None) -> None:
        super().__init__(pool, timeout)
        self._cancelled_before = _cancelled()

    async def __aenter__(self) -> Any:
        try:
            return await super().__aenter__()
        except Exception as error:
            self._heed(error)
            raise

    async def __aexit__(self, *exc: object) -> None:
        try:
            await super().__aexit__(*exc)
        except Exception as error:
            self._heed(error)
            raise
        if len(exc) > 1 and isinstance(exc[1], Exception):
            self._heed(exc[1])

    def _heed(self, error: Exception) -> None:
        """Raise the cancellation that came since the connection was asked for."""
        if _cancelled() > self._cancelled_before:
            raise asyncio.CancelledError from error


def _cancelled() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def create_pool(url: str, *, size: int, init: Any, command_timeout: float, timeout: float) -> HeedfulPool:
    """Return a pool of one to `size` connections; the limits are in seconds. Raises what asyncpg raises."""
    return await HeedfulPool(
        url,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        init=init,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        command_timeout=command_timeout,
        timeout=timeout,
    )
