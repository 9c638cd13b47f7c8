"""Has GitHub told again why a run waits, once another cause holds than the one that it shows.

The queue is paused, a limit is reached or the workers go, and nothing happens to the runs in line, so nobody would tell
of it. This looks at them by turns. It is no storm: some few at a time, each only once in a while, and only what is
worth telling (`draftsman/domain/waiting.py`). A run that comes meanwhile says it from its first report on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from draftsman.domain.alert import Alert
from draftsman.domain.waiting import TOLD_AFTER, Scene, Terms, told, why
from draftsman.store import waiting
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool
from draftsman.store.waiting import Shown

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
SLEPT_SECONDS = 10.0
"""A pause that took so much longer was the machine's, too."""

LOOKED_AT = 500
"""Attempts of one look."""

TOLD_AT_ONCE = 5
"""Attempts of one look that GitHub is told of again: two check runs each, of the 80 writes or so of ten seconds."""

TOLD_EVERY = timedelta(minutes=2)
"""An attempt is told of again no sooner than this after the last time: a limit comes and goes."""


class WaitReview:
    """Looks at the line by turns. `terms` say why a run waits."""

    def __init__(self, pool: Pool[Any], terms: Terms) -> None:
        self._pool = pool
        self._terms = terms
        self._after: tuple[datetime, UUID] | None = None

    async def run(self) -> None:
        """Look for ever; a database that is away is waited for.

        Where it was away, or the machine slept, workers first have to say again that they are there.
        """
        while True:
            before = time.time()
            await asyncio.sleep(EVERY_SECONDS)
            if time.time() - before > EVERY_SECONDS + SLEPT_SECONDS:
                continue
            try:
                await self.look()
            except DATABASE_AWAY as error:
                log.warning("why runs wait was not looked at: %r", error, extra=Alert.POSTGRES_AWAY.extra)
                await asyncio.sleep(EVERY_SECONDS)
            except DATABASE_REFUSED as error:
                log.error(
                    "why runs wait was not looked at: Postgres refuses",
                    exc_info=error,
                    extra=Alert.POSTGRES_REFUSES.extra,
                )

    async def look(self) -> list[UUID]:
        """Look at the next part of the line, and return the attempts that GitHub is told of again."""
        shown, following = await waiting.shown(self._pool, self._terms, after=self._after, limit=LOOKED_AT)
        if shown:
            scene = await waiting.scene(self._pool, self._terms)
            outdated = [one.waiter.attempt_id for one in shown if is_outdated(one, scene)]
        else:
            outdated = []
        chosen = outdated[:TOLD_AT_ONCE]
        if chosen:
            await waiting.tell_again(self._pool, chosen)
        if len(chosen) == len(outdated):  # else the rest of this part is looked at again
            self._after = following
        return chosen


def is_outdated(one: Shown, scene: Scene) -> bool:
    """Return whether GitHub is to be told another cause than it shows."""
    now = told(why(one.waiter, scene), scene.now)
    if now.key == one.told:
        return False
    waited, told_for = scene.now - one.waiter.queued_at, scene.now - one.told_at
    # Whoever pauses or resumes the queue looks whether it helped.
    by_a_person = now.key.startswith("paused") or one.told.startswith("paused")
    return by_a_person or (waited >= TOLD_AFTER and told_for >= TOLD_EVERY)
