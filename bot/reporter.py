"""Brings GitHub to the state that the store says: a reconcile loop, not a callback.

For every attempt that changed, the body of each check run is computed from the store, compared with what was
last sent, and sent (`bot/check_sender.py`). GitHub being away delays a report; it never loses one. This module says
when: one task a commit, in this process and in every other on the same database; little while GitHub's limits run
short (`bot/budget.py`), nothing while it asks for a pause. A notification of Postgres is a hint; the poll is the
guarantee.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import Any
from uuid import UUID

from bot.check_sender import CheckSender
from bot.github import GitHub
from bot.github_error import GitHubError, back_off
from draftsman.domain.alert import Alert
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import Attempt
from draftsman.domain.waiting import Terms
from draftsman.pulse import Beat, no_beat
from draftsman.store import attempts, check_runs
from draftsman.store.check_runs import Behind
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool
from draftsman.store.listening import listen
from draftsman.store.locks import Turn, Turns

log = logging.getLogger(__name__)

CHANNEL = "draftsman_attempts"
POLL_SECONDS = 2.0
BETWEEN_UPDATES = 2.0
"""Seconds between two updates of an attempt in progress. Its end is told at once."""

GATHERED_FOR = 0.05
"""Seconds that a notification waits for others: a step's end and the next one's start come together."""

AT_ONCE = 8
"""Commits that are reported at the same time."""

TRIED_AGAIN = 1.0
"""Seconds until a commit is looked at again that another process tells GitHub of."""

HOPELESS_FOR = 3600.0
"""Seconds until a refusal that repeats itself (an App that was removed, a lost permission) is tried again."""

CREDENTIALS_REFUSED_FOR = 300.0
STOPPED_WITHIN = 10.0

Commit = tuple[int, str]
"""Repository id and head SHA."""


class Reporter:
    """Tells GitHub. `public_url` is where people reach the pages of runs; `database_url` is listened on.

    `terms` say why a run waits.
    """

    def __init__(
        self,
        pool: Pool[Any],
        github: GitHub,
        *,
        public_url: str,
        database_url: str,
        terms: Terms | None = None,
        beat: Beat = no_beat,
    ) -> None:
        self._pool = pool
        self._github = github
        self._sender = CheckSender(pool, github, public_url=public_url.rstrip("/"), terms=terms or Terms())
        self._database_url = database_url
        self._beat = beat
        self._turns = Turns(database_url)
        self._woken = asyncio.Event()
        self._tasks: dict[Commit, asyncio.Task[None]] = {}
        self._updated: dict[UUID, float] = {}
        self._elsewhere: dict[Commit, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Report until `stop` is set; what is being sent then is finished."""
        hints = listen(self._database_url, CHANNEL, self._woken)
        watchers = [asyncio.create_task(hints), asyncio.create_task(self._wake_when(stop))]
        try:
            while not stop.is_set():
                self._beat()
                self._woken.clear()
                try:
                    pause = await self._start_due()
                except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
                    log.warning("reporting waits for Postgres: %r", error, extra=Alert.POSTGRES_AWAY.extra)
                    pause = POLL_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):  # `wait_for` of Python 3.11 may lose a cancellation
                        await self._woken.wait()
                await asyncio.sleep(GATHERED_FOR)
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await self._finish()
            await self._turns.close()

    async def _finish(self) -> None:
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks.values(), timeout=STOPPED_WITHIN)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _wake_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()

    async def _start_due(self) -> float:
        """Start reporting what is behind and may be told now. Returns the seconds until more may be."""
        now = time.monotonic()
        paused = self._github.paused()
        self._updated = {key: at for key, at in self._updated.items() if at + BETWEEN_UPDATES > now}
        self._elsewhere = {key: until for key, until in self._elsewhere.items() if until > now}
        pause = min([POLL_SECONDS, *(until - now for until in paused.values())])
        due = await check_runs.behind(self._pool, paused=list(paused), thrifty=self._github.thrifty())
        for item in due:
            commit = (item.repository_id, item.head_sha)
            not_before = self._elsewhere.get(commit, now)
            if not item.at_rest and item.attempt_id in self._updated:
                not_before = max(not_before, self._updated[item.attempt_id] + BETWEEN_UPDATES)
            if not_before > now:
                pause = min(pause, not_before - now)
            elif commit not in self._tasks and len(self._tasks) < AT_ONCE:
                # One task a commit: of two check runs with one name GitHub shows the one created last.
                task = asyncio.create_task(self._report(item, commit))
                self._tasks[commit] = task
                task.add_done_callback(partial(self._done, commit))
        return max(pause, 0.0)

    def _done(self, commit: Commit, _: asyncio.Task[None]) -> None:
        del self._tasks[commit]
        self._woken.set()

    async def _report(self, item: Behind, commit: Commit) -> None:
        """Tell of one attempt, unless another process tells of its commit."""
        try:
            async with self._turns.tried(f"check runs of {item.repository_id} {item.head_sha}") as turn:
                if turn is None:
                    self._elsewhere[commit] = time.monotonic() + TRIED_AGAIN
                else:
                    await self._tell(item, turn)
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.warning(
                "reporting attempt %s waits for Postgres: %r", item.attempt_id, error, extra=Alert.POSTGRES_AWAY.extra
            )
            await asyncio.sleep(1)

    async def _tell(self, item: Behind, turn: Turn) -> None:
        attempt = await attempts.get(self._pool, item.attempt_id)
        if attempt is None:
            return
        for tier in CHECKED_TIERS:
            if self._github.paused_until(item.installation_id) > time.monotonic():
                break
            await self._tell_tier(attempt, tier, turn)
        await check_runs.settle(self._pool, attempt.id)
        self._updated[attempt.id] = time.monotonic()

    async def _tell_tier(self, attempt: Attempt, tier: Tier, turn: Turn) -> None:
        try:
            await self._sender.tell(attempt, tier, may_send=lambda: turn.is_held)
        except DATABASE_AWAY:
            raise
        except GitHubError as error:
            reported = await check_runs.of_attempt(self._pool, attempt.id, tier)
            wait = seconds_to_wait(error, reported.failures)
            log.warning("%s of attempt %s is told in %.0f s: %s", tier, attempt.id, wait, error)
            await check_runs.failed(self._pool, reported, retry_seconds=wait, error=str(error))
        except Exception as error:
            # A defect of ours with this one attempt must not end the reports of all others.
            log.exception("the check run %s of attempt %s could not be made", tier, attempt.id)
            reported = await check_runs.of_attempt(self._pool, attempt.id, tier)
            await check_runs.failed(self._pool, reported, retry_seconds=HOPELESS_FOR, error=repr(error))


def seconds_to_wait(error: GitHubError, failures: int) -> float:
    """Return when to try again after the error, which is the `failures`-th in a row (from 0)."""
    if error.transient:
        return back_off(error, failures)
    if error.status == 401:
        return CREDENTIALS_REFUSED_FOR
    return HOPELESS_FOR if failures < 24 else 24 * HOPELESS_FOR
