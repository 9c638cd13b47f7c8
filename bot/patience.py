"""Asks GitHub again where nobody else would: a worker that needs a token has no loop that comes back to it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.github_error import GitHubError

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
    pause = FIRST_PAUSE
    while True:
        try:
            return await ask()
        except GitHubError as error:
            wait = max(error.retry_after or 0.0, pause * random.uniform(0.5, 1))  # noqa: S311
            if not error.transient or time.monotonic() + wait > until:
                raise
            log.warning("asking again in %.1f s: %s", wait, error)
        await asyncio.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE)
