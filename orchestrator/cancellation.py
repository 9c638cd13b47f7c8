"""The wish that an attempt ends: an event that says why."""

from __future__ import annotations

import asyncio


class Cancellation(asyncio.Event):
    """Set by `ask`. `reason` is a phrase for people (`by alice`), empty where there is none to say."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""

    def ask(self, reason: str = "") -> None:
        """Wish for the end; the first one who does says why."""
        if not self.is_set():
            self.reason = reason
            self.set()

    @property
    def title(self) -> str:
        """Return what the attempt is called afterwards."""
        return f"cancelled {self.reason}".rstrip()
