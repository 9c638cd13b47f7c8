"""Attempts and their state machine. Every transition names the state that it expects and writes its audit row.

A worker's writes carry the epoch of its claim: once the lease is lost, they change nothing and raise.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from draftsman.domain.errors import LeaseLostError
from draftsman.domain.outcome import PHASES, ImageUsed, Outcome
from draftsman.domain.plan import Plan, Tier
from draftsman.domain.retry import Cause
from draftsman.domain.run import Attempt, Conclusion, Run, RunState, Trust
from draftsman.domain.transitions import predecessors
from draftsman.store import repositories
from draftsman.store.database import Database, clean
from draftsman.store.repositories import repository_of

log = logging.getLogger(__name__)

_DIGITS = re.compile(r"[0-9a-f]{1,32}")
_PLAN = TypeAdapter(Plan)
_IMAGE = TypeAdapter(ImageUsed)

_COLUMNS = """
    a.id, a.run_id, a.number, a.trust, a.state, a.conclusion, a.title, a.detail, a.epoch, a.version,
    a.tiers, a.rebuild, a.asked_by, a.cause, a.retry_of, a.reason, a.not_before,
    (SELECT b.number FROM attempts b WHERE b.run_id = a.run_id AND b.retry_of = a.number) AS retried_as,
    a.created_at, a.started_at, a.finished_at, r.head_sha, r.subject, r.created_at AS run_created_at,
    p.id AS repository_id, p.full_name AS repository_full_name, p.clone_url AS repository_clone_url,
    p.default_branch AS repository_default_branch, p.private AS repository_private,
    p.installation_id AS repository_installation_id
"""
HELD = "id = $1 AND epoch = $2 AND state IN ('preparing', 'building', 'running')"
"""That the attempt $1 is held by the claim of epoch $2: what a worker writes counts only then."""
HELD_ROW = f"(SELECT 1 FROM attempts WHERE {HELD} FOR SHARE)"  # noqa: S608
"""The same for rows below the attempt. Nobody else takes it before they are kept: what was written in time is there."""
_FROM_NEWEST = """
    runs r JOIN repositories p ON p.id = r.repository_id
    CROSS JOIN LATERAL (SELECT * FROM attempts WHERE run_id = r.id ORDER BY number DESC LIMIT 1) a
"""
_STATES = frozenset(RunState)
_FROM = "attempts a JOIN runs r ON r.id = a.run_id JOIN repositories p ON p.id = r.repository_id"


def _attempt(row: Any) -> Attempt:
    run = Run(row["run_id"], repository_of(row), row["head_sha"], row["subject"], row["run_created_at"])
    return Attempt(
        id=row["id"],
        run=run,
        number=row["number"],
        trust=Trust(row["trust"]),
        state=RunState(row["state"]),
        conclusion=None if row["conclusion"] is None else Conclusion(row["conclusion"]),
        title=row["title"],
        detail=row["detail"],
        epoch=row["epoch"],
        version=row["version"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        tiers=frozenset(Tier(tier) for tier in row["tiers"]),
        rebuild=row["rebuild"],
        asked_by=row["asked_by"],
        cause=None if row["cause"] is None else Cause(row["cause"]),
        retry_of=row["retry_of"],
        retried_as=row["retried_as"],
        reason=row["reason"],
        not_before=row["not_before"],
    )


async def get(db: Database, attempt_id: UUID) -> Attempt | None:
    """Return the attempt with its run and repository, or None."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM {_FROM} WHERE a.id = $1", attempt_id)  # noqa: S608
    return None if row is None else _attempt(row)


async def of_run(db: Database, run_id: UUID) -> list[Attempt]:
    """Return the run's attempts, newest first."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.id = $1 ORDER BY a.number DESC", run_id)  # noqa: S608
    return [_attempt(row) for row in rows]


async def newest_of(db: Database, run_id: UUID) -> Attempt | None:
    """Return the run's newest attempt, None where it has none."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.id = $1 ORDER BY a.number DESC LIMIT 1",  # noqa: S608
        run_id,
    )
    return None if row is None else _attempt(row)


