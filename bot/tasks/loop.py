"""Does the tasks that deliveries left: several at once, those of one lane one after another.

A task is leased from the store: one whose process dies is done by another. Where GitHub is away it waits; where GitHub
says no it is given up after some tries, with its reason kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import asyncpg

from bot.events.decision import TaskKind
from bot.github_error import GitHubError, back_off
from bot.tasks.comment import comment
from bot.tasks.contact import contact
from bot.tasks.desk import Desk, LaterError, PointlessError
from bot.tasks.follow import follow
from bot.tasks.late import start_late
from bot.tasks.lease import held
from bot.tasks.merge import merge
from bot.tasks.name import name
from bot.tasks.rerun import rerun
from bot.tasks.trust import decide_trust
from draftsman.domain.alert import Alert
from draftsman.domain.errors import LeaseLostError
from draftsman.pulse import Beat, no_beat
from draftsman.store import tasks
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED
from draftsman.store.listening import listen
from draftsman.store.tasks import Task

log = logging.getLogger(__name__)

AT_ONCE = 8
POLL_SECONDS = 2.0
LEASE_SECONDS = 20.0
"""Renewed while a task is being done: so long it waits for somebody else where its process dies."""
DONE_WITHIN = 80.0
"""Seconds."""

LET_GO_WITHIN = 2.0
"""Seconds in which a task that is not finished is given back when we stop."""

MOST_REFUSALS = 4
MOST_TRIES = 7_500
"""About four days of waiting for a GitHub that is away."""

Do = Callable[[Desk, Task], Awaitable[None]]

_DO: Mapping[str, Do] = {
    TaskKind.FOLLOW: follow,
    TaskKind.TRUST: decide_trust,
    TaskKind.MERGE: merge,
    TaskKind.RERUN: rerun,
    TaskKind.COMMENT: comment,
    TaskKind.FIRST_CONTACT: contact,
    TaskKind.START_LATE: start_late,
    TaskKind.NAME: name,
}


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a task is not done, and the seconds until another try; None for none. `aside` is that of LaterError."""

    reason: str
    seconds: float | None
    aside: bool = False


class TaskLoop:
    """Does tasks until it is told to stop. `database_url` is listened on."""

    def __init__(
        self, desk: Desk, *, database_url: str, lease_seconds: float = LEASE_SECONDS, beat: Beat = no_beat
    ) -> None:
        self._desk = desk
        self._database_url = database_url
        self._lease_seconds = lease_seconds
        self._beat = beat
        self._woken = asyncio.Event()
        self._running: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Do tasks until cancelled; what is being done then is given back, for whoever comes next."""
        listening = asyncio.create_task(listen(self._database_url, tasks.CHANNEL, self._woken))
        try:
            while True:
                self._beat()
                self._woken.clear()
                pause = await self._start_due()
                # Not `wait_for`: where the wait ends as we are cancelled, that of Python 3.11 goes on for ever.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()
        finally:
            for one in (listening, *self._running.values()):
                one.cancel()
            await asyncio.gather(listening, *self._running.values(), return_exceptions=True)

    async def _start_due(self) -> float:
        """Start what is due. Returns the seconds until it should be looked again."""
        try:
            while len(self._running) < AT_ONCE:
                task = await tasks.take(self._desk.pool, lease_seconds=self._lease_seconds)
                if task is None:
                    next_due = await tasks.seconds_to_next(self._desk.pool)
                    return POLL_SECONDS if next_due is None else min(max(next_due, 0.05), POLL_SECONDS)
                await self._end_earlier(task)
                doing = asyncio.create_task(self._do(task), name=f"task {task.id} ({task.kind})")
                self._running[task.id] = doing
                doing.add_done_callback(partial(self._ended, task.id))
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.warning("tasks wait for Postgres: %r", error, extra=Alert.POSTGRES_AWAY.extra)
        return POLL_SECONDS

    async def _end_earlier(self, task: Task) -> None:
        """End what we still do about the task ourselves: its lease ran out, as where the machine slept."""
        if earlier := self._running.get(task.id):
            earlier.cancel()
            await asyncio.wait([earlier])

    def _ended(self, task_id: int, doing: asyncio.Task[None]) -> None:
        if self._running.get(task_id) is doing:
            del self._running[task_id]
        self._woken.set()

    async def _do(self, task: Task) -> None:
        try:
            failure = await self._try(task)
            if failure is None or failure.seconds is None:
                await tasks.end(self._desk.pool, task, error=failure.reason if failure else None)
            else:
                await tasks.again(
                    self._desk.pool, task, seconds=failure.seconds, error=failure.reason, aside=failure.aside
                )
        except LeaseLostError as lost:
            log.warning("%s", lost)
        except asyncio.CancelledError:
            # We are told to stop: whoever comes next need not wait until our lease ends.
            with contextlib.suppress(*DATABASE_AWAY, *DATABASE_REFUSED):
                async with asyncio.timeout(LET_GO_WITHIN):
                    await tasks.again(self._desk.pool, task, seconds=0, error="it was told to stop")
            raise
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.warning(
                "task %s (%s) waits for Postgres: %r", task.id, task.kind, error, extra=Alert.POSTGRES_AWAY.extra
            )

    async def _try(self, task: Task) -> _Failure | None:
        """Return why it is not done. Raises LeaseLostError."""
        do = _DO.get(task.kind)
        if do is None:
            return _Failure(f"there is no task of the kind {task.kind}", None)
        if task.tries > MOST_TRIES:
            return _Failure("it never came to an end", None)
        try:
            async with (
                asyncio.timeout(DONE_WITHIN) as limit,
                held(self._desk.pool, task, seconds=self._lease_seconds),
            ):
                await do(self._desk, task)
        except LeaseLostError:
            raise
        except LaterError as later:
            return _Failure(str(later), _within(MOST_TRIES, task, later.seconds), later.aside)
        except PointlessError as pointless:
            log.info("task %s (%s) is given up: %s", task.id, task.kind, pointless)
            return _Failure(str(pointless), None)
        except GitHubError as error:
            log.warning("task %s (%s): %s", task.id, task.kind, error)
            return _Failure(str(error), seconds_to_wait(error, task.tries))
        except asyncpg.DataError as error:
            return _defect(task, error)  # asyncpg counts a value that it cannot send as trouble of the connection
        except DATABASE_AWAY as error:
            if limit.expired():
                return _defect(task, TimeoutError(f"it took longer than {DONE_WITHIN:.0f} s"))
            return _Failure(repr(error), _within(MOST_TRIES, task, POLL_SECONDS))
        except Exception as error:
            return _defect(task, error)
        return None


def _within(most: int, task: Task, seconds: float) -> float | None:
    return seconds if task.tries < most else None


def _defect(task: Task, error: Exception) -> _Failure:
    """Return what becomes of a task that fails by our own fault: it must not end, or hold up, all others."""
    log.error("task %s (%s)", task.id, task.kind, exc_info=error)
    return _Failure(repr(error), _within(MOST_REFUSALS, task, 30.0 * task.tries))


def seconds_to_wait(error: GitHubError, tries: int) -> float | None:
    """Return when to try again after GitHub's refusal, None for never. `tries` counts from 1."""
    if error.transient:
        return back_off(error, tries - 1) if tries < MOST_TRIES else None
    return 15.0 * tries if tries < MOST_REFUSALS else None
