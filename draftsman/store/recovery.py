"""How far GitHub's list of deliveries was read, and where it did not reach back to what was read before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from draftsman.store import locks
from draftsman.store.database import Database, Pool, clean

_READING = 0x726561646C697374  # "readlist": one process at a time reads the list


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the list. `now` is the database's time; all else is None where it did not happen yet.

    `last_delivery_id` and `last_delivered_at` are of the newest delivery before which none is missing; `read_at` is
    when the list was read to its end. Between `gap_from` and `gap_until` deliveries may have been lost; the newest
    comparison of heads began at `compared_at`, and a person asked for one at `sync_asked_at`.
    """

    now: datetime
    last_delivery_id: int | None
    last_delivered_at: datetime | None
    read_at: datetime | None
    gap_from: datetime | None
    gap_until: datetime | None
    compared_at: datetime | None
    sync_asked_at: datetime | None

    @property
    def has_gap(self) -> bool:
        """Return whether deliveries may have been lost that no comparison made up for yet."""
        return self.gap_until is not None and (self.compared_at is None or self.compared_at < self.gap_until)

    @property
    def is_asked(self) -> bool:
        """Return whether somebody asked for a comparison that did not begin yet."""
        return self.sync_asked_at is not None and (self.compared_at is None or self.compared_at < self.sync_asked_at)


async def get(db: Database) -> Standing:
    """Return what is known of the list."""
    row = await db.fetchrow(
        "SELECT now() AS now, last_delivery_id, last_delivered_at, read_at, gap_from, gap_until, compared_at, "
        "sync_asked_at FROM recovery"
    )
    return Standing(**dict(row))


async def first_started(db: Database) -> datetime:
    """Return when this instance began to be: what GitHub delivered before that is no backlog of it."""
    found: datetime = await db.fetchval("SELECT min(applied_at) FROM schema_migrations")
    return found


async def keep_read(db: Database, *, last_delivery_id: int | None, last_delivered_at: datetime | None) -> None:
    """Note that the list was read to its end; None leaves the newest delivery as it is."""
    await db.execute(
        "UPDATE recovery SET last_delivery_id = coalesce($1, last_delivery_id), "
        "last_delivered_at = coalesce($2, last_delivered_at), read_at = now()",
        last_delivery_id,
        last_delivered_at,
    )


async def keep_progress(db: Database, *, last_delivery_id: int, last_delivered_at: datetime) -> None:
    """Note the newest delivery before which none is missing, though not all of the list could be read."""
    await db.execute(
        "UPDATE recovery SET last_delivery_id = $1, last_delivered_at = $2", last_delivery_id, last_delivered_at
    )


async def note_gap(db: Database, since: datetime, until: datetime) -> None:
    """Note that deliveries may have been lost between these times, beside a gap that no comparison made up for yet."""
    await db.execute(
        """
        WITH noted AS (
            UPDATE recovery SET
                gap_from = CASE WHEN gap_until > coalesce(compared_at, '-infinity') THEN least(gap_from, $1)
                                ELSE $1 END,
                gap_until = CASE WHEN gap_until > coalesce(compared_at, '-infinity') THEN greatest(gap_until, $2)
                                 ELSE $2 END
        )
        INSERT INTO audit_events (actor, action, detail)
        VALUES ('recovery', 'recovery.gap', jsonb_build_object('from', $1::timestamptz, 'until', $2::timestamptz))
        """,
        since,
        until,
    )


async def compared(db: Database, began_at: datetime) -> None:
    """Note that all heads were compared, beginning at that time."""
    await db.execute("UPDATE recovery SET compared_at = greatest(compared_at, $1)", began_at)


async def ask_sync(db: Database, *, by: str) -> None:
    """Have the heads compared by whoever reads the list."""
    await db.execute(
        "WITH asked AS (UPDATE recovery SET sync_asked_at = now()) "
        "INSERT INTO audit_events (actor, action) VALUES ($1, 'recovery.sync_asked')",
        clean(by),
    )


async def last_received(db: Database) -> datetime | None:
    """Return when the newest delivery came that GitHub's list must have, None where none did."""
    found: datetime | None = await db.fetchval("SELECT max(received_at) FROM deliveries WHERE source <> 'compared'")
    return found


@asynccontextmanager
async def alone(pool: Pool[Any]) -> AsyncIterator[bool]:
    """Yield whether this is the only process that reads the list now. Others do not wait: it is read for them."""
    async with locks.alone(pool, _READING) as mine:
        yield mine