async def recent(
    db: Database,
    *,
    limit: int = 20,
    repo: str | None = None,
    sha: str | None = None,
    state: str | None = None,
    after: UUID | None = None,
) -> list[Attempt]:
    """Return the newest attempts of the newest runs, newest run first.

    `repo` is OWNER/NAME in any case, `sha` a commit or its beginning, in lower case; `state` is a state or a
    conclusion. `after` is the run behind which they begin; behind one that is not there, nothing does.
    """
    asked: list[tuple[str, object]] = []
    if repo is not None:
        known = await repositories.called(db, repo)
        asked.append(("r.repository_id = ?", known[0]) if len(known) == 1 else ("r.repository_id = ANY(?)", known))
    if state is not None:
        asked.append((f"a.{'state' if state in _STATES else 'conclusion'} = ?", state))
    if sha is not None:
        # Few runs, found by themselves first. Behind every hexadecimal digit, in any collation, comes a `g`.
        asked.append(("r.id = ANY(ARRAY(SELECT id FROM runs WHERE head_sha >= ? AND head_sha < ? || 'g'))", sha))
    by_state = state is not None and sha is None
    place = "a.run_at, a.run_id" if by_state else "r.created_at, r.id"
    if after is not None:
        asked.append((f"({place}) < (SELECT created_at, id FROM runs WHERE id = ?)", after))  # noqa: S608
    if by_state:
        asked.append(("NOT EXISTS (SELECT FROM attempts b WHERE b.run_id = a.run_id AND b.number > a.number)", None))
    # Only what is asked for stands in the statement, so that Postgres plans it for that.
    given = [value for text, value in asked if "?" in text]
    numbers = count(2)
    conditions = [text.replace("?", f"${next(numbers)}") if "?" in text else text for text, _ in asked]
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM {_FROM if by_state else _FROM_NEWEST} WHERE {' AND '.join(conditions) or 'true'} "  # noqa: S608
        f"ORDER BY {place.replace(',', ' DESC,')} DESC LIMIT $1",
        limit,
        *given,
    )
    return [_attempt(row) for row in rows]


async def enter(db: Database, attempt: Attempt, state: RunState, *, owner: str) -> None:
    """Move the attempt on to a state that may follow its own; once it is there, nothing changes.

    Raises LeaseLostError.
    """
    moved = await db.fetchval(
        """
        WITH moved AS (
            UPDATE attempts SET state = $3, version = version + 1
            WHERE id = $1 AND epoch = $2 AND state = ANY($4) RETURNING id, run_id
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'worker ' || $5, 'attempt.' || $3, run_id, id, '{}' FROM moved
        )
        SELECT id FROM moved UNION ALL SELECT id FROM attempts WHERE id = $1 AND epoch = $2 AND state = $3
        """,
        attempt.id,
        attempt.epoch,
        state,
        list(predecessors(state)),
        owner,
    )
    demand_held(moved, attempt)


async def keep_base(db: Database, attempt: Attempt, branch: str | None) -> None:
    """Keep the base branch of the pull request that the attempt is seen in, None for none. Raises LeaseLostError."""
    kept = await db.fetchval(
        f"UPDATE attempts SET seen_base = $3 WHERE {HELD} RETURNING id",  # noqa: S608
        attempt.id,
        attempt.epoch,
        branch,
    )
    demand_held(kept, attempt)


async def keep_plan(db: Database, attempt: Attempt, plan: Plan) -> None:
    """Keep the plan with the attempt. Raises LeaseLostError."""
    kept = await db.fetchval(
        f"UPDATE attempts SET plan = $3, version = version + 1 WHERE {HELD} RETURNING id",  # noqa: S608
        attempt.id,
        attempt.epoch,
        _PLAN.dump_python(plan, mode="json"),
    )
    demand_held(kept, attempt)


async def keep_image(db: Database, attempt: Attempt, image: ImageUsed) -> None:
    """Keep which image the job runs in. Raises LeaseLostError."""
    kept = await db.fetchval(
        f"UPDATE attempts SET image = $3, job_epoch = $2, version = version + 1 WHERE {HELD} RETURNING id",  # noqa: S608
        attempt.id,
        attempt.epoch,
        asdict(image),
    )
    demand_held(kept, attempt)


