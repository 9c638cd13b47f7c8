"""Rows whose time is over. Removed in batches, each its own short transaction, so that nobody waits for a lock.

What is never removed, however old: what is not finished; deliveries that GitHub may still list, since an unknown one
would be done again; runs that a ref still names; and the last run of a branch that says anything, which failures are
compared with.
"""

# ruff: noqa: S608  (statements are put together of names of ours only)
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from draftsman.store import audit, locks
from draftsman.store.database import Database, Pool

BATCH = 1000
"""Rows that one statement removes."""

RUNS_AT_ONCE = 50
"""Runs that one transaction removes, with all that belongs to them."""

PAUSE_SECONDS = 0.02
"""Between two batches: whoever waits for the disk comes first."""

LEAST_DELIVERY_DAYS = 8.0
"""GitHub lists deliveries for 3 days, an Enterprise Server for 7: one that is forgotten earlier would be done again."""

_REMOVING = 0x72656D6F7665  # "remove": one process at a time


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days rows are kept: those of attempts from their end, all others from their own."""

    log_days: float = 30
    artifact_days: float = 14
    audit_days: float = 365
    delivery_days: float = 30
    run_days: float = 365


async def old_rows(
    pool: Pool[Any], keep: Keep, *, dry_run: bool, actor: str = "upkeep", pause_seconds: float = PAUSE_SECONDS
) -> dict[str, int]:
    """Remove what is older than it is kept, and return how many rows of each kind; with `dry_run`, count them only.

    `actor` is who the audit trail says removed it. Where another process is at it, nothing is done here: {}.
    """
    if dry_run:
        return {kind: await _counted(pool, kind, age) for kind, age in _ages(keep).items()}
    async with locks.alone(pool, _REMOVING) as mine:
        return await _removed(pool, keep, actor, pause_seconds) if mine else {}


async def _removed(pool: Pool[Any], keep: Keep, actor: str, pause_seconds: float) -> dict[str, int]:
    removed = dict.fromkeys(_ages(keep), 0)
    for kind, age in _ages(keep).items():
        async for number in _REMOVE[kind](pool, age):
            removed[kind] += number
            await asyncio.sleep(pause_seconds)
    if any(removed.values()):
        await audit.record(
            pool,
            actor=actor,
            action="retention.removed",
            rows={kind: number for kind, number in removed.items() if number},
        )
    return removed


def _ages(keep: Keep) -> dict[str, timedelta]:
    """Return for how long rows of each kind are kept, in the order in which they are removed."""
    days = {
        "log chunks": min(keep.log_days, keep.run_days),  # a run goes only when its logs have
        "artifacts": keep.artifact_days,
        "runs": keep.run_days,
        "failed builds": keep.log_days,  # they quote the log of the build
        # An image that is in use is built anew, and named, far more often.
        "pushed images": keep.run_days,
        "base images": keep.run_days,
        "tasks": keep.delivery_days,
        "deliveries": max(keep.delivery_days, LEAST_DELIVERY_DAYS),
        "audit rows": keep.audit_days,
    }
    return {kind: timedelta(days=number) for kind, number in days.items()}


_OLD: Mapping[str, tuple[str, str, str, int]] = {
    "artifacts": ("artifacts", "created_at", "created_at < now() - $1::interval", 100),
    "failed builds": ("image_failures", "failed_at", "failed_at < now() - $1::interval", BATCH),
    "pushed images": ("pushed_images", "pushed_at", "pushed_at < now() - $1::interval", BATCH),
    "base images": ("base_images", "named_at", "named_at < now() - $1::interval", BATCH),
    "tasks": ("tasks", "ended_at", "state <> 'open' AND ended_at < now() - $1::interval", BATCH),
    # By the newest delivery's time as well: a clock that jumped ahead must not make us forget what GitHub lists.
    "deliveries": (
        "deliveries",
        "received_at",
        "received_at < (SELECT least(now(), max(last_delivered_at)) FROM recovery) - $1::interval "
        "AND NOT EXISTS (SELECT FROM tasks t WHERE t.delivery = guid AND t.state = 'open')",
        BATCH,
    ),
    "audit rows": ("audit_events", "at", "at < now() - $1::interval", BATCH),
}
"""Of plain kinds: the table, the column by which the oldest come first, what is old, and the rows of a batch."""

_WITH_LOG = "state = 'finished' AND log_removed_at IS NULL AND finished_at < now() - $1::interval"

_REMOVABLE = """
    FROM runs r JOIN repositories p ON p.id = r.repository_id WHERE r.id = ANY($2)
    AND NOT EXISTS (SELECT FROM attempts a WHERE a.run_id = r.id
                    AND (a.state <> 'finished' OR a.finished_at >= now() - $1::interval))
    AND NOT EXISTS (SELECT FROM tasks t WHERE t.state = 'open' AND t.lane = 'run:' || r.id)
    AND (p.is_gone OR NOT EXISTS (
        SELECT FROM run_refs n WHERE n.run_id = r.id AND (n.is_current OR (
            -- The branch is there, and no later run of it says anything.
            n.kind = 'branch' AND r.subject = 'head'
            AND EXISTS (SELECT FROM run_refs m JOIN runs s ON s.id = m.run_id
                        WHERE m.kind = n.kind AND m.name = n.name AND m.is_current
                          AND s.repository_id = r.repository_id)
            AND EXISTS (SELECT FROM attempts a WHERE a.run_id = r.id
                        AND a.conclusion IN ('success', 'failure', 'timed_out'))
            AND NOT EXISTS (SELECT FROM run_refs l JOIN runs s ON s.id = l.run_id JOIN attempts a ON a.run_id = s.id
                            WHERE l.kind = n.kind AND l.name = n.name AND l.created_at > n.created_at
                              AND s.repository_id = r.repository_id AND s.subject = 'head'
                              AND a.conclusion IN ('success', 'failure', 'timed_out'))))))
