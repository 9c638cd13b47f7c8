"""Whether the engine's disk has room for more images and jobs: a worker takes nothing before there is some again.

That is looked at with room to spare; `disk_watch` ends jobs where in spite of it the disk gets full.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from draftsman.domain.alert import Alert
from draftsman.domain.errors import DraftsmanError
from orchestrator.disk_watch import Floor, is_low
from orchestrator.helper import Helper, HelperRun

log = logging.getLogger(__name__)

BUSY_SECONDS, IDLE_SECONDS, SHORT_SECONDS = 60.0, 300.0, 20.0
"""How often the disk is looked at: while anything runs, while nothing does, and while it is short of room."""

UPKEEP_SECONDS = 600.0
"""How often upkeep is called for a disk that stays short: what could go has gone the first time."""

_STEP_SECONDS = 1.0

MakeRoom = Callable[[], Awaitable[None]]
"""Removes what is not needed any more. It raises nothing."""


class DiskRoom:
    """The room on one engine's disk. `helper` raises EngineError while the engine is away; `busy` counts what runs.

    `looked` is called after each look.
    """

    def __init__(
        self,
        helper: Callable[[], Awaitable[Helper]],
        floor: Floor,
        *,
        busy: Callable[[], int],
        make_room: MakeRoom,
        looked: Callable[[], None],
    ) -> None:
        self._helper = helper
        self._floor = floor
        self._busy = busy
        self._make_room = make_room
        self._looked = looked
        self._looked_at: float | None = None
        self.is_short = False

    @property
    def is_enough(self) -> bool:
        """Return whether there is room, as far as was seen last; not before it was looked at."""
        return self._looked_at is not None and not self.is_short

    async def keep(self) -> None:
        """Look after the disk for ever: where it is short of room, upkeep makes some."""
        made_at = float("-inf")
        while True:
            if self._is_due():
                await self._look()
            if self.is_short and time.monotonic() - made_at > UPKEEP_SECONDS:
                await self._make_room()
                made_at = time.monotonic()
                await self._look()
            await asyncio.sleep(_STEP_SECONDS)

    def _is_due(self) -> bool:
        if self._looked_at is None:
            return True
        pause = SHORT_SECONDS if self.is_short else BUSY_SECONDS if self._busy() else IDLE_SECONDS
        return time.monotonic() - self._looked_at >= pause

    async def _look(self) -> None:
        was_short, found = self.is_short, await self._is_short()
        self._looked_at = time.monotonic()
        self.is_short = was_short if found is None else found
        self._looked()
        if self.is_short and not was_short:
            log.warning(
                "this worker takes no runs: less than %.1f GiB are free on the disk of its Docker engine "
                "(DRAFTSMAN_BUILD_FREE_MB); upkeep removes what is not needed",
                self._floor.free_bytes / 2**30,
                extra=Alert.DISK_NEARLY_FULL.extra,
            )
        elif was_short and not self.is_short:
            log.warning("there is room on the disk of the Docker engine again")

    async def _is_short(self) -> bool | None:
        """Return whether room is short, None where that cannot be seen now."""
        try:
            return is_low(await (await self._helper()).run(HelperRun("df -Pk / && df -Pi /")), self._floor)
        except DraftsmanError as error:
            if "no space left" in f"{error} {error.detail}".lower():
                return True
            log.debug("the room on the engine's disk cannot be seen: %s", error)
            return None
