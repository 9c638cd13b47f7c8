"""What GitHub was last told about each tier of an attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from draftsman.domain.plan import Tier
from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class Reported:
    """The state of one check run. `creating` means that a create was sent and its answer is not known.

    `version` is the attempt's that GitHub shows; `due` is False while a failure's back-off lasts.
    """

    attempt_id: UUID
    tier: Tier
    github_id: int | None
    digest: str | None
    annotations_sent: int
    version: int
    creating: bool
    failures: int
    due: bool


@dataclass(frozen=True, slots=True)
class Behind:
    """An attempt that changed since GitHub was last told, and the commit whose check runs it may change.

    `at_rest` says that it is finished or waits for somebody: what is left out where requests are scarce is progress.
    """

    attempt_id: UUID
    repository_id: int
    head_sha: str
    installation_id: int
    at_rest: bool


async def behind(
    db: Database, *, paused: Sequence[int] = (), thrifty: Sequence[int] = (), limit: int = 100
) -> list[Behind]:
    """Return the attempts that changed since GitHub was last told, oldest first.

    Left out are those whose tiers all wait for a back-off; those of the `paused` installations; progress that was told
    of once, for the `thrifty` ones; the end of one that is tried again, until GitHub shows the attempt that does so (an
    end in between would be taken for the result, and throw a pull request out of a merge queue); and those of
    repositories that are gone, or that the App cannot reach: no installation, or one that was suspended or removed.
    """
    rows = await db.fetch(
        """
        SELECT a.id AS attempt_id, r.repository_id, r.head_sha, p.installation_id,
               a.state IN ('finished', 'waiting') AS at_rest
        FROM unreported u JOIN attempts a ON a.id = u.attempt_id
        JOIN runs r ON r.id = a.run_id JOIN repositories p ON p.id = r.repository_id
        LEFT JOIN installations i ON i.id = p.installation_id
        WHERE p.installation_id <> ALL($1::bigint[]) AND NOT p.is_gone
          AND NOT coalesce(i.is_suspended OR i.is_removed, false)
          AND (SELECT count(*) FROM check_runs c WHERE c.attempt_id = a.id
               AND (c.reported_version >= a.version OR c.retry_at > now())) < 2
          AND NOT EXISTS (
              SELECT FROM attempts n WHERE n.run_id = a.run_id AND n.retry_of = a.number
              AND (SELECT count(*) FROM check_runs c WHERE c.attempt_id = n.id AND c.reported_version > 0) < 2)
          AND (a.state IN ('finished', 'waiting') OR p.installation_id <> ALL($2::bigint[])
               OR (SELECT count(*) FROM check_runs c WHERE c.attempt_id = a.id AND c.reported_version > 0) < 2)
        ORDER BY a.created_at, a.number LIMIT $3
        """,
        list(paused),
        list(thrifty),
        limit,
    )
    return [Behind(**dict(row)) for row in rows]


async def speaks(db: Database, attempt_id: UUID, tier: Tier) -> bool:
    """Return whether GitHub is to show the attempt as the tier's check run of its commit.

    Of all attempts of the commit, whichever run they belong to, it is the newest that was asked for the tier; where
    none was, the first of all, which says just that. A stranger's pull request with a commit of the repository's own
    does not put its attempts before that one's, as long as something names it.
    """
    found: bool = await db.fetchval(
        """
        WITH ours AS (
            -- A transaction that began early and waited for its turn has an early time: within a run the number counts.
            SELECT b.id, b.run_id, b.number, $2 = ANY(b.tiers) AS asked,
                   EXISTS (SELECT FROM run_refs n WHERE n.run_id = b.run_id AND n.is_current)
                   AND first_value(b.trust = 'trusted' AND NOT b.is_unwanted)
                       OVER (PARTITION BY b.run_id ORDER BY b.number DESC) AS is_own,
                   -- Nobody asked for a retry: it stands where that stands which it tries again.
                   max(b.created_at) FILTER (WHERE b.retry_of IS NULL)
                       OVER (PARTITION BY b.run_id ORDER BY b.number) AS at
            FROM attempts a JOIN runs r ON r.id = a.run_id
            JOIN runs s ON s.repository_id = r.repository_id AND s.head_sha = r.head_sha
            JOIN attempts b ON b.run_id = s.id WHERE a.id = $1
        )
        SELECT $1 = coalesce((SELECT id FROM ours WHERE asked
                              ORDER BY is_own DESC, at DESC, run_id DESC, number DESC LIMIT 1),
                             (SELECT id FROM ours ORDER BY at, run_id, number LIMIT 1))
        """,
        attempt_id,
        tier,
    )
    return found


async def of_attempt(db: Database, attempt_id: UUID, tier: Tier) -> Reported:
    """Return what GitHub was told about the tier; a fresh record where it was told nothing."""
    row = await db.fetchrow(
        "INSERT INTO check_runs (attempt_id, tier) VALUES ($1, $2) "
        "ON CONFLICT (attempt_id, tier) DO UPDATE SET tier = excluded.tier "
        "RETURNING attempt_id, tier, github_id, digest, annotations_sent, reported_version AS version, creating, "
        "failures, coalesce(retry_at, now()) <= now() AS due",
        attempt_id,
        tier,
    )
    return _reported(row)


def _reported(row: Any) -> Reported:
    return Reported(**{**dict(row), "tier": Tier(row["tier"])})


async def creating(db: Database, reported: Reported) -> None:
    """Note that a create is about to be sent: if its answer is lost, the check run is looked for first."""
    await _set(db, reported, "creating = true")


async def created(db: Database, reported: Reported, github_id: int) -> None:
    """Keep GitHub's id of the check run."""
    await _set(db, reported, "github_id = $3, creating = false", github_id)


