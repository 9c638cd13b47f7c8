"""The hold on a claimed attempt: renewed while it is executed, and how long it is good for."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from draftsman.domain.alert import Alert
from draftsman.domain.errors import LeaseLostError
from draftsman.domain.run import Attempt
from draftsman.store import leases
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0
"""Until the next try where a renewal failed."""

PATIENCE_SECONDS = 600.0
"""How long Postgres may be away under an attempt. Nobody else can take the attempt meanwhile, and should somebody do so
as soon as it is back, its new epoch fences this worker out."""


class Lease:
    """The lease of an attempt that was claimed just now, good for `seconds` without renewal.

    `patience` is for how many seconds without one its holder goes on.
    """

    def __init__(
        self, pool: Pool[Any], attempt: Attempt, *, seconds: float, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._pool = pool
        self._attempt = attempt
        self._seconds = seconds
        self._patience = max(seconds, patience)
        self._renewed = time.monotonic()

    @property
    def seconds_left(self) -> float:
        """Return the seconds until its holder gives it up, below 0 where they are over."""
        return self._renewed + self._patience - time.monotonic()

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
                log.warning(
                    "attempt %s: lease not renewed: %r", self._attempt.id, error, extra=Alert.POSTGRES_AWAY.extra
                )
                pause = min(_AGAIN_SECONDS, self._seconds / 3)
            except DATABASE_REFUSED as error:
                log.error(
                    "attempt %s: Postgres refused to renew the lease",
                    self._attempt.id,
                    exc_info=error,
                    extra=Alert.POSTGRES_REFUSES.extra,
                )
            else:
                self._renewed = time.monotonic()
                pause = self._seconds / 3
