"""Who executes an attempt: the claim that takes it, the lease that keeps it, and the ways in which it comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.run import ACTIVE_STATES, Attempt
from draftsman.store.attempts import demand_held, get
from draftsman.store.database import Database, Pool

_CLAIMING = 0x636C61696D  # "claim": the advisory lock of claims


async def claim(
    pool: Pool[Any], *, owner: str, lease_seconds: float, per_repository: int, admission: Admission = EVERYBODY
) -> Attempt | None:
    """Take the next queued attempt, with a lease, or return None where there is none that may start now.

    An untrusted one only where its commit was approved, whichever event asked for it.
    """
    async with pool.acquire() as connection, connection.transaction():
        # One claim at a time, and its snapshot taken after the lock: two at once would each count without the other.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _CLAIMING)
        attempt_id = await _claim_next(connection, owner, lease_seconds, per_repository, admission)
        return None if attempt_id is None else await get(connection, attempt_id)


async def admits(db: Database, run_id: UUID, admission: Admission) -> bool:
    """Return whether the run's repository is one that a claim takes attempts of."""
    admitted: bool | None = await db.fetchval(
        "SELECT is_admitted(p.full_name, p.installation_id, $2, $3) "
        "FROM runs r JOIN repositories p ON p.id = r.repository_id WHERE r.id = $1",
        run_id,
        list(admission.allow),
        list(admission.deny),
    )
    return bool(admitted)


async def _claim_next(
    db: Database, owner: str, lease_seconds: float, per_repository: int, admission: Admission
) -> UUID | None:
    # NO KEY: a row that refers to the attempt and is being written (a check run, say) must not hide it.
    claimed: UUID | None = await db.fetchval(
        """
        WITH next AS (
            SELECT a.id FROM attempts a JOIN runs r ON r.id = a.run_id
            JOIN repositories p ON p.id = r.repository_id
            WHERE a.state = 'queued'
              AND (a.trust = 'trusted' OR EXISTS (SELECT FROM approvals c WHERE c.run_id = r.id))
              AND is_admitted(p.full_name, p.installation_id, $4, $5) AND $3 > (
                SELECT count(*) FROM attempts b JOIN runs s ON s.id = b.run_id
                WHERE s.repository_id = r.repository_id AND b.state IN ('preparing', 'building', 'running'))
            ORDER BY a.priority DESC, a.created_at LIMIT 1 FOR NO KEY UPDATE OF a SKIP LOCKED
        ), claimed AS (
            UPDATE attempts a SET state = 'preparing', epoch = epoch + 1, lease_owner = $1,
                lease_expires = now() + $2, started_at = coalesce(started_at, now()), version = version + 1
            FROM next WHERE a.id = next.id RETURNING a.id, a.run_id, a.epoch
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'worker ' || $1, 'attempt.claimed', run_id, id, jsonb_build_object('epoch', epoch) FROM claimed
        )
        SELECT id FROM claimed
        """,
        owner,
        timedelta(seconds=lease_seconds),
        per_repository,
        list(admission.allow),
        list(admission.deny),
    )
    return claimed


async def renew(db: Database, attempt: Attempt, *, lease_seconds: float) -> None:
    """Prolong the lease. Raises LeaseLostError."""
    renewed = await db.fetchval(
        "UPDATE attempts SET lease_expires = now() + $3 WHERE id = $1 AND epoch = $2 AND state = ANY($4) RETURNING id",
        attempt.id,
        attempt.epoch,
        timedelta(seconds=lease_seconds),
        list(ACTIVE_STATES),
    )
    demand_held(renewed, attempt)


async def give_back(db: Database, attempt: Attempt, *, owner: str) -> None:
    """Queue the attempt again: its worker stops. Raises LeaseLostError."""
    given = await db.fetchval(
        """
        WITH given AS (
            UPDATE attempts SET state = 'queued', lease_owner = NULL, lease_expires = NULL, version = version + 1
            WHERE id = $1 AND epoch = $2 AND state = ANY($3) RETURNING id, run_id
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'worker ' || $4, 'attempt.given_back', run_id, id, '{}' FROM given
        )
        SELECT id FROM given
        """,
        attempt.id,
        attempt.epoch,
        list(ACTIVE_STATES),
        owner,
    )
    demand_held(given, attempt)


async def give_back_lost(db: Database, *, max_claims: int) -> list[UUID]:
    """Queue again every attempt whose lease ran out; at its `max_claims`-th loss end it as `error`.

    A worker that stopped and gave its attempt back did not lose it. Returns their ids.
    """
    rows = await db.fetch(
        """
        WITH lost AS (
            SELECT id, lease_owner, losses + 1 AS losses FROM attempts
            WHERE state IN ('preparing', 'building', 'running') AND lease_expires < now() FOR NO KEY UPDATE SKIP LOCKED
        ), ended AS (
            UPDATE attempts a SET
                losses = lost.losses,
                state = CASE WHEN lost.losses < $1 THEN 'queued' ELSE 'finished' END,
                conclusion = CASE WHEN lost.losses < $1 THEN NULL ELSE 'error' END,
                title = CASE WHEN lost.losses < $1 THEN NULL
                             ELSE 'the worker was lost ' || lost.losses
                                  || CASE lost.losses WHEN 1 THEN ' time' ELSE ' times' END || ' while it ran this' END,
                finished_at = CASE WHEN lost.losses < $1 THEN NULL ELSE now() END,
                lease_owner = NULL, lease_expires = NULL, version = version + 1
            FROM lost WHERE a.id = lost.id RETURNING a.id, a.run_id, a.state, lost.lease_owner
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'reconciler', 'lease.lost', run_id, id,
                   jsonb_build_object('worker', lease_owner, 'now', state) FROM ended
        )
        SELECT id FROM ended
        """,
        max_claims,
    )
    return [row["id"] for row in rows]


async def give_back_of(db: Database, owner: str) -> list[UUID]:
    """Queue again what an earlier worker of this name held: it is dead, since its name is ours now. Returns the ids."""
    rows = await db.fetch(
        """
        WITH given AS (
            UPDATE attempts SET state = 'queued', lease_owner = NULL, lease_expires = NULL, version = version + 1
            WHERE lease_owner = $1 AND state = ANY($2) RETURNING id, run_id
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'worker ' || $1, 'attempt.taken_back', run_id, id, '{}' FROM given
        )
        SELECT id FROM given
        """,
        owner,
        list(ACTIVE_STATES),
    )
    return [row["id"] for row in rows]
