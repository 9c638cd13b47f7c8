"""Does the tasks that deliveries left: several at once, those of one lane one after another.

A task is leased from the store: one whose process dies is done by another. Where GitHub is away it waits; where GitHub
says no it is given up after some tries, with its reason kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from bot.events.decision import TaskKind
from bot.github_error import GitHubError
from bot.tasks.comment import comment
from bot.tasks.contact import contact
from bot.tasks.desk import Desk, LaterError, PointlessError
from bot.tasks.follow import follow
from bot.tasks.merge import merge
from bot.tasks.name import name
from bot.tasks.rerun import rerun
from bot.tasks.trust import decide_trust
from draftsman.store import tasks
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED
from draftsman.store.listening import listen
from draftsman.store.tasks import Task

log = logging.getLogger(__name__)

AT_ONCE = 8
POLL_SECONDS = 2.0
LEASE_SECONDS = 90.0
DONE_WITHIN = 80.0
"""Seconds. Shorter than the lease: nobody else does it meanwhile."""

LONGEST_BACK_OFF = 60.0
MOST_REFUSALS = 4
MOST_TRIES = 5_000
"""About four days of waiting for a GitHub that is away."""

Do = Callable[[Desk, Task], Awaitable[None]]

_DO: Mapping[str, Do] = {
    TaskKind.FOLLOW: follow,
    TaskKind.TRUST: decide_trust,
    TaskKind.MERGE: merge,
    TaskKind.RERUN: rerun,
    TaskKind.COMMENT: comment,
    TaskKind.FIRST_CONTACT: contact,
    TaskKind.NAME: name,
}


class TaskLoop:
    """Does tasks until it is told to stop. `database_url` is listened on."""

    def __init__(self, desk: Desk, *, database_url: str) -> None:
        self._desk = desk
        self._database_url = database_url
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Do tasks until cancelled; what is being done then is left to whoever comes next."""
        listening = asyncio.create_task(listen(self._database_url, tasks.CHANNEL, self._woken))
        try:
            while True:
                self._woken.clear()
                pause = await self._start_due()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), pause)
        finally:
            for one in (listening, *self._running):
                one.cancel()
            await asyncio.gather(listening, *self._running, return_exceptions=True)

    async def _start_due(self) -> float:
        """Start what is due. Returns the seconds until it should be looked again."""
        try:
            while len(self._running) < AT_ONCE:
                task = await tasks.take(self._desk.pool, lease_seconds=LEASE_SECONDS)
                if task is None:
                    next_due = await tasks.seconds_to_next(self._desk.pool)
                    return POLL_SECONDS if next_due is None else min(max(next_due, 0.05), POLL_SECONDS)
                doing = asyncio.create_task(self._do(task), name=f"task {task.id} ({task.kind})")
                self._running.add(doing)
                doing.add_done_callback(self._ended)
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.warning("tasks wait for Postgres: %r", error)
        return POLL_SECONDS

    def _ended(self, doing: asyncio.Task[None]) -> None:
        self._running.discard(doing)
        self._woken.set()

    async def _do(self, task: Task) -> None:
        try:
            error, seconds = await self._try(task)
            if seconds is None:
                await tasks.end(self._desk.pool, task, error=error)
            else:
                await tasks.again(self._desk.pool, task, seconds=seconds, error=error or "")
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as failure:
            log.warning("task %s (%s) waits for Postgres: %r", task.id, task.kind, failure)

    async def _try(self, task: Task) -> tuple[str | None, float | None]:
        """Return what went wrong, if anything, and the seconds until another try; None for none."""
        do = _DO.get(task.kind)
        if do is None:
            return f"there is no task of the kind {task.kind}", None
        try:
            async with asyncio.timeout(DONE_WITHIN):
                await do(self._desk, task)
        except LaterError as later:
            return str(later), later.seconds if task.tries < MOST_TRIES else None
        except PointlessError as pointless:
            log.info("task %s (%s) is given up: %s", task.id, task.kind, pointless)
            return str(pointless), None
        except GitHubError as error:
            seconds = seconds_to_wait(error, task.tries)
            log.warning("task %s (%s): %s", task.id, task.kind, error)
            return str(error), seconds
        except (*DATABASE_AWAY, TimeoutError) as error:
            return repr(error), POLL_SECONDS
        except Exception as error:
            # A defect of ours with this one task must not end all others.
            log.exception("task %s (%s)", task.id, task.kind)
            return repr(error), 30.0 * task.tries if task.tries < MOST_REFUSALS else None
        return None, None


def seconds_to_wait(error: GitHubError, tries: int) -> float | None:
    """Return when to try again after GitHub's refusal, None for never. `tries` counts from 1."""
    if error.transient:
        back_off = min(LONGEST_BACK_OFF, 0.5 * 2.0 ** min(tries, 10))
        return max(error.retry_after or 0.0, back_off) if tries < MOST_TRIES else None
    return 15.0 * tries if tries < MOST_REFUSALS else None
