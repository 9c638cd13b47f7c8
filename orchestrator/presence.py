"""A worker says that it is there, how much of it is in use, and hears whether it is drained.

The drain itself is in the claim: this only tells the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from draftsman.domain.alert import Alert
from draftsman.domain.worker import Drain
from draftsman.store import workers
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool
from draftsman.store.workers import Present

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
_LOOK_SECONDS = 0.5
"""How soon a change of the slots in use is said."""

_FORGET_SECONDS = 3600.0
_STOP_SECONDS = 2.0


class Presence:
    """Says so for one worker. `busy` and `engine` are asked each time; `engine` returns None before it answered.

    `is_engine_away` says that it does not answer now, `is_disk_short` that its disk is nearly full; `labels` are what
    the worker offers.
    """

    def __init__(
        self,
        pool: Pool[Any],
        present: Present,
        *,
        busy: Callable[[], int],
        engine: Callable[[], str | None],
        is_engine_away: Callable[[], bool] = lambda: False,
        is_disk_short: Callable[[], bool] = lambda: False,
        labels: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._pool = pool
        self._said = present
        self._busy = busy
        self._engine = engine
        self._is_engine_away = is_engine_away
        self._is_disk_short = is_disk_short
        self._labels = labels
        self._drain: Drain | None = None

    @property
    def name(self) -> str:
        """Return the worker's name."""
        return self._said.name

    @property
    def is_drained(self) -> bool:
        """Return whether it was said, when last heard, that this worker takes nothing new."""
        return self._drain is not None

    async def begin(self) -> None:
        """Say that the worker starts. Raises what the database raises."""
        self._heard(await workers.beat(self._pool, self._now(), starting=True))

    async def keep(self) -> None:
        """Say for ever that the worker is there; at the end, that it stops. A database that is away is waited for."""
        said_at, forgot_at = 0.0, 0.0
        try:
            while True:
                now = time.monotonic()
                if self._now() != self._said or now - said_at >= BEAT_SECONDS:
                    said_at = now
                    await self._say()
                if now - forgot_at >= _FORGET_SECONDS:
                    forgot_at = now
                    await self._quietly(workers.forget_old(self._pool))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await self._end()

    def _now(self) -> Present:
        return replace(
            self._said,
            busy=self._busy(),
            engine=self._engine(),
            is_engine_away=self._is_engine_away(),
            is_disk_short=self._is_disk_short(),
            labels=self._labels(),
        )

    async def _say(self) -> None:
        present = self._now()
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                self._heard(await workers.beat(self._pool, present))
            self._said = present
        except DATABASE_AWAY as error:
            log.debug("not said that this worker is there: %r", error)  # the leases say so already
        except DATABASE_REFUSED as error:
            log.error(
                "not said that this worker is there: Postgres refuses",
                exc_info=error,
                extra=Alert.POSTGRES_REFUSES.extra,
            )

    async def _end(self) -> None:
        await self._quietly(workers.stopped(self._pool, self._said.name))

    async def _quietly(self, statement: Any) -> None:
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await statement
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.debug("the list of workers was not kept: %r", error)

    def _heard(self, drain: Drain | None) -> None:
        if (drain is None) is not (self._drain is None):
            if drain is None:
                log.warning("this worker takes runs again")
            else:
                why = f" ({drain.reason})" if drain.reason else ""
                log.warning(
                    "this worker is drained since %s by %s%s: it takes nothing new until `draftsman queue undrain %s`",
                    f"{drain.since:%Y-%m-%d %H:%M} UTC",
                    drain.by,
                    why,
                    self._said.name,
                )
        self._drain = drain
