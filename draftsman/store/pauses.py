"""Pauses: what takes no attempt until somebody resumes it. The claim looks here; what is under way goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from draftsman.domain.waiting import Pause
from draftsman.store import audit
from draftsman.store.database import Database, clean
from draftsman.store.leases import lock_claims

ALL = "*"
"""The key of the pause of all repositories."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The pause as it is now, and whether it was changed."""

    pause: Pause
    is_new: bool


async def pause(db: Database, repo: str | None, *, by: str, reason: str = "", shown_as: str | None = None) -> Paused:
    """Have no attempt of OWNER/NAME begin, or of any repository for None. Call it in a transaction.

    Once that is committed none does. Where it is paused already, another `reason` takes the place of the one before,
    with who gave it; the time stays. `by` is for the audit trail; runs that wait name `shown_as`, by default the same.
    """
    await lock_claims(db)  # a claim that looked before must have ended
    row = await db.fetchrow(
        """
        INSERT INTO pauses AS p (repo, paused_by, reason) VALUES ($1, $2, $3)
        ON CONFLICT (repo) DO UPDATE SET paused_by = excluded.paused_by, reason = excluded.reason
            WHERE excluded.reason NOT IN ('', p.reason)
        RETURNING repo, paused_by, reason, since
        """,
        _key(repo),
        clean(shown_as or by),
        clean(reason),
    )
    if row is None:
        row = await db.fetchrow("SELECT repo, paused_by, reason, since FROM pauses WHERE repo = $1", _key(repo))
        return Paused(_pause(row), is_new=False)
    await audit.record(db, actor=by, action="queue.paused", repo=_key(repo), reason=reason)
    return Paused(_pause(row), is_new=True)


async def resume(db: Database, repo: str | None, *, by: str) -> Pause | None:
    """End the pause of OWNER/NAME, or that of all for None, and return it; None where there was none.

    Call it in a transaction. A pause of all leaves those of single repositories, and the other way round.
    """
    row = await db.fetchrow("DELETE FROM pauses WHERE repo = $1 RETURNING repo, paused_by, reason, since", _key(repo))
    if row is None:
        return None
    await audit.record(db, actor=by, action="queue.resumed", repo=_key(repo), paused_since=row["since"].isoformat())
    return _pause(row)


async def everywhere(db: Database) -> list[Pause]:
    """Return all pauses, that of all repositories first."""
    rows = await db.fetch("SELECT repo, paused_by, reason, since FROM pauses ORDER BY repo <> $1, repo", ALL)
    return [_pause(row) for row in rows]


def _key(repo: str | None) -> str:
    return ALL if repo is None else clean(repo).lower()


def _pause(row: Any) -> Pause:
    return Pause(
        by=row["paused_by"], since=row["since"], reason=row["reason"], repo=None if row["repo"] == ALL else row["repo"]
    )
