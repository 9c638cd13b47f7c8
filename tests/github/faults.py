"""Faults that a test asks the stand-in to have: error answers, lost connections, slowness."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

SECONDARY_LIMIT = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


@dataclass
class Fault:
    """What happens to the next `times` requests whose method and path match.

    `status` answers that instead of working; with `after_work` the work is done first and its answer lost
    (git requests excepted).
    `reset` closes the connection without an answer. `delay` seconds pass before anything else.
    """

    method: str | None
    path: re.Pattern[str]
    times: int
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    reset: bool = False
    after_work: bool = False
    delay: float = 0.0

    def matches(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in (None, method) and bool(self.path.search(path))


class Luck(Protocol):
    """Draws a fault for a request, or none (`misbehaviour.BadLuck`)."""

    def draw(self) -> Fault | None: ...


class Faults:
    """The faults that are still to happen, the oldest first. Each request takes at most one.

    `luck`, if set, draws one for each API request that no ordered fault hits.
    """

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.luck: Luck | None = None

    def fail(
        self,
        status: int,
        *,
        method: str | None = None,
        path: str = "",
        times: int = 1,
        retry_after: int | None = None,
        message: str = "Server Error",
        after_work: bool = False,
    ) -> None:
        """Answer this status; `retry_after` seconds go into a `Retry-After` header.

        403 or 429 with `retry_after` is GitHub's secondary rate limit and says so.
        """
        if status in (403, 429) and retry_after is not None:
            message = SECONDARY_LIMIT
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = {"message": message, "status": str(status)}
        self._add(method, path, times, status=status, headers=headers, body=body, after_work=after_work)

    def reset(self, *, method: str | None = None, path: str = "", times: int = 1, after_work: bool = False) -> None:
        """Close the connection with no answer, before or after the work is done."""
        self._add(method, path, times, reset=True, after_work=after_work)

    def delay(self, seconds: float, *, method: str | None = None, path: str = "", times: int = 1) -> None:
        """Answer rightly, but this much later."""
        self._add(method, path, times, delay=seconds)

    def clear(self) -> None:
        """Forget the faults that have not happened yet."""
        self._waiting.clear()

    @property
    def waiting(self) -> int:
        """How many requests will still be hit."""
        return sum(fault.times for fault in self._waiting)

    def take(self, method: str, path: str, *, is_git: bool = False) -> Fault | None:
        """The fault for this request, used up once, or None."""
        for fault in self._waiting:
            if fault.matches(method, path):
                fault.times -= 1
                self._waiting = [f for f in self._waiting if f.times > 0]
                return fault
        return self.luck.draw() if self.luck and not is_git else None

    def _add(self, method: str | None, path: str, times: int, **what: Any) -> None:
        method = method.upper() if method else None
        self._waiting.append(Fault(method, re.compile(path), times, **what))
