"""Which runs a ref still names. A run that nothing names any more is unwanted, and its attempt ends."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from draftsman.domain.run import Ref, RefKind
from draftsman.store import attempts
from draftsman.store.database import Database, clean


async def release(
    db: Database, repository_id: int, ref: Ref, *, head_sha: str | None, by: str, reason: str
) -> list[UUID]:
    """Note that the ref names `head_sha` now (None: it is gone), and end what nothing names any more.

    `reason` is the phrase that the ended attempts show (`(superseded by abc1234)`). Call it inside a transaction.
    Returns the attempts that were asked to end.
    """
    left = await db.fetch(
        """
        UPDATE run_refs n SET is_current = false FROM runs r
        WHERE n.run_id = r.id AND r.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND n.is_current
          AND r.head_sha IS DISTINCT FROM $4
        RETURNING n.run_id
        """,
        repository_id,
        ref.kind,
        clean(ref.name),
        head_sha,
    )
    ended = []
    for row in left:
        unfinished = await db.fetchval(
            "SELECT id FROM attempts WHERE run_id = $1 AND state <> 'finished' "
            "AND NOT EXISTS (SELECT FROM run_refs WHERE run_id = $1 AND is_current)",
            row["run_id"],
        )
        if unfinished and await attempts.ask_cancel(db, unfinished, by=by, reason=reason, unwanted=True):
            ended.append(unfinished)
    return ended


async def head_at(db: Database, repository_id: int, ref: Ref, *, at: datetime) -> str | None:
    """Return the newest commit that the ref was known to name at that time (our clock), None where none was known."""
    found: str | None = await db.fetchval(
        "SELECT r.head_sha FROM run_refs n JOIN runs r ON r.id = n.run_id "
        "WHERE r.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND n.created_at <= $4 "
        "ORDER BY n.created_at DESC LIMIT 1",
        repository_id,
        ref.kind,
        clean(ref.name),
        at,
    )
    return found


async def last_of_branch(db: Database, repository_id: int, branch: str, *, except_run: UUID) -> UUID | None:
    """Return the newest finished attempt of the branch's runs, None where there is none that says anything.

    Left out are those that were cancelled, skipped or could not be run.
    """
    found: UUID | None = await db.fetchval(
        """
        SELECT a.id FROM run_refs n JOIN runs r ON r.id = n.run_id JOIN attempts a ON a.run_id = r.id
        WHERE r.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND r.id <> $4 AND r.subject = 'head'
          AND a.state = 'finished' AND a.conclusion IN ('success', 'failure', 'timed_out')
        ORDER BY n.created_at DESC, a.number DESC LIMIT 1
        """,
        repository_id,
        RefKind.BRANCH,
        clean(branch),
        except_run,
    )
    return found