async def finish(db: Database, attempt: Attempt, outcome: Outcome, *, owner: str) -> None:
    """End the attempt. Raises LeaseLostError; call it in the transaction that keeps the findings (`retrying.end` does).

    Where this claim ended it so before, nothing changes: whoever lost the answer may ask again.
    """
    ended = await db.fetchval(
        f"""
        WITH ended AS (
            UPDATE attempts SET state = 'finished', conclusion = $3, title = $4, detail = $5, timings = $6,
                exit_code = $7, summary = $9, cause = $10, finished_at = now(),
                lease_owner = NULL, lease_expires = NULL, version = version + 1
            WHERE {HELD} RETURNING id, run_id
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'worker ' || $8, 'attempt.finished', run_id, id,
                   jsonb_strip_nulls(jsonb_build_object('conclusion', $3::text, 'title', $4::text, 'cause', $10::text))
            FROM ended
        )
        SELECT id FROM ended UNION ALL
        SELECT id FROM attempts WHERE id = $1 AND epoch = $2 AND state = 'finished' AND conclusion = $3 AND title = $4
        """,  # noqa: S608
        attempt.id,
        attempt.epoch,
        outcome.conclusion,
        clean(outcome.title),
        clean(outcome.detail),
        outcome.timings,
        outcome.exit_code,
        owner,
        clean(outcome.summary),
        outcome.cause,
    )
    demand_held(ended, attempt)


async def ask_cancel(db: Database, attempt_id: UUID, *, by: str, reason: str, unwanted: bool = False) -> bool:
    """Have an attempt end: one that waits or is queued at once, one under way as soon as its worker hears of it.

    `reason` is a phrase (`by alice`); `unwanted` says that nothing names the commit any more, so that a ref which names
    it again starts another attempt. Returns whether there was anything to end.
    """
    found = await db.fetchval(
        """
        WITH asked AS (
            UPDATE attempts SET
                state = CASE WHEN state IN ('waiting', 'queued') THEN 'finished' ELSE state END,
                conclusion = CASE WHEN state IN ('waiting', 'queued') THEN 'cancelled' END,
                title = CASE WHEN state IN ('waiting', 'queued') THEN 'cancelled ' || $2 ELSE title END,
                finished_at = CASE WHEN state IN ('waiting', 'queued') THEN now() END,
                cancel_asked = $2, is_unwanted = $4, version = version + 1
            WHERE id = $1 AND state <> 'finished' AND cancel_asked IS NULL RETURNING id, run_id, state
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT $3, 'attempt.cancel_asked', run_id, id,
                   jsonb_build_object('reason', $2::text, 'now', state) FROM asked
        )
        SELECT id FROM asked
        """,
        attempt_id,
        clean(reason),
        by,
        unwanted,
    )
    return found is not None


