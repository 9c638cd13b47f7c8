"""Who executes an attempt: the claim that takes it, the lease that keeps it, and the ways in which it comes back.

One that comes back while its job goes on is kept for workers of the same engine for a while, who take the job up;
anybody else would begin it anew. It is under way: it is taken up before anything new, and by a worker that is drained,
or while a pause holds, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.labels import Offer
from draftsman.domain.retry import NO_RETRIES, RetryRules
from draftsman.domain.run import ACTIVE_STATES, Attempt
from draftsman.domain.worker import HEARD_WITHIN
from draftsman.store import retrying
from draftsman.store.attempts import demand_held, get
from draftsman.store.database import Database, Pool

NEIGHBOURS_SECONDS = 10.0
"""For so long other workers of an engine may take up what a lost one left: each looks every five seconds."""

_CLAIMING = 0x636C61696D  # "claim": the advisory lock of claims


ANYWHERE = Offer()


async def claim(
    pool: Pool[Any],
    *,
    owner: str,
    lease_seconds: float,
    per_repository: int,
    admission: Admission = EVERYBODY,
    offer: Offer = ANYWHERE,
    only_kept: bool = False,
) -> Attempt | None:
    """Take the next queued attempt, with a lease, or return None where there is none that may start now.

    First of all goes what is kept for the engine of the `offer`: it is under way. Then what a person asked for, then
    that of the repository with the fewest attempts under way, and of those the one that had no turn for the longest
    time; inside a repository the oldest. Nothing new is taken while a pause holds or the worker is drained, nothing of
    a repository that needs labels which are not in the `offer`, and an untrusted attempt only where its commit was
    approved, whichever event asked for it. With `only_kept` nothing new is taken at all.
    """
    async with pool.acquire() as connection, connection.transaction():
        await lock_claims(connection)
        attempt_id = None
        if offer.engine is not None:
            attempt_id = await _claim_kept(connection, owner, lease_seconds, admission, offer)
        if attempt_id is None and not only_kept:
            attempt_id = await _claim_next(connection, owner, lease_seconds, per_repository, admission, offer)
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


async def lock_claims(db: Database) -> None:
    """Let no claim be made until the transaction ends, and wait for one that is being made.

    One at a time, its snapshot taken after the lock: two at once would each count without the other.
    """
    await db.execute("SELECT pg_advisory_xact_lock($1)", _CLAIMING)


_ALLOWED = "(a.trust = 'trusted' OR EXISTS (SELECT FROM approvals c WHERE c.run_id = a.run_id))"
_IN_LINE = f"""
    a.state = 'queued' AND (a.not_before IS NULL OR a.not_before <= now())
    AND (a.kept_until IS NULL OR a.kept_until <= now()) AND {_ALLOWED}
"""
"""That the attempt `a` may be taken, as far as it is up to the attempt."""

_FITS = "coalesce((SELECT l.runs_on FROM policies l WHERE l.repo = lower({name})), {usual}) <@ {offered}::text[]"
"""That the labels which are offered cover those that the repository of this name needs."""

_TAKEN = """
    state = 'preparing', epoch = epoch + 1, lease_owner = $1, lease_expires = now() + $2,
    started_at = coalesce(started_at, now()), engine = $3, kept_until = NULL, version = version + 1
