"""Which runs a ref still names. A run that nothing names any more is unwanted, and its attempt ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from draftsman.domain.run import Ref, RefKind, Repository, RunState, Trust
from draftsman.store import attempts
from draftsman.store.database import Database, clean
from draftsman.store.runs import Wanted


async def release(
    db: Database,
    repository_id: int,
    ref: Ref,
    *,
    head_sha: str | None,
    by: str,
    reason: str,
    named_by: datetime | None = None,
) -> list[UUID]:
    """Note that the ref names `head_sha` now (None: it is gone), and end what nothing names any more.

    What the ref came to name after `named_by` (of `now`) is left alone: GitHub may not have known it when it was asked.
    `reason` is the phrase that the ended attempts show (`(superseded by abc1234)`). Call it inside a transaction.
    Returns the attempts that were asked to end.
    """
    left = await db.fetch(
        """
        UPDATE run_refs n SET is_current = false FROM runs r
        WHERE n.run_id = r.id AND r.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND n.is_current
          AND r.head_sha IS DISTINCT FROM $4 AND ($5::timestamptz IS NULL OR n.heard_at <= $5)
        RETURNING n.run_id
        """,
        repository_id,
        ref.kind,
        clean(ref.name),
        head_sha,
        named_by,
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


@dataclass(frozen=True, slots=True)
class Dropped:
    """A run whose newest attempt ended because nothing named its commit any more, or is about to (`is_ending`)."""

    run_id: UUID
    wanted: Wanted
    is_ending: bool


async def dropped(db: Database, repository: Repository, ref: Ref, *, head_sha: str) -> Dropped | None:
    """Return the run that is shown for the commit which the ref names, if it was dropped; None where it was not."""
    row = await db.fetchrow(
        """
        SELECT r.id, r.subject, a.trust, a.state, a.is_unwanted AND a.cancel_asked IS NOT NULL AS is_dropped,
               n.base_sha, n.base_branch
        FROM runs r JOIN attempts a ON a.run_id = r.id JOIN run_refs n ON n.run_id = r.id
        WHERE r.repository_id = $1 AND r.head_sha = $2 AND n.kind = $3 AND n.name = $4
        ORDER BY a.created_at DESC, a.number DESC LIMIT 1
        """,
        repository.id,
        head_sha,
        ref.kind,
        clean(ref.name),
    )
    if row is None or not row["is_dropped"]:
        return None
    trust, subject = Trust(row["trust"]), row["subject"]
    wanted = Wanted(repository, head_sha, ref, trust, row["base_sha"], row["base_branch"], subject)
    return Dropped(row["id"], wanted, row["state"] != RunState.FINISHED)


async def now(db: Database) -> datetime:
    """Return the store's own time: that by which it keeps when it heard of something."""
    found: datetime = await db.fetchval("SELECT now()")
    return found


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


async def last_of_branch(
    db: Database, repository_id: int, branch: str, *, except_run: UUID, before: datetime | None = None
) -> UUID | None:
    """Return the newest finished attempt of the branch's runs, None where there is none that says anything.

    Left out are those that were cancelled, skipped or could not be run, and runs that are not older than `before`.
    """
    found: UUID | None = await db.fetchval(
        """
        SELECT a.id FROM run_refs n JOIN runs r ON r.id = n.run_id JOIN attempts a ON a.run_id = r.id
        WHERE r.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND r.id <> $4 AND r.subject = 'head'
          AND ($5::timestamptz IS NULL OR r.created_at < $5)
          AND a.state = 'finished' AND a.conclusion IN ('success', 'failure', 'timed_out')
        ORDER BY n.created_at DESC, a.number DESC LIMIT 1
        """,
        repository_id,
        RefKind.BRANCH,
        clean(branch),
        except_run,
        before,
    )
    return found