async def cancels_asked(db: Database, attempt_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return which of these attempts somebody wants to end, and the phrase that says why."""
    rows = await db.fetch(
        "SELECT id, cancel_asked FROM attempts WHERE id = ANY($1) AND cancel_asked IS NOT NULL", list(attempt_ids)
    )
    return {row["id"]: row["cancel_asked"] for row in rows}


async def summary_of(db: Database, attempt_id: UUID) -> str:
    """Return the Markdown that the job itself wrote, empty where it wrote none."""
    kept: str | None = await db.fetchval("SELECT summary FROM attempts WHERE id = $1", attempt_id)
    return kept or ""


async def fences(db: Database, attempt_ids: Sequence[UUID], *, engine: str) -> dict[UUID, int]:
    """Return, of those of the attempts that are not finished, the epoch below which jobs on this engine are nobody's.

    That is the epoch of the claim that goes on with another job, or of the one that holds it on another engine.
    """
    rows = await db.fetch(
        "SELECT id, CASE WHEN engine <> $2 AND state IN ('preparing', 'building', 'running') THEN epoch "
        "ELSE coalesce(job_epoch, 0) END AS fence FROM attempts WHERE id = ANY($1) AND state <> 'finished'",
        list(attempt_ids),
        engine,
    )
    return {row["id"]: row["fence"] for row in rows}


async def instance_of(db: Database) -> UUID:
    """Return the id of this database's Draftsman, by which it knows its containers on an engine."""
    found: UUID = await db.fetchval("SELECT id FROM instance")
    return found


async def any_queued(db: Database) -> bool:
    """Return whether an attempt waits for a worker. One that waits for its time does not count before that."""
    # By the order of its index: that of the table has those that wait behind all others.
    found = await db.fetchval(
        "SELECT id FROM attempts WHERE state = 'queued' AND (not_before IS NULL OR not_before <= now()) "
        "ORDER BY priority DESC, created_at LIMIT 1"
    )
    return found is not None


async def queued(db: Database) -> int:
    """Return how many attempts wait for a worker. One that waits for its time does not count before that."""
    number: int = await db.fetchval(
        "SELECT count(*) FROM attempts WHERE state = 'queued' AND (not_before IS NULL OR not_before <= now())"
    )
    return number


async def plan_of(db: Database, attempt_id: UUID) -> Plan | None:
    """Return the attempt's plan, or None before it is made."""
    kept = await db.fetchval("SELECT plan FROM attempts WHERE id = $1", attempt_id)
    return None if kept is None else _PLAN.validate_python(kept)


async def kept_plan_of(db: Database, attempt: Attempt) -> tuple[Plan, int] | None:
    """Return the newest plan of the run's earlier attempts of the same trust, and that attempt's number, or None.

    Those made before the commit was seen against another base do not count, nor does one that this version cannot read
    any more.
    """
    row = await db.fetchrow(
        "SELECT plan, number FROM attempts WHERE run_id = $1 AND number < $2 AND trust = $3 AND plan IS NOT NULL "
        "AND number >= coalesce((SELECT max(number) FROM attempts WHERE run_id = $1 AND number <= $2 AND replan), 0) "
        "ORDER BY number DESC LIMIT 1",
        attempt.run.id,
        attempt.number,
        attempt.trust,
    )
    if row is None:
        return None
    try:
        return _PLAN.validate_python(row["plan"]), row["number"]
    except ValidationError as error:
        log.warning("the plan of attempt %d of run %s is planned anew: %s", row["number"], attempt.run.id, error)
        return None


async def image_of(db: Database, attempt_id: UUID) -> ImageUsed | None:
    """Return the image that the attempt's job runs in, or None before it is there."""
    kept = await db.fetchval("SELECT image FROM attempts WHERE id = $1", attempt_id)
    return None if kept is None else _IMAGE.validate_python(kept)


async def job_epoch_of(db: Database, attempt_id: UUID) -> int | None:
    """Return the epoch of the claim whose job is the attempt's, None before there is an image for one."""
    epoch: int | None = await db.fetchval("SELECT job_epoch FROM attempts WHERE id = $1", attempt_id)
    return epoch


async def timings_of(db: Database, attempt_id: UUID) -> dict[str, float]:
    """Return the seconds of each phase, in the order of the phases; empty while the attempt goes on."""
    kept: dict[str, float] = await db.fetchval("SELECT timings FROM attempts WHERE id = $1", attempt_id)
    return {phase: kept[phase] for phase in PHASES if phase in kept}


async def find(db: Database, prefix: str) -> Sequence[UUID]:
    """Return the ids of runs whose id begins with `prefix` (at most 2), or that have this attempt."""
    digits = prefix.lower().replace("-", "")
    if not _DIGITS.fullmatch(digits):
        return []
    rows = await db.fetch(
        "(SELECT id FROM runs WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT 2) UNION "
        "(SELECT run_id FROM attempts WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT 100) LIMIT 2",
        UUID(digits.ljust(32, "0")),
        UUID(digits.ljust(32, "f")),
    )
    return [row["id"] for row in rows]


def demand_held(found: object, attempt: Attempt) -> None:
    """Raise LeaseLostError where a write of the attempt's worker found nothing to change."""
    if found is None:
        raise LeaseLostError(f"The lease of attempt {attempt.id} (epoch {attempt.epoch}) was lost.")