"""


# `lanes` finds the head of each repository's line with one probe of the index, however many attempts are in it.
# Only those whose turn it may be are looked at further; some of each, and some of all: a row that another
# transaction holds just now is passed by.
# NO KEY: a row that refers to the attempt and is being written (a check run, say) must not hide it.
_LINE = f"""
        lanes AS (
            (SELECT a.repository_id, a.id, a.priority, a.created_at FROM attempts a WHERE {_IN_LINE}
             ORDER BY a.repository_id, a.priority DESC, a.created_at, a.id LIMIT 1)
            UNION ALL
            SELECT h.* FROM lanes l CROSS JOIN LATERAL (
                SELECT a.repository_id, a.id, a.priority, a.created_at FROM attempts a
                WHERE a.repository_id > l.repository_id AND {_IN_LINE}
                ORDER BY a.repository_id, a.priority DESC, a.created_at, a.id LIMIT 1
            ) h
        ), busy AS (
            SELECT repository_id, count(*) AS running FROM attempts
            WHERE state IN ('preparing', 'building', 'running') GROUP BY repository_id
        ), turns AS (
            -- Who is served is asked in their order, and of no more than are needed (OFFSET 0): it takes the longest.
            SELECT o.* FROM (
                SELECT l.repository_id, p.full_name, p.installation_id, coalesce(b.running, 0) AS running, t.claimed_at
                FROM lanes l JOIN repositories p ON p.id = l.repository_id
                LEFT JOIN busy b ON b.repository_id = p.id LEFT JOIN claim_turns t ON t.repository_id = p.id
                WHERE coalesce(b.running, 0) < $8
                  AND NOT EXISTS (SELECT FROM pauses s WHERE s.repo IN ('*', lower(p.full_name)))
                  AND NOT EXISTS (SELECT FROM workers w WHERE w.name = $1 AND w.drained_at IS NOT NULL)
                ORDER BY l.priority DESC, running, t.claimed_at NULLS FIRST, l.created_at, l.id OFFSET 0
            ) o WHERE {_FITS.format(name="o.full_name", usual="$7", offered="$6")}
                  AND is_admitted(o.full_name, o.installation_id, $4, $5) LIMIT 10
        ), heads AS (
            SELECT h.id, h.priority, h.created_at, u.running, u.claimed_at FROM turns u CROSS JOIN LATERAL (
                SELECT a.id, a.priority, a.created_at FROM attempts a
                WHERE a.repository_id = u.repository_id AND {_IN_LINE}
                ORDER BY a.priority DESC, a.created_at, a.id LIMIT 3
            ) h
            ORDER BY h.priority DESC, u.running, u.claimed_at NULLS FIRST, h.created_at, h.id LIMIT 10
        ), next AS (
            SELECT a.id FROM heads h JOIN attempts a ON a.id = h.id WHERE a.state = 'queued'
            ORDER BY h.priority DESC, h.running, h.claimed_at NULLS FIRST, h.created_at, h.id
            LIMIT 1 FOR NO KEY UPDATE OF a SKIP LOCKED
        )"""  # noqa: S608

_TURNED = """, turned AS (
            INSERT INTO claim_turns (repository_id, claimed_at) SELECT repository_id, clock_timestamp() FROM claimed
            ON CONFLICT (repository_id) DO UPDATE SET claimed_at = excluded.claimed_at
        )"""


async def _claim_kept(
    db: Database, owner: str, lease_seconds: float, admission: Admission, offer: Offer
) -> UUID | None:
    """Take an attempt whose job goes on at the engine that is offered. Its slot and its turn it had before."""
    line = f"""
        next AS (
            SELECT a.id FROM attempts a JOIN repositories p ON p.id = a.repository_id
            WHERE a.state = 'queued' AND a.engine = $3 AND a.kept_until > now() AND {_ALLOWED}
              AND {_FITS.format(name="p.full_name", usual="$7", offered="$6")}
              AND is_admitted(p.full_name, p.installation_id, $4, $5)
            ORDER BY a.queued_at, a.id LIMIT 1 FOR NO KEY UPDATE OF a SKIP LOCKED
        )"""  # noqa: S608
    return await _take(db, line, "", owner, lease_seconds, admission, offer)


async def _claim_next(
    db: Database, owner: str, lease_seconds: float, per_repository: int, admission: Admission, offer: Offer
) -> UUID | None:
    """Take the attempt whose turn it is."""
    return await _take(db, _LINE, _TURNED, owner, lease_seconds, admission, offer, per_repository)


async def _take(
    db: Database,
    line: str,
    turned: str,
    owner: str,
    lease_seconds: float,
    admission: Admission,
    offer: Offer,
    *more: int,
) -> UUID | None:
    """Take the attempt that the last part of `line`, named `next`, finds. `more` are its own arguments, from $8 on."""
    claimed: UUID | None = await db.fetchval(
        f"""
        WITH RECURSIVE {line}, claimed AS (
            UPDATE attempts a SET {_TAKEN} FROM next WHERE a.id = next.id
            RETURNING a.id, a.run_id, a.repository_id, a.epoch
        ){turned}, audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'worker ' || $1, 'attempt.claimed', run_id, id, jsonb_build_object('epoch', epoch) FROM claimed
        )
        SELECT id FROM claimed
        """,  # noqa: S608
        owner,
        timedelta(seconds=lease_seconds),
        offer.engine,
        list(admission.allow),
        list(admission.deny),
        list(offer.labels),
        list(offer.runs_on),
        *more,
    )
    return claimed


_BACK = """
    state = CASE WHEN cancel_asked IS NULL THEN 'queued' ELSE 'finished' END,
    conclusion = CASE WHEN cancel_asked IS NOT NULL THEN 'cancelled' END,
    title = CASE WHEN cancel_asked IS NULL THEN title ELSE 'cancelled ' || cancel_asked END,
    finished_at = CASE WHEN cancel_asked IS NOT NULL THEN now() END,
    kept_until = CASE WHEN cancel_asked IS NULL AND state = 'running' AND $3 > interval '0 s' THEN now() + $3 END,
    lease_owner = NULL, lease_expires = NULL, version = version + 1
