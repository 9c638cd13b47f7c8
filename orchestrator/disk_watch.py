"""Keeps jobs from filling the engine's disk: each has a bound of its own, and all of them leave a floor free.

Both are looked at every few seconds, so a fast writer is over its bound for a moment; a single file is bounded by the
kernel (`fsize`). Under the floor the job that has written most is ended, not the one that met it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from draftsman.domain.errors import EngineError
from orchestrator.helper import Helper, HelperRun
from orchestrator.runners.interface import Job, Runner
from orchestrator.verdict import Stop

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_FLOOR_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Floor:
    """What stays free on the engine's disk: bytes, and one in a hundred of its inodes."""

    free_bytes: int = 2 * 2**30
    free_inodes_percent: int = 1


class DiskWatch:
    """Watches the jobs of one worker on one engine."""

    def __init__(self, helper: Helper, floor: Floor, *, floor_seconds: float = _FLOOR_SECONDS) -> None:
        self._helper = helper
        self._floor = floor
        self._floor_seconds = floor_seconds
        self._usage: dict[str, int] = {}
        self._looked_at = 0.0
        self._is_low = False
        self._looking = asyncio.Lock()

    async def guard(self, runner: Runner, job: Job, most_bytes: int) -> Stop:
        """Return why this job must end for the disk's sake, once it must."""
        self._usage[job.id] = 0
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    self._usage[job.id] = await runner.usage(job)
                    if self._usage[job.id] > most_bytes:
                        return Stop.WORKSPACE
                    if await self._is_below_floor() and self._is_largest(job.id):
                        return Stop.DISK
                except EngineError as error:
                    log.warning("job %s: its disk use cannot be seen: %s", job.id, error)
        finally:
            del self._usage[job.id]

    def _is_largest(self, job_id: str) -> bool:
        return max(self._usage, key=lambda name: self._usage[name]) == job_id

    async def _is_below_floor(self) -> bool:
        """Return whether the disk has less free than it must, as last seen; asked anew every few seconds."""
        async with self._looking:
            if time.monotonic() - self._looked_at > self._floor_seconds:
                self._is_low = is_low(await self._helper.run(HelperRun("df -Pk / && df -Pi /")), self._floor)
                self._looked_at = time.monotonic()
            return self._is_low


def is_low(said: str, floor: Floor) -> bool:
    """Return whether the two tables of `df -Pk` and `df -Pi` show less than the floor. Pure."""
    rows = [line.split() for line in said.splitlines()]
    numbers = [[int(word) for word in row[1:4]] for row in rows if len(row) >= 5 and all(map(str.isdigit, row[1:4]))]
    if len(numbers) != 2:
        raise EngineError(f"The engine's free disk space could not be read: {said.strip()[:200]!r}.")
    (_, _, free_kilobytes), (inodes, _, free_inodes) = numbers
    # Some file systems (btrfs) count no inodes.
    few_inodes = inodes > 0 and free_inodes * 100 < inodes * floor.free_inodes_percent
    return free_kilobytes * 1024 < floor.free_bytes or few_inodes
