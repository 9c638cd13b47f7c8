"""Approvals: that the commit of an untrusted run may be executed. The claim looks here, whatever asked for the run."""

from __future__ import annotations

from uuid import UUID

from draftsman.domain.run import RunState, Trust
from draftsman.store import audit
from draftsman.store.database import Database, clean
from draftsman.store.reruns import PERSONS_PRIORITY


async def approve(db: Database, run_id: UUID, *, by: str, reason: str, asked: bool = True) -> UUID | None:
    """Let the run's commit be executed. Call it inside a transaction.

    An attempt that GitHub shows as waiting ends, and another one is queued, since a check run that was completed stays
    so; one that nobody was told about goes on. `asked` says that a person approved it: then one that was ended while it
    waited is begun again. Returns the queued attempt, None where there was nothing to begin.
    """
    await db.execute("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE", run_id)
    await db.execute(
        "INSERT INTO approvals (run_id, approved_by, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        run_id,
        clean(by),
        clean(reason),
    )
    # Locked: who cancels it meanwhile was first, or comes after this.
    waiting = await db.fetchrow(
        "SELECT id, title FROM attempts WHERE run_id = $1 AND state = 'waiting' FOR NO KEY UPDATE", run_id
    )
    await audit.record(db, actor=by, action="run.approved", run_id=run_id, reason=reason)
    if waiting is None:
        return await _queue(db, run_id, by) if asked and await _ended_waiting(db, run_id) else None
    if waiting["title"] is None:
        queued: UUID | None = await db.fetchval(
            """
            WITH queued AS (
                UPDATE attempts SET state = 'queued', version = version + 1 WHERE id = $1 AND state = 'waiting'
                RETURNING id, run_id
            ), audited AS (
                INSERT INTO audit_events (actor, action, run_id, attempt_id)
                SELECT $2, 'attempt.queued', run_id, id FROM queued
            )
            SELECT id FROM queued
            """,
            waiting["id"],
            clean(by),
        )
        return queued
    await db.execute(
        """
        WITH ended AS (
            UPDATE attempts SET state = 'finished', conclusion = 'action_required', title = 'approved by ' || $2,
                finished_at = now(), version = version + 1
            WHERE id = $1 AND state = 'waiting' RETURNING id, run_id, conclusion, title
        )
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT $2, 'attempt.finished', run_id, id, jsonb_build_object('conclusion', conclusion, 'title', title)
        FROM ended
        """,
        waiting["id"],
        clean(by),
    )
    return await _queue(db, run_id, by if asked else None)


async def _ended_waiting(db: Database, run_id: UUID) -> bool:
    """Return whether somebody ended the newest attempt before anything of it ran."""
    newest = await db.fetchrow(
        "SELECT trust, state, started_at, is_unwanted FROM attempts WHERE run_id = $1 ORDER BY number DESC LIMIT 1",
        run_id,
    )
    if newest is None or newest["trust"] == Trust.TRUSTED or newest["is_unwanted"]:
        return False
    return newest["state"] == RunState.FINISHED and newest["started_at"] is None


async def _queue(db: Database, run_id: UUID, asked_by: str | None) -> UUID:
    attempt_id: UUID = await db.fetchval(
        """
        INSERT INTO attempts (run_id, number, trust, state, priority, asked_by)
        SELECT $1, max(number) + 1, 'untrusted', 'queued', CASE WHEN $2::text IS NULL THEN 0 ELSE $3 END, $2
        FROM attempts WHERE run_id = $1 RETURNING id
        """,
        run_id,
        None if asked_by is None else clean(asked_by),
        PERSONS_PRIORITY,
    )
    await audit.record(
        db,
        actor=asked_by or "delivery",
        action="attempt.created",
        run_id=run_id,
        attempt_id=attempt_id,
        cause="approved",
    )
    return attempt_id


async def hold(db: Database, run_id: UUID, *, title: str, never: bool = False) -> None:
    """Show that the run waits for approval, with a title that says so; with `never`, that it will not be executed."""
    await db.execute(
        """
        WITH held AS (
            UPDATE attempts SET title = $2, version = version + 1,
                state = CASE WHEN $3 THEN 'finished' ELSE state END,
                conclusion = CASE WHEN $3 THEN 'action_required' END, finished_at = CASE WHEN $3 THEN now() END
            WHERE run_id = $1 AND state = 'waiting' RETURNING id, conclusion, title
        )
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT 'delivery', CASE WHEN $3 THEN 'attempt.finished' ELSE 'attempt.held' END, $1, id,
               jsonb_strip_nulls(jsonb_build_object('conclusion', conclusion, 'title', title)) FROM held
        """,
        run_id,
        clean(title),
        never,
    )


async def is_approved(db: Database, run_id: UUID) -> bool:
    """Return whether the run's commit may be executed though it is not trusted."""
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM approvals WHERE run_id = $1)", run_id)
    return found