"""
"""What becomes of an attempt that is given back: queued again, kept for $3, or ended where somebody asked for that."""


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


async def give_back(db: Database, attempt: Attempt, *, owner: str, kept_seconds: float = 0) -> None:
    """Queue the attempt again: its worker stops. One that somebody asked to end, ends. Raises LeaseLostError.

    One that runs is kept for so long for workers of its engine: 0 where no job of it goes on.
    """
    given = await db.fetchval(
        f"""
        WITH given AS (
            UPDATE attempts SET {_BACK}
            WHERE id = $1 AND epoch = $2 AND state = ANY($4) RETURNING id, run_id, state
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'worker ' || $5, 'attempt.given_back', run_id, id, jsonb_build_object('now', state) FROM given
        )
        SELECT id FROM given
        """,  # noqa: S608
        attempt.id,
        attempt.epoch,
        timedelta(seconds=kept_seconds),
        list(ACTIVE_STATES),
        owner,
    )
    demand_held(given, attempt)


async def give_back_lost(
    db: Database, *, max_claims: int, retries: RetryRules = NO_RETRIES, kept_seconds: float = 0
) -> list[UUID]:
    """Queue again every attempt whose lease ran out; at its `max_claims`-th loss end it as `error`.

    One that ended so is tried again as another attempt, where `retries` let it be: call it inside a transaction then.
    One that somebody asked to end, ends: no worker is needed for that. A worker that stopped and gave its attempt back
    did not lose it. Where a worker of its engine was heard of lately, one that runs is kept for so long, but for no
    longer than `NEIGHBOURS_SECONDS`: its job may go on there. Returns the ids of those that were lost.
    """
    return await _lose(db, None, max_claims, retries, min(kept_seconds, NEIGHBOURS_SECONDS))


async def give_back_of(
    db: Database, owner: str, *, max_claims: int, retries: RetryRules = NO_RETRIES, kept_seconds: float = 0
) -> list[UUID]:
    """Queue again what an earlier worker of this name held: it is dead, since its name is ours now. Returns the ids.

    It was lost as in `give_back_lost`: an attempt by which its worker dies must not kill it for ever. What ran is kept
    for so long for workers of its engine, as this is one.
    """
    return await _lose(db, owner, max_claims, retries, kept_seconds)


_LOST = """
    state IN ('preparing', 'building', 'running')
    AND (lease_owner = $1 OR ($1::text IS NULL AND lease_expires < now()))
