"""Where the App is installed, and whether an administrator lets those accounts be served."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from draftsman.store import audit, tasks
from draftsman.store.database import Database, clean

_COLUMNS = "id, account, account_id, state, is_suspended, is_removed, decided_by, created_at, decided_at"


@dataclass(frozen=True, slots=True)
class Installation:
    """The App on one account. `state` is pending, approved or refused; `decided_by` is a person, or `App owner`."""

    id: int
    account: str
    account_id: int
    state: str
    is_suspended: bool
    is_removed: bool
    decided_by: str | None
    created_at: datetime
    decided_at: datetime | None

    def document(self) -> dict[str, Any]:
        """Return the installation as programs are shown it."""
        return {
            **asdict(self),
            "created_at": self.created_at.isoformat(),
            "decided_at": None if self.decided_at is None else self.decided_at.isoformat(),
        }


async def note(db: Database, installation_id: int, *, account: str, account_id: int) -> Installation:
    """Keep that the App is installed there. The App's owner has approved themselves; all others wait."""
    row = await db.fetchrow(
        f"""
        WITH noted AS (
            INSERT INTO installations (id, account, account_id, state, decided_by, decided_at)
            SELECT $1, $2, $3, CASE WHEN owns THEN 'approved' ELSE 'pending' END,
                   CASE WHEN owns THEN 'App owner' END, CASE WHEN owns THEN now() END
            FROM (SELECT coalesce(app_owner_id = $3, false) AS owns FROM instance) o
            ON CONFLICT (id) DO UPDATE SET account = excluded.account, account_id = excluded.account_id
            RETURNING {_COLUMNS}, xmax = 0 AS is_new
        ), audited AS (
            INSERT INTO audit_events (actor, action, detail)
            SELECT 'delivery', 'installation.added',
                   jsonb_build_object('installation', id, 'account', account, 'state', state) FROM noted WHERE is_new
        )
        SELECT {_COLUMNS} FROM noted
        """,  # noqa: S608
        installation_id,
        clean(account),
        account_id,
    )
    return _installation(row)


async def keep_app_owner(db: Database, account_id: int) -> None:
    """Keep who owns the App, and approve the installations of theirs that wait."""
    await db.execute("UPDATE instance SET app_owner_id = $1 WHERE app_owner_id IS DISTINCT FROM $1", account_id)
    await db.execute(
        """
        WITH approved AS (
            UPDATE installations SET state = 'approved', decided_by = 'App owner', decided_at = now()
            WHERE account_id = $1 AND state = 'pending' RETURNING id, account
        )
        INSERT INTO audit_events (actor, action, detail)
        SELECT 'App owner', 'installation.approved', jsonb_build_object('installation', id, 'account', account)
        FROM approved
        """,
        account_id,
    )


async def get(db: Database, installation_id: int) -> Installation | None:
    """Return the installation, or None."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM installations WHERE id = $1", installation_id)  # noqa: S608
    return None if row is None else _installation(row)


async def everywhere(db: Database) -> list[Installation]:
    """Return all installations, the oldest first."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM installations ORDER BY created_at, id")  # noqa: S608
    return [_installation(row) for row in rows]


async def mark(
    db: Database, installation_id: int, *, suspended: bool | None = None, removed: bool | None = None
) -> None:
    """Note that it was suspended or removed, or is back: then what GitHub refused meanwhile is tried again at once."""
    if suspended is False or removed is False:
        await db.execute(
            "UPDATE check_runs c SET retry_at = NULL, failures = 0 FROM attempts a, runs r, repositories p "
            "WHERE a.id = c.attempt_id AND r.id = a.run_id AND p.id = r.repository_id AND p.installation_id = $1 "
            "AND c.retry_at IS NOT NULL",
            installation_id,
        )
        await tasks.wake(db, installation_id)
    await db.execute(
        """
        WITH before AS (
            SELECT id, is_suspended, is_removed FROM installations WHERE id = $1 FOR UPDATE
        ), marked AS (
            UPDATE installations i SET is_suspended = coalesce($2, i.is_suspended),
                is_removed = coalesce($3, i.is_removed)
            FROM before b WHERE i.id = b.id
            RETURNING i.id, i.account, i.is_suspended, i.is_removed,
                      (i.is_suspended, i.is_removed) <> (b.is_suspended, b.is_removed) AS is_news
        )
        INSERT INTO audit_events (actor, action, detail)
        SELECT 'delivery', CASE WHEN is_removed THEN 'installation.removed'
                                WHEN is_suspended THEN 'installation.suspended' ELSE 'installation.back' END,
               jsonb_build_object('installation', id, 'account', account) FROM marked WHERE is_news
        """,
        installation_id,
        suspended,
        removed,
    )


async def decide(db: Database, installation_id: int, *, approved: bool, by: str) -> Installation | None:
    """Approve or refuse the installation, with its audit row. Returns it as it is now, None where it is not known."""
    row = await db.fetchrow(
        f"UPDATE installations SET state = $2, decided_by = $3, decided_at = now() WHERE id = $1 RETURNING {_COLUMNS}",  # noqa: S608
        installation_id,
        "approved" if approved else "refused",
        clean(by),
    )
    if row is None:
        return None
    decision = "approved" if approved else "refused"
    await audit.record(
        db, actor=by, action=f"installation.{decision}", installation=installation_id, account=row["account"]
    )
    return _installation(row)


def _installation(row: Any) -> Installation:
    return Installation(**dict(row))
