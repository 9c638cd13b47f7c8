"""A worker as it said last that it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

HEARD_WITHIN = timedelta(seconds=30)
"""A worker that was not heard of for longer is taken for gone: that is several of its heartbeats."""


@dataclass(frozen=True, slots=True)
class Drain:
    """That a worker takes nothing new: since when, by whom, and why (may be empty)."""

    since: datetime
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker. `slots` is how many attempts it executes at once, `busy` how many of them are in use.

    `per_repository` is how many attempts of one repository it lets run, wherever. `engine` is the id of its Docker
    engine, None before that answered. The worker takes nothing since `engine_away_since`, while that does not answer,
    nor since `disk_short_since`, while its disk is nearly full. `stopped_at` is set where it said that it stops.
    `labels` are those that it offers.
    """

    name: str
    host: str
    version: str
    slots: int
    busy: int
    per_repository: int
    engine: str | None
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None = None
    drain: Drain | None = None
    engine_away_since: datetime | None = None
    disk_short_since: datetime | None = None
    labels: tuple[str, ...] = ()

    def is_alive(self, now: datetime) -> bool:
        """Return whether it was heard of lately and did not say that it stops."""
        return self.stopped_at is None and now - self.seen_at <= HEARD_WITHIN

    def state(self, now: datetime) -> str:
        """Return where it stands: one of `STATES`."""
        if self.stopped_at is not None:
            return "stopped"
        if not self.is_alive(now):
            return "lost"
        if self.drain is not None:
            return "draining" if self.busy else "drained"
        if self.engine_away_since is not None:
            return "no engine"
        if self.disk_short_since is not None:
            return "no room"
        return "working" if self.busy else "idle"

    @property
    def last_heard_at(self) -> datetime:
        """Return when there was last a worker: when it stopped, or said last that it is there."""
        return self.seen_at if self.stopped_at is None else self.stopped_at


STATES = ("working", "idle", "no engine", "no room", "draining", "drained", "stopped", "lost")
"""What `Worker.state` returns."""
