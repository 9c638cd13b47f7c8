"""How much an installation may still ask of GitHub: its hour's requests, and how fast it may write. Pure.

Three limits, of which GitHub announces only the first:

- The primary one: `X-RateLimit-Limit` requests an hour, counted down in `X-RateLimit-Remaining` until
  `X-RateLimit-Reset`. Under a fifth, what only shows progress is left out; under 3 % everything waits for the reset, so
  that what the repository's other tools and a person's commands need is left.
- Secondary ones, from docs.github.com, "Rate limits for the REST API": about 80 requests a minute that create content,
  and 900 points a minute, where a read costs 1 and a write 5. Which requests create content GitHub does not say; we
  count every POST (check runs, comments, reactions). An update of a check run creates nothing, and costs its points. We
  stay below both. Its 500 creations an hour are not counted here: they do not hold for every endpoint, and waiting
  for them would delay reports that GitHub may well take.
- What a refusal says: `Retry-After`, or the reset. It counts for all work of the installation.

Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

THRIFTY_BELOW = 0.2
WAITING_BELOW = 0.03
MINUTE = 60.0
POINTS = {"GET": 1, "HEAD": 1, "OPTIONS": 1}
WRITE_POINTS = 5

LONGEST_WINDOW = 2 * 3600.0
"""Seconds. A window lasts an hour; a reset that is further away is wrong."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a minute takes. An Enterprise Server may have other limits, or none."""

    creations: int = 70
    points: int = 800


@dataclass(frozen=True, slots=True)
class Sent:
    """A request of the last minute."""

    at: float
    points: int
    creates: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """What is known about one installation. `remaining` of `limit` counts until `reset_at`; before any answer, None."""

    limit: int | None = None
    remaining: int | None = None
    reset_at: float = 0.0
    refused_until: float = 0.0
    sent: tuple[Sent, ...] = ()
    pace: Pace = Pace()

    def sending(self, method: str, now: float) -> Budget:
        """Return the budget after a request was sent, whatever becomes of it."""
        kept = tuple(one for one in self.sent if one.at > now - MINUTE)
        return replace(self, sent=(*kept, Sent(now, POINTS.get(method, WRITE_POINTS), method == "POST")))

    def answered(self, headers: Mapping[str, str], *, githubs_time: float, now: float) -> Budget:
        """Return the budget after an answer; `githubs_time` is in seconds since the epoch."""
        if headers.get("X-RateLimit-Resource", "core") != "core":
            return self
        numbers = [_number(headers.get(f"X-RateLimit-{name}")) for name in ("Limit", "Remaining", "Reset")]
        limit, remaining, reset = numbers
        if limit is None or remaining is None or reset is None or limit < 1:
            return self
        reset_at = now + min(reset - githubs_time, LONGEST_WINDOW)
        same_window = self.remaining is not None and abs(reset_at - self.reset_at) < MINUTE and now < self.reset_at
        if same_window and self.remaining is not None:
            # Answers overtake each other: within a window the count only goes down.
            remaining = min(remaining, self.remaining)
        return replace(self, limit=limit, remaining=remaining, reset_at=reset_at)

    def refused(self, seconds: float, now: float) -> Budget:
        """Return the budget after GitHub asked to be left alone for so many seconds."""
        return replace(self, refused_until=max(self.refused_until, now + seconds))

    def is_thrifty(self, now: float) -> bool:
        """Return whether only what must be told is to be told."""
        return self._share_left(now) < THRIFTY_BELOW

    def paused_until(self, now: float) -> float:
        """Return when the installation may be asked again: in the past, or now, where it may be asked now."""
        waits = [self.refused_until, self._minute_is_over_at(now)]
        if self._share_left(now) < WAITING_BELOW:
            waits.append(self.reset_at)
        return max(waits)

    def _share_left(self, now: float) -> float:
        if self.limit is None or self.remaining is None or now >= self.reset_at:
            return 1.0
        return self.remaining / self.limit

    def _minute_is_over_at(self, now: float) -> float:
        """Return when the requests of the last minute leave room for a creation."""
        recent = [one for one in self.sent if one.at > now - MINUTE]
        creations = sum(one.creates for one in recent)
        points = sum(one.points for one in recent)
        free_at = 0.0
        for one in recent:
            if creations < self.pace.creations and points <= self.pace.points - WRITE_POINTS:
                break
            creations -= one.creates
            points -= one.points
            free_at = one.at + MINUTE
        return free_at


def _number(header: str | None) -> int | None:
    try:
        return None if header is None else int(header)
    except ValueError:
        return None
