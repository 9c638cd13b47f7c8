"""The stand-in's own clock, which a test can move."""

import time
from datetime import UTC, datetime
from email.utils import formatdate


class Clock:
    """Seconds since the epoch, shifted by what a test asked for. It goes on by itself like any clock."""

    def __init__(self) -> None:
        self._shift = 0.0

    def now(self) -> float:
        return time.time() + self._shift

    def advance(self, seconds: float) -> None:
        """Move the clock forward (or back, if negative) by this many seconds."""
        self._shift += seconds

    def timestamp(self, shift: float = 0.0) -> str:
        """Now plus `shift` seconds, as GitHub writes it: `2026-11-23T14:00:00Z`."""
        return datetime.fromtimestamp(self.now() + shift, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def http_date(self) -> str:
        """Now, as a `Date` header has it."""
        return formatdate(self.now(), usegmt=True)
