"""Workers: what they say of themselves, and whether they are to take anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from draftsman.domain.worker import Drain, Worker
from draftsman.store import audit
from draftsman.store.database import Database, clean
from draftsman.store.leases import lock_claims

FORGOTTEN_AFTER = timedelta(days=7)
"""A worker that was not heard of for so long is dropped, with its drain."""

_COLUMNS = """
    w.name, w.host, w.version, w.slots, w.per_repository, w.engine, w.away_since, w.disk_short_since,
    w.started_at, w.seen_at, w.stopped_at,
    w.drained_at, w.drained_by, w.drain_reason, w.labels,
    greatest(w.busy, (SELECT count(*) FROM attempts a
                      WHERE a.lease_owner = w.name AND a.state IN ('preparing', 'building', 'running'))) AS busy
"""
"""`busy` is what the worker says, or what it holds where that is more: it may not have said so yet."""


@dataclass(frozen=True, slots=True)
class Present:
    """What a worker says of itself; see `Worker`."""

    name: str
    host: str
    version: str
    slots: int
    per_repository: int
    busy: int = 0
    engine: str | None = None
    is_engine_away: bool = False
    is_disk_short: bool = False
    labels: tuple[str, ...] = ()


async def beat(db: Database, present: Present, *, starting: bool = False) -> Drain | None:
    """Keep that the worker is there, and return its drain, None where it takes attempts.

    `starting` says that it was just started: then it has been there from now on.
    """
    row = await db.fetchrow(
        """
        INSERT INTO workers AS w (name, host, version, slots, per_repository, busy, engine, away_since, labels,
            disk_short_since)
        VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $9 THEN now() END, $10, CASE WHEN $11 THEN now() END)
        ON CONFLICT (name) DO UPDATE SET host = excluded.host, version = excluded.version, slots = excluded.slots,
            per_repository = excluded.per_repository, busy = excluded.busy, engine = excluded.engine,
            labels = excluded.labels, away_since = CASE WHEN $9 THEN coalesce(w.away_since, now()) END,
            disk_short_since = CASE WHEN $11 THEN coalesce(w.disk_short_since, now()) END,
            seen_at = now(), stopped_at = NULL, started_at = CASE WHEN $8 THEN now() ELSE w.started_at END
        RETURNING drained_at, drained_by, drain_reason
        """,
        present.name,
        clean(present.host),
        present.version,
        present.slots,
        present.per_repository,
        present.busy,
        None if present.engine is None else clean(present.engine),
        starting,
        present.is_engine_away,
        list(present.labels),
        present.is_disk_short,
    )
    return _drain(row)


async def stopped(db: Database, name: str) -> None:
    """Keep that the worker stops: nobody has to wait until it is missed."""
    await db.execute("UPDATE workers SET stopped_at = now(), busy = 0 WHERE name = $1", name)


async def forget_old(db: Database) -> None:
    """Drop the workers that were not heard of for `FORGOTTEN_AFTER`."""
    await db.execute("DELETE FROM workers WHERE seen_at < now() - $1::interval", FORGOTTEN_AFTER)


async def everywhere(db: Database) -> list[Worker]:
    """Return all workers that are known, by name."""
    return [_worker(row) for row in await db.fetch(f"SELECT {_COLUMNS} FROM workers w ORDER BY w.name")]  # noqa: S608


async def get(db: Database, name: str) -> Worker | None:
    """Return the worker of this name, or None."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM workers w WHERE w.name = $1", name)  # noqa: S608
    return None if row is None else _worker(row)


async def drain(db: Database, name: str, *, by: str, reason: str = "") -> Worker | None:
    """Have the worker take nothing new, and return it; None where there is no such one. Call it in a transaction.

    Once that is committed no attempt begins there. One that is draining already stays as it is.
    """
    await lock_claims(db)  # a claim that looked before must have ended
    changed = await db.fetchval(
        "UPDATE workers SET drained_at = now(), drained_by = $2, drain_reason = $3 "
        "WHERE name = $1 AND drained_at IS NULL RETURNING name",
        name,
        clean(by),
        clean(reason),
    )
    if changed is not None:
        await audit.record(db, actor=by, action="worker.drained", worker=name, reason=reason)
    return await get(db, name)


async def undrain(db: Database, name: str, *, by: str) -> Worker | None:
    """Have the worker take attempts again, and return it; None where there is no such one. Call it in a transaction."""
    changed = await db.fetchval(
        "UPDATE workers SET drained_at = NULL, drained_by = NULL, drain_reason = NULL "
        "WHERE name = $1 AND drained_at IS NOT NULL RETURNING name",
        name,
    )
    if changed is not None:
        await audit.record(db, actor=by, action="worker.undrained", worker=name)
    return await get(db, name)


def _drain(row: Any) -> Drain | None:
    if row["drained_at"] is None:
        return None
    return Drain(row["drained_at"], row["drained_by"], row["drain_reason"] or "")


def _worker(row: Any) -> Worker:
    return Worker(
        name=row["name"],
        host=row["host"],
        version=row["version"],
        slots=row["slots"],
        busy=row["busy"],
        per_repository=row["per_repository"],
        engine=row["engine"],
        engine_away_since=row["away_since"],
        disk_short_since=row["disk_short_since"],
        started_at=row["started_at"],
        seen_at=row["seen_at"],
        stopped_at=row["stopped_at"],
        drain=_drain(row),
        labels=tuple(row["labels"]),
    )
