"""What waits, and everything around it that says why. The decision itself is in `draftsman/domain/waiting.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from draftsman.domain.run import Attempt, RunState
from draftsman.domain.waiting import Running, Scene, Terms, Wait, Waiter, why
from draftsman.domain.worker import HEARD_WITHIN
from draftsman.store import pauses, workers
from draftsman.store.database import Database

TOLD_NOTHING = "-"
"""Kept as what was told of an attempt that GitHub shows nothing of."""

_WAITER = """
    a.id AS attempt_id, a.run_id, a.number, r.repository_id, p.full_name AS repo, r.head_sha, a.state,
    coalesce(a.queued_at, a.created_at) AS queued_at, a.title,
    is_admitted(p.full_name, p.installation_id, $1, $2) AS is_admitted, a.not_before, a.kept_until,
    coalesce((SELECT l.runs_on FROM policies l WHERE l.repo = lower(p.full_name)), $3) AS runs_on
"""
_ATTEMPT = "attempts a"
_AROUND = "JOIN runs r ON r.id = a.run_id JOIN repositories p ON p.id = r.repository_id"
_JOINED = f"{_ATTEMPT} {_AROUND}"


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue at one moment. `waiting` holds the first of the line, then those that are passed by.

    `queued` counts all that are queued, `approvals` all that wait for approval, however many of them are in `waiting`.
    """

    scene: Scene
    waiting: tuple[tuple[Waiter, Wait], ...]
    queued: int
    approvals: int


async def now(db: Database) -> datetime:
    """Return the store's own time, by which it keeps when something was."""
    found: datetime = await db.fetchval("SELECT now()")
    return found


async def scene(db: Database, terms: Terms) -> Scene:
    """Return what there is around the attempts that wait."""
    at = await now(db)
    rows = await db.fetch(
        f"""
        SELECT a.id AS attempt_id, a.run_id, a.number, r.repository_id, p.full_name AS repo, r.head_sha, a.state,
               a.lease_owner AS worker, a.started_at AS since, coalesce(a.lease_expires > now(), false) AS is_held
        FROM {_JOINED} WHERE a.state IN ('preparing', 'building', 'running') ORDER BY a.started_at, a.id
        """  # noqa: S608
    )
    return Scene(
        now=at,
        workers=tuple(await workers.everywhere(db)),
        pauses=tuple(await pauses.everywhere(db)),
        running=tuple(Running(**{**dict(row), "state": RunState(row["state"])}) for row in rows),
        terms=terms,
    )


async def wait_of(db: Database, attempt: Attempt, terms: Terms) -> tuple[Wait, datetime] | None:
    """Return why the attempt waits and the store's time, None where it is executed or has finished."""
    if attempt.state not in (RunState.WAITING, RunState.QUEUED):
        return None
    row = await db.fetchrow(
        f"""
        SELECT {_WAITER},
            (SELECT count(*) FROM attempts b WHERE b.state = 'queued' AND b.repository_id = r.repository_id
             AND b.priority > a.priority)
            + (SELECT count(*) FROM attempts b WHERE b.state = 'queued' AND b.repository_id = r.repository_id
               AND b.priority = a.priority AND (b.created_at, b.id) < (a.created_at, a.id)) AS ahead
        FROM {_JOINED} WHERE a.id = $4 AND a.state IN ('waiting', 'queued')
        """,  # noqa: S608
        *_of_terms(terms),
        attempt.id,
    )
    if row is None:
        return None
    around = await scene(db, terms)
    return why(_waiter(row), around), around.now


async def queue(db: Database, terms: Terms, *, limit: int) -> Queue:
    """Return what runs and what waits: at most `limit` of those that are queued, and of those that wait for approval.

    The line is that of `leases.claim`: what a person asked for first, then by turns between repositories. It tells what
    comes next as things stand, not what comes to pass.
    """
    around = await scene(db, terms)
    queued = await db.fetch(
        f"""
        WITH lanes AS MATERIALIZED ( -- once for each repository, not for each attempt
            SELECT p.id, is_admitted(p.full_name, p.installation_id, $1, $2)
                   AND NOT EXISTS (SELECT FROM pauses s WHERE s.repo IN ('*', lower(p.full_name)))
                   -- Unknown, and not false, where there is no worker at all.
                   AND (SELECT bool_or(coalesce(l.runs_on, $3) <@ w.labels) FROM workers w
                        WHERE w.stopped_at IS NULL AND w.seen_at > now() - $5::interval) IS NOT FALSE AS is_open,
                   (SELECT count(*) FROM attempts b WHERE b.repository_id = p.id
                    AND b.state IN ('preparing', 'building', 'running')) AS running,
                   (SELECT claimed_at FROM claim_turns t WHERE t.repository_id = p.id) AS claimed_at
            FROM repositories p LEFT JOIN policies l ON l.repo = lower(p.full_name)
            WHERE p.id IN (SELECT repository_id FROM attempts WHERE state = 'queued')
        ), line AS (
            -- Of each no more than are shown in all: whoever is behind those is behind them in the whole line.
            SELECT first.id, first.priority, first.created_at, first.turn, first.first,
                   l.is_open AND first.is_due AS is_open, l.running, l.claimed_at
            FROM lanes l CROSS JOIN LATERAL (
                SELECT a.id, a.priority, a.created_at, row_number() OVER lane AS turn,
                       first_value(a.priority) OVER lane AS first,
                       greatest(a.not_before, a.kept_until, now()) <= now() AS is_due
                FROM attempts a WHERE a.repository_id = l.id AND a.state = 'queued'
                WINDOW lane AS (ORDER BY a.priority DESC, a.created_at, a.id)
                ORDER BY a.priority DESC, a.created_at, a.id LIMIT $4
            ) first
        ), placed AS (
            SELECT id, turn - 1 AS ahead, is_open, row_number() OVER (
                ORDER BY is_open DESC, priority DESC, running + turn, turn, first DESC, claimed_at NULLS FIRST,
                         created_at, id
            ) AS position FROM line ORDER BY position LIMIT $4
        )
        SELECT {_WAITER}, l.ahead, CASE WHEN l.is_open THEN l.position END AS place
        FROM placed l JOIN {_ATTEMPT} ON a.id = l.id {_AROUND} ORDER BY l.position
        """,  # noqa: S608
        *_of_terms(terms),
        limit,
        HEARD_WITHIN,
    )
    held = await db.fetch(
        f"SELECT {_WAITER}, 0 AS ahead FROM {_JOINED} "  # noqa: S608
        "WHERE a.state = 'waiting' AND a.state <> 'finished' ORDER BY a.created_at, a.id LIMIT $4",
        *_of_terms(terms),
        limit,
    )
    found = [_waiter(row) for row in (*queued, *held)]
    counts = await db.fetchrow(
        "SELECT count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'waiting') AS "
        "approvals FROM attempts WHERE state <> 'finished'"
    )
    return Queue(around, tuple((one, why(one, around)) for one in found), counts["queued"], counts["approvals"])


