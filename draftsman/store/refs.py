"""Which runs a ref still names. A run that nothing names any more is unwanted, and its attempt ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import Ref, RefKind
from draftsman.store import attempts
from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class Released:
    """The attempts that were asked to end. `is_unsettled`: the ref is to be looked at again soon."""

    ended: tuple[UUID, ...]
    is_unsettled: bool


async def release(
    db: Database,
    repository_id: int,
    ref: Ref,
    *,
    head_sha: str | None,
    by: str,
    reason: str,
    doubtful_since: datetime | None = None,
    only_in_line: bool = False,
) -> Released:
    """Note that the ref names `head_sha` now (None: it is gone), and end what nothing names any more.

    `reason` is the phrase that the ended attempts show (`(superseded by abc1234)`). A commit that an event named after
    `head_sha`, and since `doubtful_since` (the store's time, see `now`), is left alone: GitHub's answer may be older
    than the event. With `only_in_line` so is one whose attempt was claimed, or has finished. Call it inside a
    transaction.
    """
    mine = (repository_id, ref.kind, clean(ref.name), head_sha)
    # As `runs.start` does, so that neither misses what the other does to one of them.
    await db.execute(
        "SELECT 1 FROM runs WHERE id IN (SELECT n.run_id FROM run_refs n JOIN runs r ON r.id = n.run_id "
        "WHERE n.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND n.is_current "
        "AND r.head_sha IS DISTINCT FROM $4) ORDER BY id FOR UPDATE",
        *mine,
    )
    left = await db.fetch(
        """
        WITH named AS (
            SELECT n.run_id, n.kind, n.name, n.named_at, r.head_sha FROM run_refs n JOIN runs r ON r.id = n.run_id
            WHERE n.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND n.is_current
        ), others AS (
            SELECT run_id, kind, name,
                   coalesce(named_at >= $5, false)
                   AND named_at > coalesce((SELECT max(named_at) FROM named WHERE head_sha = $4), '-infinity') AS is_new
            FROM named WHERE head_sha IS DISTINCT FROM $4 AND (NOT $7 OR EXISTS (
                SELECT FROM attempts a WHERE a.run_id = named.run_id AND a.state IN ('waiting', 'queued')))
        ), released AS (
            UPDATE run_refs n SET is_current = false FROM others o
            WHERE n.run_id = o.run_id AND n.kind = o.kind AND n.name = o.name AND NOT o.is_new
            RETURNING n.run_id, n.kind, n.name
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, detail)
            SELECT $6, 'ref.released', run_id, jsonb_build_object('ref', kind || ':' || name, 'now', $4::text)
            FROM released
        )
        SELECT run_id, is_new FROM others
        """,
        *mine,
        doubtful_since,
        clean(by),
        only_in_line,
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
    return Released(tuple(ended), any(row["is_new"] for row in left))


async def now(db: Database) -> datetime:
    """Return the store's own time, by which it keeps when a ref came to name a commit."""
    found: datetime = await db.fetchval("SELECT now()")
    return found


async def head_at(db: Database, repository_id: int, ref: Ref, *, at: datetime) -> str | None:
    """Return the newest commit that the ref was known to name at that time (our clock), None where none was known."""
    found: str | None = await db.fetchval(
        "SELECT r.head_sha FROM run_refs n JOIN runs r ON r.id = n.run_id "
        "WHERE n.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND n.created_at <= $4 "
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
        WHERE n.repository_id = $1 AND n.kind = $2 AND n.name = $3 AND r.id <> $4 AND r.subject = 'head'
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


async def tiers_of_branch(db: Database, repository_id: int, branch: str, *, except_run: UUID) -> frozenset[Tier]:
    """Return the tiers for which the branch's last run that says anything had commands, none where there is none."""
    last = await last_of_branch(db, repository_id, branch, except_run=except_run)
    return planned_tiers(await db.fetchval("SELECT plan -> 'profile' FROM attempts WHERE id = $1", last))


def planned_tiers(profile: Mapping[str, Any] | None) -> frozenset[Tier]:
    """Return the tiers for which a plan's profile, as it is kept, has commands. None: there is no plan."""
    return frozenset(tier for tier in CHECKED_TIERS if profile is not None and profile.get(tier))