async def forgotten(db: Database, reported: Reported) -> None:
    """Note that GitHub shows nothing of the attempt: its check run is gone, or another one is to replace it."""
    await _set(db, reported, "github_id = NULL, digest = NULL, annotations_sent = 0, creating = false")


async def told(db: Database, reported: Reported, *, version: int, digest: str | None, annotations: int) -> None:
    """Note that GitHub shows this version of the attempt; a digest of None: it needs to show nothing.

    The audit trail has what was told of a tier that came to an end, and nothing of its progress.
    """
    await db.execute(
        """
        WITH before AS (
            SELECT attempt_id, tier, digest FROM check_runs WHERE attempt_id = $1 AND tier = $2 FOR UPDATE
        ), told AS (
            UPDATE check_runs c SET reported_version = $3, digest = $4, annotations_sent = $5, failures = 0,
                retry_at = NULL, last_error = NULL
            FROM before b WHERE c.attempt_id = b.attempt_id AND c.tier = b.tier
            RETURNING c.attempt_id, c.tier, split_part(c.digest, ':', 2) AS conclusion,
                      c.digest LIKE 'completed:%' AND c.digest IS DISTINCT FROM b.digest AS is_news
        )
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT 'reporter', 'check_run.told', a.run_id, a.id,
               jsonb_build_object('tier', t.tier, 'conclusion', t.conclusion)
        FROM told t JOIN attempts a ON a.id = t.attempt_id WHERE t.is_news
        """,
        reported.attempt_id,
        reported.tier,
        version,
        digest,
        annotations,
    )


async def is_known(db: Database, run_id: UUID, number: int) -> bool:
    """Return whether there is such an attempt."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM attempts WHERE run_id = $1 AND number = $2)", run_id, number
    )
    return found


async def tell_again(db: Database, run_id: UUID, number: int, tier: Tier, *, github_id: int) -> bool:
    """Have GitHub told again of the end of an attempt, where this check run is what shows it and was told of it.

    Returns whether there was anything to tell: of an attempt that goes on, or is behind anyway, it is told as ever.
    """
    found = await db.fetchval(
        """
        WITH stale AS (
            UPDATE check_runs c SET digest = 'in_progress::', reported_version = 0 FROM attempts a
            WHERE a.id = c.attempt_id AND a.run_id = $1 AND a.number = $2 AND c.tier = $3 AND c.github_id = $4
              AND a.state = 'finished' AND c.reported_version >= a.version RETURNING a.id, a.run_id, a.version
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'reconciler', 'check_run.told_again', run_id, id, jsonb_build_object('tier', $3::text) FROM stale
        ), noted AS (
            INSERT INTO unreported (attempt_id, version) SELECT id, version FROM stale
            ON CONFLICT (attempt_id) DO UPDATE SET version = excluded.version
        ), hinted AS (
            SELECT pg_notify('draftsman_attempts', id::text) FROM stale
        )
        SELECT id FROM stale LEFT JOIN hinted ON true
        """,
        run_id,
        number,
        tier,
        github_id,
    )
    return found is not None


async def settle(db: Database, attempt_id: UUID) -> None:
    """Note that the attempt is not behind any more, if both of its check runs show its newest version."""
    await db.execute(
        """
        DELETE FROM unreported u USING (
            SELECT min(reported_version) AS version FROM check_runs WHERE attempt_id = $1 HAVING count(*) = 2
        ) shown WHERE u.attempt_id = $1 AND u.version <= shown.version
        """,
        attempt_id,
    )


async def failed(db: Database, reported: Reported, *, retry_seconds: float, error: str) -> None:
    """Note that GitHub could not be told, and when to try again. The audit trail has the first failure in a row."""
    await db.execute(
        """
        WITH failed AS (
            UPDATE check_runs SET failures = failures + 1, retry_at = now() + $3, last_error = $4
            WHERE attempt_id = $1 AND tier = $2 RETURNING attempt_id, tier, failures, last_error
        )
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT 'reporter', 'check_run.failed', a.run_id, a.id, jsonb_build_object('tier', f.tier, 'error', f.last_error)
        FROM failed f JOIN attempts a ON a.id = f.attempt_id WHERE f.failures = 1
        """,
        reported.attempt_id,
        reported.tier,
        timedelta(seconds=retry_seconds),
        clean(error)[:2000],
    )


async def _set(db: Database, reported: Reported, change: str, *values: object) -> None:
    await db.execute(
        f"UPDATE check_runs SET {change} WHERE attempt_id = $1 AND tier = $2",  # noqa: S608
        reported.attempt_id,
        reported.tier,
        *values,
    )
