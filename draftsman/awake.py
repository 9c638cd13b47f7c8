"""Time as it counts for limits and leases: none passes for whoever is frozen, asleep, or cut off from everything."""

from __future__ import annotations

import time
from collections.abc import Callable

_LONGEST_STEP = 5.0


class AwakeClock:
    """A monotonic clock that a process which is frozen, or a machine that sleeps, does not move on.

    Read it more often than every `longest_step` seconds: what is longer counts as so much, since nobody was awake.
    """

    def __init__(self, *, longest_step: float = _LONGEST_STEP, read: Callable[[], float] = time.monotonic) -> None:
        self._longest_step = longest_step
        self._read = read
        self._seen = read()
        self._now = 0.0

    def now(self) -> float:
        """Return the seconds awake since this clock was made."""
        seen = self._read()
        self._now += min(max(seen - self._seen, 0.0), self._longest_step)
        self._seen = seen
        return self._now


class Vigil:
    """Since when somebody has looked at the leases without a break, so that whoever holds one could renew it.

    After a break (the machine slept, the clock was moved, Postgres was away) nothing counts as expired before one
    lease's time has passed. There was none before the first look: what a reboot left is taken back at once. `read`
    returns the time of day, since leases end by that; `every_seconds` is how often somebody is to look.
    """

    def __init__(self, *, lease_seconds: float, every_seconds: float, read: Callable[[], float] = time.time) -> None:
        self.every_seconds = every_seconds
        self._lease_seconds = lease_seconds
        # Half of what a renewal leaves of it: who stands still for less finds its lease as it was.
        self._longest = every_seconds + lease_seconds / 3
        self._read = read
        self._looked: float | None = None
        self._broken = False
        self._sure_from = float("-inf")

    def look(self) -> bool:
        """Note that the leases are looked at now. Returns whether one that ran out counts as lost."""
        now = self._read()
        if self._broken or (self._looked is not None and not 0 <= now - self._looked <= self._longest):
            self._sure_from = now + self._lease_seconds
        self._looked, self._broken = now, False
        return now >= self._sure_from

    def miss(self) -> None:
        """Note that the leases could not be looked at: nobody could renew one either."""
        self._broken = True
