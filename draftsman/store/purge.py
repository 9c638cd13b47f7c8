"""Removes what must not be kept a moment longer: a secret that was printed, or sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from draftsman.store.database import Database, clean

_COMMENT = "comment"
"""The kind of tasks that quote what people wrote, and the logs that they were answered with."""


@dataclass(frozen=True, slots=True)
class Removal:
    """When the log of an attempt was removed, and by whom; `by` is None where its time was over."""

    at: datetime
    by: str | None


@dataclass(frozen=True, slots=True)
class PurgedLog:
    """What was removed of one attempt. `check_runs` are those at GitHub that quoted it and are sent again.

    `annotations_sent` counts the annotations that GitHub was given, which nobody can take back.
    """

    attempt: int
    log_chunks: int
    annotations: int
    artifacts: int
    check_runs: int
    annotations_sent: int

    def document(self) -> dict[str, Any]:
        """Return it as programs are shown it."""
        return asdict(self)


async def removal_of(db: Database, attempt_id: UUID) -> Removal | None:
    """Return when and by whom the attempt's log was removed, None where it was not."""
    row = await db.fetchrow(
        "SELECT log_removed_at AS at, log_removed_by AS by FROM attempts WHERE id = $1 AND log_removed_at IS NOT NULL",
        attempt_id,
    )
    return None if row is None else Removal(**dict(row))


async def log(db: Database, attempt_id: UUID, *, by: str, reason: str) -> PurgedLog | None:
    """Remove the log of a finished attempt, and all that quotes it: annotations, summary, detail, files.

    Its version grows, so that GitHub is sent check runs without it. What failed builds and answers to comments quote of
    this repository goes as well. Call it inside a transaction. None where the attempt is not finished.
    """
    row = await db.fetchrow(
        """
        UPDATE attempts a SET summary = '', detail = NULL, log_removed_at = now(), log_removed_by = $2,
            version = version + 1
        FROM runs r JOIN repositories p ON p.id = r.repository_id
        WHERE a.id = $1 AND a.state = 'finished' AND r.id = a.run_id
        RETURNING a.number, a.run_id, p.id AS repository_id, p.full_name
        """,
        attempt_id,
        clean(by),
    )
    if row is None:
        return None
    # What failed is tried again, no more: which build quoted what is not kept.
    await db.execute("DELETE FROM image_failures WHERE repo = lower($1)", row["full_name"])
    await db.execute(
        "UPDATE tasks SET detail = detail - 'outcomes' WHERE kind = $1 AND state <> 'open' AND detail @> $2",
        _COMMENT,
        {"repository_id": row["repository_id"]},
    )
    gone = await db.fetchrow(
        """
        WITH chunks AS (DELETE FROM log_chunks WHERE attempt_id = $1 RETURNING 1),
             found AS (DELETE FROM findings WHERE attempt_id = $1 RETURNING 1),
             kept AS (DELETE FROM artifacts WHERE attempt_id = $1 RETURNING 1),
             told AS (SELECT count(*) AS number, coalesce(sum(annotations_sent), 0) AS sent FROM check_runs
                      WHERE attempt_id = $1 AND github_id IS NOT NULL),
             counted AS (SELECT (SELECT count(*) FROM chunks) AS log_chunks,
                                (SELECT count(*) FROM found) AS annotations,
                                (SELECT count(*) FROM kept) AS artifacts, number AS check_runs,
                                sent AS annotations_sent FROM told),
             audited AS (INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
                         SELECT $3, 'log.purged', $2, $1, to_jsonb(counted) || jsonb_build_object('reason', $4::text)
                         FROM counted)
        SELECT * FROM counted
        """,
        attempt_id,
        row["run_id"],
        clean(by),
        clean(reason),
    )
    return PurgedLog(attempt=row["number"], **dict(gone))


async def delivery(db: Database, guid: str, *, by: str, reason: str) -> bool:
    """Remove the body of a delivery, and what its task quotes of it. Its GUID stays known: it is not fetched again.

    A command in it that was not done yet is given up. Call it inside a transaction. False where it is not known.
    """
    found = await db.fetchval(
        """
        WITH purged AS (
            UPDATE deliveries SET body = '', body_removed_at = now(), body_removed_by = $2 WHERE guid = $1
            RETURNING guid, repo
        ), audited AS (
            INSERT INTO audit_events (actor, action, delivery, detail)
            SELECT $2, 'delivery.purged', guid, jsonb_build_object('repo', repo, 'reason', $3::text) FROM purged
        )
        SELECT guid FROM purged
        """,
        clean(guid),
        clean(by),
        clean(reason),
    )
    await db.execute(
        """
        UPDATE tasks SET detail = detail - 'body' - 'outcomes', ended_at = coalesce(ended_at, now()),
            error = CASE state WHEN 'open' THEN 'its delivery was purged' ELSE error END,
            state = CASE state WHEN 'open' THEN 'given_up' ELSE state END
        WHERE delivery = $1 AND kind = $2
        """,
        clean(guid),
        _COMMENT,
    )
    await db.execute(
        "UPDATE audit_events SET detail = detail - 'line' - 'said' WHERE delivery = $1 AND action LIKE 'command.%'",
        clean(guid),
    )
    return found is not None
