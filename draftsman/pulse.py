"""Whether a service makes progress. One that does not says so and exits: the Docker engine, systemd and `draftsman up`
start again what ended, and nobody else does.

Two things are watched: that each part of the service goes round its loop, and, from a thread, that the event loop
turns at all.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from draftsman.awake import AwakeClock
from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError

STUCK_EXIT_CODE = 70
"""Of a process whose event loop stood still: EX_SOFTWARE of sysexits.h."""

SILENT_SECONDS = 300.0
"""How long a part may go without a beat. All of them look around every few seconds, and bound what they wait for."""

BLOCKED_SECONDS = 60.0
"""How long the event loop may stand still."""

_LOOK_SECONDS = 1.0

Beat = Callable[[], None]
"""Called by a part each time it goes round its loop, also where what it wanted failed."""


def no_beat() -> None:
    """Be a beat that nobody listens to."""


class StuckError(HostError):
    """A part of the service makes no progress."""

    usual_alert: ClassVar[Alert | None] = Alert.NO_PROGRESS


class Pulse:
    """The beats of a service's parts. `read` returns seconds awake: a machine that slept is not stuck."""

    def __init__(self, *, silent_seconds: float = SILENT_SECONDS, read: Callable[[], float] | None = None) -> None:
        self._read = read or AwakeClock().now
        self._silent_seconds = silent_seconds
        self._heard: dict[str, float] = {}

    def of(self, part: str) -> Beat:
        """Return the beat of a part, which is expected from now on."""
        self._heard[part] = self._read()

        def beat() -> None:
            self._heard[part] = self._read()

        return beat

    def silent(self) -> Mapping[str, float]:
        """Return the parts that were not heard of for too long, and for how many seconds."""
        now = self._read()
        return {part: now - heard for part, heard in self._heard.items() if now - heard > self._silent_seconds}

    async def watch(self) -> None:
        """Look after the parts for ever. Raises StuckError where one makes no progress."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if silent := self.silent():
                said = ", ".join(f"{part} for {seconds:.0f} s" for part, seconds in silent.items())
                raise StuckError(f"No progress: {said}. This process ends, to be started again.")


class LoopWatch:
    """Ends the process, with every thread's traceback on standard error, where its event loop stands still.

    A thread watches, which says why. It cannot where one long call into C lets no other thread run (a regular
    expression on hostile text): after twice as long faulthandler's timer, which needs no interpreter, ends it.
    """

    def __init__(self, *, blocked_seconds: float = BLOCKED_SECONDS) -> None:
        self._blocked_seconds = blocked_seconds
        self._turns = 0
        self._over = threading.Event()

    async def watch(self) -> None:
        """Watch until cancelled."""
        threading.Thread(target=self._look, name="loop watch", daemon=True).start()
        # Later than the thread, which says more, in any case.
        latest = 2 * self._blocked_seconds + 5 * _LOOK_SECONDS
        try:
            while True:
                self._turns += 1
                faulthandler.dump_traceback_later(latest, exit=True)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            faulthandler.cancel_dump_traceback_later()
            self._over.set()

    def _look(self) -> None:
        clock = AwakeClock(longest_step=2 * _LOOK_SECONDS)
        seen, since = self._turns, clock.now()
        while not self._over.wait(_LOOK_SECONDS):
            now = clock.now()
            if self._turns != seen:
                seen, since = self._turns, now
            elif now - since > self._blocked_seconds:
                _end(now - since)


def _end(seconds: float) -> None:
    moment = time.strftime("%H:%M:%S")
    # Not by `logging`: its lock may be what everything waits for.
    sys.stderr.write(
        f"{moment} ERROR   No progress: the event loop stands still for {seconds:.0f} s. This process ends, to be "
        f"started again [{Alert.NO_PROGRESS.page}]. What it was doing:\n"
    )
    sys.stderr.flush()
    faulthandler.dump_traceback(all_threads=True)
    os._exit(STUCK_EXIT_CODE)