"""


async def _counted(pool: Pool[Any], kind: str, age: timedelta) -> int:
    if kind == "runs":
        return sum([len(await _removable(pool, ids, age)) async for ids in _oldest_runs(pool, age)])
    if kind == "log chunks":
        counted = f"SELECT count(*) FROM log_chunks c JOIN attempts a ON a.id = c.attempt_id WHERE {_WITH_LOG}"
    else:
        table, _, where, _ = _OLD[kind]
        counted = f"SELECT count(*) FROM {table} WHERE {where}"
    count: int = await pool.fetchval(counted, age)
    return count


async def _remove_plain(kind: str, pool: Pool[Any], age: timedelta) -> AsyncIterator[int]:
    table, order, where, batch = _OLD[kind]
    gone = batch
    while gone == batch:
        # What somebody else has in hand is left for the next time.
        gone = await pool.fetchval(
            f"WITH gone AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY("
            f"SELECT ctid FROM {table} WHERE {where} ORDER BY {order} LIMIT {batch} FOR UPDATE SKIP LOCKED)) "
            "RETURNING 1) SELECT count(*) FROM gone",
            age,
        )
        yield gone


async def _remove_logs(pool: Pool[Any], age: timedelta) -> AsyncIterator[int]:
    """Remove the logs of attempts, the oldest first, and note at each attempt that its log is gone."""
    while rows := await pool.fetch(
        f"SELECT id FROM attempts WHERE {_WITH_LOG} ORDER BY finished_at LIMIT {BATCH}", age
    ):
        ids = [row["id"] for row in rows]
        gone = BATCH
        while gone == BATCH:
            gone = await pool.fetchval(
                "WITH gone AS (DELETE FROM log_chunks WHERE ctid = ANY(ARRAY("
                f"SELECT ctid FROM log_chunks WHERE attempt_id = ANY($1) LIMIT {BATCH})) "
                "RETURNING 1) SELECT count(*) FROM gone",
                ids,
            )
            yield gone
        await pool.execute(
            "UPDATE attempts SET log_removed_at = now() WHERE id = ANY($1) AND log_removed_at IS NULL", ids
        )


async def _remove_runs(pool: Pool[Any], age: timedelta) -> AsyncIterator[int]:
    """Remove runs with all that belongs to them. Who adds to a run holds its row: such a run is passed over."""
    async for ids in _oldest_runs(pool, age):
        removable = await _removable(pool, ids, age)
        for first in range(0, len(removable), RUNS_AT_ONCE):
            async with pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(
                    "SELECT id FROM runs WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED",
                    removable[first : first + RUNS_AT_ONCE],
                )
                # Looked at again now that they are ours: somebody may have asked for one of them meanwhile.
                ours = await _removable(connection, [row["id"] for row in rows], age)
                await _keep_first_run(connection, ours)
                await connection.execute("DELETE FROM runs WHERE id = ANY($1)", ours)
            yield len(ours)


async def _oldest_runs(pool: Pool[Any], age: timedelta) -> AsyncIterator[list[UUID]]:
    """Yield the runs that began so long ago, the oldest first, whether they may go or not."""
    at, last = datetime.min.replace(tzinfo=UTC), UUID(int=0)
    while rows := await pool.fetch(
        "SELECT id, created_at FROM runs WHERE created_at < now() - $1::interval AND (created_at, id) > ($2, $3) "
        f"ORDER BY created_at, id LIMIT {BATCH}",
        age,
        at,
        last,
    ):
        at, last = rows[-1]["created_at"], rows[-1]["id"]
        yield [row["id"] for row in rows]


async def _removable(db: Database, ids: Sequence[UUID], age: timedelta) -> list[UUID]:
    """Return those of the runs that nobody needs any more."""
    rows = await db.fetch(f"SELECT r.id {_REMOVABLE} ORDER BY r.created_at", age, list(ids))
    return [row["id"] for row in rows]


async def _keep_first_run(db: Database, ids: Sequence[UUID]) -> None:
    """Keep when the repositories of these runs had their first: older pull requests are no backlog of ours."""
    await db.execute(
        "UPDATE repositories p SET first_run_at = (SELECT min(created_at) FROM runs WHERE repository_id = p.id) "
        "WHERE first_run_at IS NULL AND id IN (SELECT repository_id FROM runs WHERE id = ANY($1))",
        list(ids),
    )


_REMOVE: Mapping[str, Callable[[Pool[Any], timedelta], AsyncIterator[int]]] = {
    "log chunks": _remove_logs,
    "runs": _remove_runs,
    **{kind: partial(_remove_plain, kind) for kind in _OLD},
}
