"""The hold on a claimed attempt: renewed while it is executed, and how long it is good for."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from draftsman.domain.errors import LeaseLostError
from draftsman.domain.run import Attempt
from draftsman.store import leases
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0
"""Until the next try where a renewal failed."""


class Lease:
    """The lease of an attempt that was claimed just now, good for `seconds` without renewal."""

    def __init__(self, pool: Pool[Any], attempt: Attempt, *, seconds: float) -> None:
        self._pool = pool
        self._attempt = attempt
        self._seconds = seconds
        self._renewed = time.monotonic()

    @property
    def seconds_left(self) -> float:
        """Return the seconds until nobody can count on it any more, below 0 where they are over."""
        return self._renewed + self._seconds - time.monotonic()

    async def hold(self) -> None:
        """Renew it for ever; return once it is known that another worker has the attempt."""
        pause = self._seconds / 3
        while True:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(self._seconds / 3):
                    await leases.renew(self._pool, self._attempt, lease_seconds=self._seconds)
            except LeaseLostError:
                return
            except DATABASE_AWAY as error:
                log.warning("attempt %s: lease not renewed: %r", self._attempt.id, error)
                pause = min(_AGAIN_SECONDS, self._seconds / 3)
            except DATABASE_REFUSED as error:
                log.error("attempt %s: Postgres refused to renew the lease", self._attempt.id, exc_info=error)
            else:
                self._renewed = time.monotonic()
                pause = self._seconds / 3
