"""Asks GitHub again where nobody else would: a worker that needs a token has no loop that comes back to it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.github_error import GitHubError, back_off

log = logging.getLogger(__name__)

Result = TypeVar("Result")

PATIENCE = 300.0
"""Seconds that GitHub may be away or ask for a pause before an attempt ends as `error`."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


async def patiently(ask: Callable[[], Awaitable[Result]], *, seconds: float = PATIENCE) -> Result:
    """Return what `ask` returns, asking again for so many seconds while another try may succeed.

    A pause that GitHub asks for is kept; where it reaches beyond that time, nothing is waited for. Raises the last
    GitHubError, and at once one that another try would only repeat.
    """
    until = time.monotonic() + seconds
    failures = 0
    while True:
        try:
            return await ask()
        except GitHubError as error:
            wait = back_off(error, failures, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
            if not error.transient or time.monotonic() + wait > until:
                raise
            log.warning("asking again in %.1f s: %s", wait, error)
        await asyncio.sleep(wait)
        failures += 1
