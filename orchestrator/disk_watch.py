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
        self._jobs: dict[str, tuple[Runner, Job]] = {}
        self._looked_at = 0.0
        self._victim = ""
        self._looking = asyncio.Lock()

    async def guard(self, runner: Runner, job: Job, most_bytes: int) -> Stop:
        """Return why this job must end for the disk's sake, once it must."""
        self._jobs[job.id] = (runner, job)
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    if await runner.usage(job) > most_bytes:
                        return Stop.WORKSPACE
                    if await self._must_go() == job.id:
                        return Stop.DISK
                except EngineError as error:
                    log.warning("job %s: its disk use cannot be seen: %s", job.id, error)
        finally:
            del self._jobs[job.id]

    async def _must_go(self) -> str:
        """Return the id of the job that must end since the disk is nearly full, empty where it is not.

        One at a time: what it wrote must be gone, and the disk looked at again, before it is another one's turn.
        """
        async with self._looking:
            if time.monotonic() - self._looked_at > self._floor_seconds:
                self._victim = ""
                if await self._is_below_floor():
                    self._victim = await self._largest()
                self._looked_at = time.monotonic()
            return self._victim

    async def _is_below_floor(self) -> bool:
        try:
            return is_low(await self._helper.run(HelperRun("df -Pk / && df -Pi /")), self._floor)
        except EngineError as error:
            if "no space left" in str(error).lower():
                return True  # there is not even room to look
            raise

    async def _largest(self) -> str:
        jobs = list(self._jobs.values())
        sizes = await asyncio.gather(*(runner.usage(job) for runner, job in jobs))
        return max(zip(sizes, [job.id for _, job in jobs], strict=True))[1]


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
