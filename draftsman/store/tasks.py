"""What an event calls for beside its run, and needs GitHub for. Kept with the event, so that nothing of it is lost.

Tasks of one lane are done one after another, in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from draftsman.store.database import Database, clean

CHANNEL = "draftsman_tasks"
"""Postgres notifies it when a task is added."""


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
    """Return the oldest task that is due and first in its lane; nobody else gets it for so many seconds."""
    row = await db.fetchrow(
        """
        UPDATE tasks SET tries = tries + 1, due_at = now() + $1 WHERE id = (
            SELECT t.id FROM tasks t WHERE t.state = 'open' AND t.due_at <= now()
              AND NOT EXISTS (SELECT FROM tasks e WHERE e.state = 'open' AND e.lane = t.lane AND e.id < t.id)
            ORDER BY t.id LIMIT 1 FOR UPDATE SKIP LOCKED
        ) RETURNING id, kind, lane, detail, delivery, tries
        """,
        timedelta(seconds=lease_seconds),
    )
    return None if row is None else Task(**dict(row))


async def end(db: Database, task: Task, *, error: str | None = None) -> None:
    """Note that the task is done; with `error`, that it was given up."""
    await db.execute(
        "UPDATE tasks SET state = $2, error = $3, ended_at = now() WHERE id = $1 AND state = 'open'",
        task.id,
        "done" if error is None else "given_up",
        None if error is None else clean(error)[:2000],
    )


async def keep_detail(db: Database, task: Task, detail: Mapping[str, Any]) -> None:
    """Keep what the task has come to, in the transaction that does it: another try goes on from there."""
    await db.execute("UPDATE tasks SET detail = $2 WHERE id = $1", task.id, dict(detail))


async def again(db: Database, task: Task, *, seconds: float, error: str) -> None:
    """Have the task tried again after so many seconds."""
    await db.execute(
        "UPDATE tasks SET due_at = now() + $2, error = $3 WHERE id = $1 AND state = 'open'",
        task.id,
        timedelta(seconds=seconds),
        clean(error)[:2000],
    )


async def drop(db: Database, kinds: Sequence[str], lanes: Sequence[str], *, reason: str) -> int:
    """Give up the open tasks of these kinds in these lanes, and return how many those were."""
    rows = await db.fetch(
        "UPDATE tasks SET state = 'given_up', error = $3, ended_at = now() "
        "WHERE kind = ANY($1) AND lane = ANY($2) AND state = 'open' RETURNING id",
        list(kinds),
        list(lanes),
        clean(reason),
    )
    return len(rows)


async def seconds_to_next(db: Database) -> float | None:
    """Return the seconds until the next task is due, None where none is open."""
    found: float | None = await db.fetchval(
        "SELECT extract(epoch FROM min(due_at) - now())::float FROM tasks WHERE state = 'open'"
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


async def open_count(db: Database) -> int:
    """Return how many tasks are not ended."""
    count: int = await db.fetchval("SELECT count(*) FROM tasks WHERE state = 'open'")
    return count
