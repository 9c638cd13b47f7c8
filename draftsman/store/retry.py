"""Statements that wait while Postgres is away for a moment: it restarts, or the network to it breaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from draftsman.domain.alert import Alert
from draftsman.store.database import DATABASE_AWAY

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
_LEAST_PATIENCE = 1.0
"""Seconds that a statement has even where no time is left: it may well be answered at once."""


async def retried(
    statement: Callable[[], Awaitable[Result]], *, seconds_left: Callable[[], float], name: str
) -> Result:
    """Return what the statement returns, trying again while Postgres is away and `seconds_left()` is above 0.

    It must do no harm to run the statement twice: one whose answer was lost may have been done. Raises what the
    last try raised, one of DATABASE_AWAY; what Postgres refuses is raised at once. `name` is for the log.
    """
    pause = _FIRST_PAUSE
    told = False
    while True:
        try:
            async with asyncio.timeout(max(seconds_left(), _LEAST_PATIENCE)):
                result = await statement()
        except DATABASE_AWAY as error:
            if seconds_left() <= 0:
                raise
            if not told:
                log.warning("%s waits for Postgres: %r", name, error, extra=Alert.POSTGRES_AWAY.extra)
                told = True
        else:
            if told:
                log.info("%s: Postgres is back", name)
            return result
        await asyncio.sleep(max(0.0, min(pause, seconds_left())))
        pause = min(2 * pause, _LONGEST_PAUSE)
