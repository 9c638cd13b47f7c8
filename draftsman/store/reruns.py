"""Another attempt of a run, asked for by a person. The whole history is kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import RunState, Trust
from draftsman.store import audit
from draftsman.store.database import Database, clean

PERSONS_PRIORITY = 10
"""What a person asked for goes before what events ask for, which has 0."""


class Asked(StrEnum):
    """What came of asking for another attempt."""

    CREATED = "created"
    JOINED = "joined"
    """One that is queued or under way does all that was asked for."""
    BUSY = "busy"
    """One is under way that does less: ask again when it has ended."""
    WAITING = "waiting"
    """The run waits for approval, which a re-run never is."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of it, and the attempt that does it; None where there is none."""

    asked: Asked
    attempt_id: UUID | None = None


async def ask(
    db: Database,
    run_id: UUID,
    *,
    by: str,
    cause: str,
    tiers: Collection[Tier] = CHECKED_TIERS,
    rebuild: bool = False,
) -> Rerun:
    """Have the run executed again, or join the attempt that is queued. Call it inside a transaction.

    `by` is the person; `cause` is a phrase for the audit trail. The new attempt takes the run's trust and its plan;
    `rebuild` has both plan and image made anew.
    """
    await db.execute("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE", run_id)
    newest = await db.fetchrow(
        "SELECT id, state, trust, tiers, rebuild FROM attempts WHERE run_id = $1 ORDER BY number DESC LIMIT 1", run_id
    )
    if newest is not None and newest["state"] != RunState.FINISHED:
        return await _join(db, newest, by, cause, tiers, rebuild)
    trust = Trust.UNTRUSTED if newest is None else Trust(newest["trust"])
    approved = await db.fetchval("SELECT EXISTS (SELECT FROM approvals WHERE run_id = $1)", run_id)
    if trust is Trust.UNTRUSTED and not approved:
        return Rerun(Asked.WAITING)
    attempt_id: UUID = await db.fetchval(
        """
        INSERT INTO attempts (run_id, number, trust, state, priority, asked_by, tiers, rebuild)
        SELECT $1, coalesce(max(number), 0) + 1, $2, 'queued', $3, $4, $5, $6
        FROM attempts WHERE run_id = $1 RETURNING id
        """,
        run_id,
        trust,
        PERSONS_PRIORITY,
        clean(by),
        sorted(tiers),
        rebuild,
    )
    await audit.record(
        db,
        actor=by,
        action="attempt.created",
        run_id=run_id,
        attempt_id=attempt_id,
        cause=cause,
        tiers=sorted(tiers),
        rebuild=rebuild,
    )
    return Rerun(Asked.CREATED, attempt_id)


async def narrow(db: Database, run_id: UUID, tiers: Collection[Tier], *, by: str) -> None:
    """Have the run's first attempt, which nobody took yet, do these tiers only."""
    await db.execute(
        """
        WITH narrowed AS (
            UPDATE attempts SET tiers = $2, version = version + 1
            WHERE run_id = $1 AND number = 1 AND state IN ('waiting', 'queued') RETURNING id, tiers
        )
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT $3, 'attempt.changed', $1, id, jsonb_build_object('tiers', tiers) FROM narrowed
        """,
        run_id,
        sorted(tiers),
        clean(by),
    )


async def _join(
    db: Database, newest: dict[str, object], by: str, cause: str, tiers: Collection[Tier], rebuild: bool
) -> Rerun:
    attempt_id = newest["id"]
    assert isinstance(attempt_id, UUID)
    if newest["state"] == RunState.WAITING:
        return Rerun(Asked.WAITING, attempt_id)
    joined = await db.fetchval(
        """
        WITH joined AS (
            UPDATE attempts SET tiers = ARRAY(SELECT DISTINCT unnest(tiers || $2::text[]) ORDER BY 1),
                rebuild = rebuild OR $3, priority = greatest(priority, $4), asked_by = coalesce(asked_by, $5),
                not_before = NULL, version = version + 1
            WHERE id = $1 AND state = 'queued' RETURNING id, run_id, tiers, rebuild
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT $5, 'attempt.joined', run_id, id,
                   jsonb_build_object('cause', $6::text, 'tiers', tiers, 'rebuild', rebuild) FROM joined
        )
        SELECT id FROM joined
        """,
        attempt_id,
        sorted(tiers),
        rebuild,
        PERSONS_PRIORITY,
        clean(by),
        clean(cause),
    )
    if joined is not None:
        return Rerun(Asked.JOINED, attempt_id)
    known = await db.fetchrow("SELECT tiers, rebuild, cancel_asked FROM attempts WHERE id = $1", attempt_id)
    covered = set(tiers) <= set(known["tiers"]) and (known["rebuild"] or not rebuild) and known["cancel_asked"] is None
    return Rerun(Asked.JOINED if covered else Asked.BUSY, attempt_id)
