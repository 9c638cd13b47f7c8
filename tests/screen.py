"""What a program of ours shows on a terminal as it goes: headings, and lines with the time since it began."""

from __future__ import annotations

import os
import sys
import time


class Screen:
    """Prints with the time since it was made; colours on a terminal only."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def say(self, text: str) -> None:
        """Print one line behind the seconds that have passed."""
        print(f"{time.monotonic() - self._begin:6.1f} s  {text}", flush=True)

    def title(self, text: str) -> None:
        """Print a heading."""
        print(f"\n\x1b[1m== {text}\x1b[0m" if self.colour else f"\n== {text}", flush=True)