async def is_full(db: Database, repository_id: int, limit: int) -> bool:
    """Return whether more attempts of the repository are queued than `limit` lets in; 0 is no limit."""
    if not limit:
        return False
    count: int = await db.fetchval(
        "SELECT count(*) FROM (SELECT FROM attempts WHERE repository_id = $1 AND state = 'queued' LIMIT $2) first",
        repository_id,
        limit + 1,
    )
    return count > limit


@dataclass(frozen=True, slots=True)
class Shown:
    """A queued attempt, and what GitHub was told of its wait, at what time."""

    waiter: Waiter
    told: str
    told_at: datetime


async def shown(
    db: Database, terms: Terms, *, after: tuple[datetime, UUID] | None, limit: int
) -> tuple[list[Shown], tuple[datetime, UUID] | None]:
    """Return queued attempts of whose wait GitHub was told, oldest first, and the place behind which to go on.

    The place is None at the end. Left out are those of which a report is due anyway.
    """
    rows = await db.fetch(
        f"""
        WITH line AS (
            SELECT id, created_at, row_number()
                   OVER (PARTITION BY repository_id ORDER BY priority DESC, created_at, id) - 1 AS ahead
            FROM attempts WHERE state = 'queued'
        ), part AS (
            SELECT id, ahead FROM line WHERE $5::timestamptz IS NULL OR (created_at, id) > ($5, $6::uuid)
            ORDER BY created_at, id LIMIT $4
        )
        SELECT {_WAITER}, s.ahead, a.created_at, a.wait_told, a.wait_told_at, u.attempt_id IS NULL AS is_reported
        FROM part s JOIN {_ATTEMPT} ON a.id = s.id {_AROUND} LEFT JOIN unreported u ON u.attempt_id = a.id
        ORDER BY a.created_at, a.id
        """,  # noqa: S608
        *_of_terms(terms),
        limit,
        None if after is None else after[0],
        None if after is None else after[1],
    )
    found = [
        Shown(_waiter(row), row["wait_told"], row["wait_told_at"])
        for row in rows
        if row["is_reported"] and row["wait_told"] not in (None, TOLD_NOTHING)
    ]
    return found, (rows[-1]["created_at"], rows[-1]["attempt_id"]) if len(rows) == limit else None


async def keep_told(db: Database, attempt_id: UUID, key: str) -> None:
    """Keep what GitHub was told of the wait of a queued attempt. `TOLD_NOTHING` of one check run leaves the other's."""
    await db.execute(
        "UPDATE attempts SET wait_told = $2, wait_told_at = now() "
        "WHERE id = $1 AND state = 'queued' AND ($2 <> $3 OR wait_told IS NULL)",
        attempt_id,
        key,
        TOLD_NOTHING,
    )


async def tell_again(db: Database, attempt_ids: list[UUID]) -> None:
    """Have GitHub told again of those of these attempts that are still queued."""
    await db.execute("UPDATE attempts SET version = version + 1 WHERE id = ANY($1) AND state = 'queued'", attempt_ids)


def _of_terms(terms: Terms) -> tuple[list[str], list[str], list[str]]:
    return list(terms.admission.allow), list(terms.admission.deny), list(terms.runs_on)


def _waiter(row: Any) -> Waiter:
    return Waiter(
        attempt_id=row["attempt_id"],
        run_id=row["run_id"],
        number=row["number"],
        repository_id=row["repository_id"],
        repo=row["repo"],
        head_sha=row["head_sha"],
        state=RunState(row["state"]),
        queued_at=row["queued_at"],
        title=row["title"],
        is_admitted=bool(row["is_admitted"]),
        ahead=row["ahead"],
        place=row.get("place"),
        not_before=row["not_before"],
        runs_on=tuple(row["runs_on"]),
        kept_until=row["kept_until"],
    )
