"""The end of an attempt, and the attempt that tries it again where it failed by no fault of its author.

Both come in one transaction, so that nothing ends without its retry, and nothing is retried twice. The attempt that is
tried again stays as it ended. Nothing is tried again that somebody wants to end, that nothing names any more, or whose
run has a newer attempt.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from draftsman.domain.outcome import Outcome
from draftsman.domain.retry import Cause, RetryRules, pause_before_retry
from draftsman.domain.run import Attempt
from draftsman.store import attempts
from draftsman.store.database import Database


async def end(db: Database, attempt: Attempt, outcome: Outcome, *, owner: str, rules: RetryRules) -> None:
    """End the attempt as its worker, and have it tried again where its cause and the rules say so.

    Raises LeaseLostError. Call it inside a transaction; where this claim ended it so before, nothing changes.
    """
    cause = outcome.cause
    if cause is None:
        await attempts.finish(db, attempt, outcome, owner=owner)
        return
    # Whoever steers a run locks it before its attempts: in the other order, each could wait for the other.
    await db.execute("SELECT 1 FROM runs WHERE id = $1 FOR KEY SHARE", attempt.run.id)
    earlier = await _earlier(db, attempt.run.id, attempt.number)
    pause = pause_before_retry(cause, earlier, rules)
    if pause is None and earlier:
        outcome = replace(outcome, detail=_with_word(outcome.detail, len(earlier)))
    await attempts.finish(db, attempt, outcome, owner=owner)
    if pause is not None:
        await _make(db, attempt.id, cause, pause, actor=f"worker {owner}")


async def last_word(db: Database, run_id: UUID, number: int, rules: RetryRules) -> str:
    """Return what is told of an attempt that its lost worker ends and that is not tried again; else empty."""
    earlier = await _earlier(db, run_id, number)
    spent = earlier and pause_before_retry(Cause.WORKER, earlier, rules) is None
    return _with_word("", len(earlier)) if spent else ""


async def after_loss(db: Database, attempt_id: UUID, *, rules: RetryRules) -> UUID | None:
    """Have an attempt tried again that ended just now since its worker was lost; return the new one.

    Call it in the transaction that ended it.
    """
    row = await db.fetchrow("SELECT run_id, number, cause FROM attempts WHERE id = $1", attempt_id)
    earlier = await _earlier(db, row["run_id"], row["number"])
    cause = Cause(row["cause"])
    pause = pause_before_retry(cause, earlier, rules)
    return None if pause is None else await _make(db, attempt_id, cause, pause, actor="reconciler")


async def _earlier(db: Database, run_id: UUID, number: int) -> list[Cause]:
    """Return the causes of the attempts that this one, itself a retry, was preceded by; oldest first."""
    rows = await db.fetch(
        """
        WITH RECURSIVE chain AS (
            SELECT number, retry_of, cause FROM attempts WHERE run_id = $1 AND number = $2
            UNION ALL
            SELECT a.number, a.retry_of, a.cause FROM attempts a JOIN chain c ON a.number = c.retry_of
            WHERE a.run_id = $1
        )
        SELECT cause FROM chain WHERE number < $2 AND cause IS NOT NULL ORDER BY number
        """,
        run_id,
        number,
    )
    return [Cause(row["cause"]) for row in rows]


async def _make(db: Database, attempt_id: UUID, cause: Cause, pause: float, *, actor: str) -> UUID | None:
    """Make the attempt that tries this finished one again; return it, None where there is to be none."""
    made: UUID | None = await db.fetchval(
        """
        WITH made AS (
            INSERT INTO attempts (run_id, number, trust, state, priority, tiers, rebuild, asked_by, seen_base,
                                  retry_of, reason, not_before)
            SELECT a.run_id, a.number + 1, a.trust, 'queued', a.priority, a.tiers, a.rebuild, a.asked_by, a.seen_base,
                   a.number, $2 || ' in attempt ' || a.number, CASE WHEN $3::interval > '0' THEN now() + $3 END
            FROM attempts a
            WHERE a.id = $1 AND a.state = 'finished' AND a.cancel_asked IS NULL AND NOT a.is_unwanted
              AND NOT EXISTS (SELECT FROM attempts b WHERE b.run_id = a.run_id AND b.number > a.number)
              AND (a.asked_by IS NOT NULL OR EXISTS (SELECT FROM run_refs n WHERE n.run_id = a.run_id AND n.is_current))
            ON CONFLICT DO NOTHING RETURNING id, run_id, retry_of, not_before
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT $4, 'attempt.created', run_id, id,
                   jsonb_build_object('cause', $5::text, 'retry_of', retry_of, 'not_before', not_before) FROM made
        )
        SELECT id FROM made
        """,
        attempt_id,
        cause.phrase,
        timedelta(seconds=pause),
        actor,
        cause,
    )
    return made


def _with_word(detail: str, retries: int) -> str:
    """Return the detail with the word that no further attempt comes by itself."""
    tried = f"It was tried {retries + 1} times, and is not tried again by itself: press Re-run once that is mended."
    return f"{tried}{chr(10) * 2 if chr(10) in detail else ' '}{detail}".rstrip()
