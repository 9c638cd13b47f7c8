"""What GitHub's refusals mean: whether to try again, and when."""

from __future__ import annotations

import random
from collections.abc import Mapping

from bot.markdown import cut, one_line
from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError
from draftsman.domain.retry import Cause

SECONDARY_LIMIT_SECONDS = 60.0
"""GitHub's advice where a secondary limit's answer says no time."""

LONGEST_WAIT = 2 * 3600.0
"""Seconds. A limit is over after an hour; a header that says more is wrong."""


LONGEST_BACK_OFF = 60.0
"""Seconds between two tries where GitHub is away."""


class GitHubError(HostError):
    """A request that GitHub refused or did not answer. `status` is None where no answer came.

    `retry_after` is the seconds that GitHub asks to be left alone for, for all work of the installation.
    """

    def __init__(self, sentence: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after
        self.alert = self._alert()
        if self.transient:  # a worker asks for nothing but the right to fetch
            self.cause = Cause.SOURCE

    @property
    def transient(self) -> bool:
        """Return whether the same request may succeed soon."""
        return self.status is None or self.status >= 500 or self.status in (408, 425, 429) or self.limited

    def _alert(self) -> Alert:
        if self.limited:
            return Alert.RATE_LIMIT
        return Alert.GITHUB_AWAY if self.transient else Alert.GITHUB_REFUSES

    @property
    def limited(self) -> bool:
        """Return whether a rate limit refused it."""
        return self.retry_after is not None and self.status in (403, 429)


def back_off(error: GitHubError, failures: int, *, first: float = 1.0, longest: float = LONGEST_BACK_OFF) -> float:
    """Return the seconds until another try: twice as long each time, and as long as GitHub asks for at least.

    `failures` counts from 0. Up to half of the pause is left to chance, so that not all ask at once.
    """
    pause = min(longest, first * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1)  # noqa: S311
    return max(error.retry_after or 0.0, pause)


def refusal(what: str, status: int, headers: Mapping[str, str], body: object, *, now: float) -> GitHubError:
    """Return the error for an answer that is not a success. `now` is GitHub's time in seconds since the epoch."""
    said = body.get("message") if isinstance(body, Mapping) else None
    message = cut(one_line(said), 300) if isinstance(said, str) else "no message"
    errors = body.get("errors") if isinstance(body, Mapping) else None
    detail = f" {cut(one_line(str(errors)), 500)}" if errors else ""
    sentence = f"GitHub answered {status} to {what}: {message}{detail}"
    return GitHubError(sentence, status=status, retry_after=_retry_after(status, headers, message, now))


def _retry_after(status: int, headers: Mapping[str, str], message: str, now: float) -> float | None:
    asked = _number(headers.get("Retry-After"))
    limit = status in (403, 429)
    if asked is None and limit and _number(headers.get("X-RateLimit-Remaining")) == 0:
        reset = _number(headers.get("X-RateLimit-Reset"))
        asked = None if reset is None else reset - now
    if asked is None and limit and (status == 429 or "rate limit" in message.lower()):
        asked = SECONDARY_LIMIT_SECONDS
    return None if asked is None else min(max(asked, 1.0), LONGEST_WAIT)


def _number(header: str | None) -> float | None:
    try:
        return None if header is None else float(int(header))
    except ValueError:
        return None