"""
"""That the worker of this name held the attempt; without a name, that its lease ran out."""


async def _lose(
    db: Database, owner: str | None, max_claims: int, retries: RetryRules, kept_seconds: float
) -> list[UUID]:
    if retries != NO_RETRIES:
        # Whoever steers a run locks it before its attempts: in the other order, each could wait for the other.
        await db.execute(
            f"SELECT 1 FROM runs WHERE id IN (SELECT run_id FROM attempts WHERE {_LOST}) ORDER BY id FOR KEY SHARE",  # noqa: S608
            owner,
        )
    ending = await db.fetch(
        f"SELECT id, run_id, number FROM attempts WHERE {_LOST} AND cancel_asked IS NULL AND losses + 1 >= $2 "  # noqa: S608
        "FOR NO KEY UPDATE SKIP LOCKED",
        owner,
        max_claims,
    )
    words = {row["id"]: await retrying.last_word(db, row["run_id"], row["number"], retries) for row in ending}
    found = await _give_back_lost(db, owner, max_claims, words, kept_seconds)
    for attempt_id, has_ended in found.items():
        if has_ended:
            await retrying.after_loss(db, attempt_id, rules=retries)
    return list(found)


async def _give_back_lost(
    db: Database, owner: str | None, max_claims: int, words: Mapping[UUID, str], kept_seconds: float
) -> dict[UUID, bool]:
    """Return the attempts that were lost, and whether that ended them as an error. `words` are such a one's detail."""
    rows = await db.fetch(
        f"""
        WITH lost AS (
            SELECT id, lease_owner, losses + 1 AS losses,
                   CASE WHEN cancel_asked IS NOT NULL THEN 'cancelled' WHEN losses + 1 >= $2 THEN 'error' END AS ended,
                   CASE WHEN cancel_asked IS NOT NULL THEN 'cancelled ' || cancel_asked
                        WHEN losses + 1 >= $2 THEN 'the worker was lost ' || losses + 1
                             || CASE losses WHEN 0 THEN ' time' ELSE ' times' END || ' while it ran this' END AS title
            FROM attempts
            WHERE {_LOST} FOR NO KEY UPDATE SKIP LOCKED
        ), ended AS (
            UPDATE attempts a SET
                losses = lost.losses, conclusion = lost.ended, title = lost.title,
                cause = CASE WHEN lost.ended = 'error' THEN 'worker' END,
                detail = (SELECT w.detail FROM unnest($3::uuid[], $4::text[]) AS w (id, detail)
                          WHERE w.id = a.id AND lost.ended = 'error'),
                state = CASE WHEN lost.ended IS NULL THEN 'queued' ELSE 'finished' END,
                finished_at = CASE WHEN lost.ended IS NOT NULL THEN now() END,
                kept_until = CASE WHEN lost.ended IS NULL AND a.state = 'running' AND $5 > interval '0 s'
                    AND ($1 IS NOT NULL OR EXISTS (
                        SELECT FROM workers w WHERE w.engine = a.engine AND w.stopped_at IS NULL
                        AND w.away_since IS NULL AND w.seen_at > now() - $6::interval)) THEN now() + $5 END,
                lease_owner = NULL, lease_expires = NULL, version = version + 1
            FROM lost WHERE a.id = lost.id RETURNING a.id, a.run_id, a.state, a.conclusion, lost.lease_owner
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT coalesce('worker ' || $1, 'reconciler'),
                   CASE WHEN $1 IS NULL THEN 'lease.lost' ELSE 'attempt.taken_back' END, run_id, id,
                   jsonb_build_object('worker', lease_owner, 'now', state) FROM ended
        )
        SELECT id, coalesce(conclusion = 'error', false) AS has_ended FROM ended
        """,  # noqa: S608
        owner,
        max_claims,
        list(words),
        list(words.values()),
        timedelta(seconds=kept_seconds),
        HEARD_WITHIN,
    )
    return {row["id"]: row["has_ended"] for row in rows}
