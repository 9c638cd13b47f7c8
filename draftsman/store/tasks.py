"""What an event calls for beside its run, and needs GitHub for. Kept with the event, so that nothing of it is lost.

Tasks of one lane are done one after another, in the order in which they came. One that waits for time to pass
steps aside: what came after it goes on meanwhile.

Whoever takes a task has it until its lease ends. `tries` tells one taker from the next: what somebody writes who lost
the task meanwhile (the machine slept, say) changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from draftsman.domain.errors import LeaseLostError
from draftsman.store.database import Database, clean

CHANNEL = "draftsman_tasks"
"""Postgres notifies it when a task is added."""

FIRST_CONTACT = "first_contact"
START_LATE = "start_late"
"""The kinds of tasks that the store, or an administrator, calls for by itself."""

_RUN = "coalesce(detail ->> 'run_id', substring(lane from '^run:([0-9a-f-]{36})'))::uuid"
"""The run that a task is about, where it is about one: of a row, in the audit trail."""

_SAID = "jsonb_build_object('kind', kind, 'reason', error, 'tries', tries)"

# Not `NOT EXISTS (an earlier one)`: Postgres hears of a thousand open tasks among a million that ended long after they
# came, and would compare each with each.
_FIRST = "(SELECT DISTINCT ON (lane) id, due_at FROM tasks WHERE state = 'open' ORDER BY lane, id)"
"""The first open task of each lane."""

_ASIDE = " aside "
"""Between a lane and the id of a task that stepped aside, which has a lane of its own; no lane has a space in it."""


@dataclass(frozen=True, slots=True)
class TaskWanted:
    """A task to be kept. `detail` is JSON."""

    kind: str
    lane: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """A task that is being done. `delivery` is the GUID of the event that called for it; `tries` counts this one."""

    id: int
    kind: str
    lane: str
    detail: Mapping[str, Any]
    delivery: str | None
    tries: int


async def add(db: Database, wanted: TaskWanted, *, delivery: str | None) -> None:
    """Keep a task. Call it in the transaction that keeps what it belongs to."""
    await db.execute(
        "INSERT INTO tasks (kind, lane, detail, delivery) VALUES ($1, $2, $3, $4)",
        wanted.kind,
        clean(wanted.lane),
        dict(wanted.detail),
        delivery,
    )


async def take(db: Database, *, lease_seconds: float) -> Task | None:
    """Return the oldest task that is due and first in its lane; nobody else gets it for so many seconds.

    While it is taken it has no error, which tells it from one that waits for another try.
    """
    row = await db.fetchrow(
        f"""
        UPDATE tasks SET tries = tries + 1, due_at = now() + $1, error = NULL WHERE id = (
            -- More than takers at once: each passes over those that another one has in hand.
            SELECT id FROM tasks WHERE state = 'open' AND due_at <= now() AND id = ANY(ARRAY(
                SELECT id FROM {_FIRST} f WHERE due_at <= now() ORDER BY id LIMIT 100
            )) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        ) RETURNING id, kind, lane, detail, delivery, tries
        """,  # noqa: S608
        timedelta(seconds=lease_seconds),
    )
    return None if row is None else Task(**dict(row))


async def renew(db: Database, task: Task, *, lease_seconds: float) -> None:
    """Have the task for so many seconds from now. Raises LeaseLostError where somebody else has it now."""
    held = await db.fetchval(
        "UPDATE tasks SET due_at = now() + $3 WHERE id = $1 AND tries = $2 RETURNING id",
        task.id,
        task.tries,
        timedelta(seconds=lease_seconds),
    )
    _demand_held(held, task)


async def end(db: Database, task: Task, *, error: str | None = None) -> None:
    """Note that the task is done; with `error`, that it was given up. Doing it twice changes nothing more.

    Raises LeaseLostError where somebody else has the task now.
    """
    state = "done" if error is None else "given_up"
    said = None if error is None else clean(error)[:2000]
    held = await db.fetchval(
        f"""
        WITH before AS (
            SELECT id, state FROM tasks WHERE id = $1 AND tries = $2 FOR UPDATE
        ), ended AS (
            UPDATE tasks t SET state = CASE WHEN t.state = 'open' THEN $3 ELSE t.state END,
                   error = CASE WHEN t.state = 'open' THEN $4 ELSE t.error END, ended_at = coalesce(t.ended_at, now())
            FROM before b WHERE t.id = b.id RETURNING t.*, b.state = 'open' AND $3 = 'given_up' AS is_given_up
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, delivery, detail)
            SELECT 'tasks', 'task.given_up', {_RUN}, delivery, {_SAID} FROM ended WHERE is_given_up
        )
        SELECT id FROM ended
        """,  # noqa: S608
        task.id,
        task.tries,
        state,
        said,
    )
    _demand_held(held, task)


async def keep_detail(db: Database, task: Task, detail: Mapping[str, Any]) -> None:
    """Keep these members of what the task has come to, in the transaction that does it: another try goes on from there.

    Raises LeaseLostError where somebody else has the task now: the transaction must not be committed.
    """
    held = await db.fetchval(
        "UPDATE tasks SET detail = detail || $3 WHERE id = $1 AND tries = $2 RETURNING id",
        task.id,
        task.tries,
        dict(detail),
    )
    _demand_held(held, task)


def _demand_held(held: object, task: Task) -> None:
    if held is None:
        raise LeaseLostError(f"somebody else has task {task.id} now")


async def again(db: Database, task: Task, *, seconds: float, error: str, aside: bool = False) -> None:
    """Have the task tried again after so many seconds; with `aside`, let those behind it in its lane go on meanwhile.

    Changes nothing where somebody else has the task now.
    """
    await db.execute(
        "UPDATE tasks SET due_at = now() + $3, error = $4, lane = $5 WHERE id = $1 AND tries = $2 AND state = 'open'",
        task.id,
        task.tries,
        timedelta(seconds=seconds),
        clean(error)[:2000],
        f"{task.lane}{_ASIDE}{task.id}" if aside and _ASIDE not in task.lane else task.lane,
    )


async def wake(db: Database, installation_id: int) -> None:
    """Have what waits about an installation and its repositories tried at once: GitHub answers for it again."""
    await db.execute(
        "UPDATE tasks SET due_at = now() WHERE state = 'open' AND error IS NOT NULL AND due_at > now() "
        "AND (detail @> $1 OR detail ->> 'repository_id' IN "
        "(SELECT id::text FROM repositories WHERE installation_id = $2))",
        {"installation_id": installation_id},
        installation_id,
    )


async def drop(db: Database, kinds: Sequence[str], lanes: Sequence[str], *, reason: str) -> int:
    """Give up the open tasks of these kinds in these lanes, and return how many those were."""
    rows = await db.fetch(
        f"""
        WITH dropped AS (
            UPDATE tasks SET state = 'given_up', error = $3, ended_at = now()
            WHERE kind = ANY($1) AND lane = ANY($2) AND state = 'open' RETURNING *
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, delivery, detail)
            SELECT 'tasks', 'task.given_up', {_RUN}, delivery, {_SAID} FROM dropped
        )
        SELECT id FROM dropped
        """,  # noqa: S608
        list(kinds),
        list(lanes),
        clean(reason),
    )
    return len(rows)


async def seconds_to_next(db: Database) -> float | None:
    """Return the seconds until the next task that is first in its lane is due, None where none is open."""
    found: float | None = await db.fetchval(
        f"SELECT extract(epoch FROM min(due_at) - now())::float FROM {_FIRST} f"  # noqa: S608
    )
    return found


async def was_wanted(db: Database, task: Task, same: Mapping[str, Any]) -> bool:
    """Return whether an older task of the same kind has, or had, these members in its detail."""
    # Counted: to find one, Postgres would go through all tasks, since it thinks that one in a thousand has them.
    found: bool = await db.fetchval(
        "SELECT count(*) > 0 FROM tasks WHERE kind = $1 AND id < $2 AND detail @> $3",
        task.kind,
        task.id,
        dict(same),
    )
    return found


async def count_like(db: Database, task: Task, *, repository_id: int, by: str, within_seconds: float) -> int:
    """Return how many tasks of this one's kind the person caused in the repository lately, this one the last."""
    count: int = await db.fetchval(
        "SELECT count(*) FROM tasks "
        "WHERE kind = $1 AND detail @> $2 AND created_at > now() - $3::interval AND id <= $4",
        task.kind,
        {"repository_id": repository_id, "by": by},
        timedelta(seconds=within_seconds),
        task.id,
    )
    return count


@dataclass(frozen=True, slots=True)
class TaskStanding:
    """How a task stands. `state` is open, done or given_up; `error` says why it waits or was given up."""

    kind: str
    state: str
    tries: int
    error: str | None
    created_at: datetime
    ended_at: datetime | None

    def document(self) -> dict[str, Any]:
        """Return the task as programs are shown it."""
        ended = self.ended_at
        return {
            **asdict(self),
            "created_at": self.created_at.isoformat(),
            "ended_at": None if ended is None else ended.isoformat(),
        }


async def of_delivery(db: Database, guid: str) -> list[TaskStanding]:
    """Return the tasks that a delivery called for, oldest first."""
    rows = await db.fetch(
        "SELECT kind, state, tries, error, created_at, ended_at FROM tasks WHERE delivery = $1 ORDER BY id",
        clean(guid),
    )
    return [TaskStanding(**dict(row)) for row in rows]


async def open_count(db: Database) -> int:
    """Return how many tasks are not ended."""
    count: int = await db.fetchval("SELECT count(*) FROM tasks WHERE state = 'open'")
    return count
