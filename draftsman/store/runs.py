"""Runs and the events that start them: one run per repository and head SHA, however many events name it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from draftsman.domain.plan import CHECKED_TIERS
from draftsman.domain.run import HEAD, Conclusion, Naming, Ref, RefKind, Repository, RunState, Trust
from draftsman.store import audit, repositories
from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an event asks for: this commit checked, under this name, with this trust.

    `base_sha` and `base_branch` are those of `Naming`. `subject` is `HEAD`, or `merge_subject` of the base's commit.
    """

    repository: Repository
    head_sha: str
    ref: Ref
    trust: Trust
    base_sha: str | None = None
    base_branch: str | None = None
    subject: str = HEAD


@dataclass(frozen=True, slots=True)
class Started:
    """What came of it. `attempt_id` is None where the run had been started before."""

    run_id: UUID
    attempt_id: UUID | None


async def start(
    db: Database, wanted: Wanted, *, delivery: str | None, actor: str = "delivery", not_served: str = ""
) -> Started:
    """Start a run for the commit, or attach the ref to the one there is. Call it inside a transaction.

    A trusted event for a commit that only ever ran untrusted starts a trusted attempt; so does any event for one whose
    newest attempt ended because nothing named its commit any more, or of which a person had only some checks run. An
    untrusted attempt waits until `approvals` lets it go. What an attempt under way leaves to be done is started when
    it ends (`start_again`). Where `not_served` says why this instance does nothing for the repository, the attempt ends
    at once as neutral.
    """
    await repositories.keep(db, wanted.repository)
    run_id = await _find_or_insert(db, wanted)
    await db.execute(
        "INSERT INTO run_refs (run_id, kind, name, delivery, base_sha, base_branch) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (run_id, kind, name) DO UPDATE SET is_current = true, "
        "delivery = coalesce(run_refs.delivery, excluded.delivery), "
        "created_at = CASE WHEN run_refs.is_current THEN run_refs.created_at ELSE now() END, "
        "base_sha = coalesce(excluded.base_sha, run_refs.base_sha), "
        "base_branch = coalesce(excluded.base_branch, run_refs.base_branch)",
        run_id,
        wanted.ref.kind,
        clean(wanted.ref.name),
        delivery,
        wanted.base_sha,
        None if wanted.base_branch is None else clean(wanted.base_branch),
    )
    attempt_id = None
    if await _needs_attempt(db, run_id, wanted.trust):
        attempt_id = await _insert_attempt(db, run_id, wanted, not_served)
        await audit.record(
            db,
            actor=actor,
            action="attempt.created",
            run_id=run_id,
            attempt_id=attempt_id,
            delivery=delivery,
            ref=f"{wanted.ref.kind}:{wanted.ref.name}",
            trust=wanted.trust,
        )
    return Started(run_id, attempt_id)


async def _find_or_insert(db: Database, wanted: Wanted) -> UUID:
    # The no-op update locks the row, so that two deliveries of one commit wait for each other.
    run_id: UUID = await db.fetchval(
        """
        INSERT INTO runs (repository_id, head_sha, subject) VALUES ($1, $2, $3)
        ON CONFLICT (repository_id, head_sha, subject) DO UPDATE SET head_sha = excluded.head_sha RETURNING id
        """,
        wanted.repository.id,
        wanted.head_sha,
        wanted.subject,
    )
    return run_id


async def _needs_attempt(db: Database, run_id: UUID, trust: Trust) -> bool:
    rows = await db.fetch(
        "SELECT id, trust, state, is_unwanted, tiers FROM attempts WHERE run_id = $1 ORDER BY number DESC", run_id
    )
    if not rows or (rows[0]["is_unwanted"] and rows[0]["state"] == RunState.FINISHED):
        return True
    if trust is Trust.UNTRUSTED or any(row["trust"] == Trust.TRUSTED for row in rows):
        return await _lacks_checks(db, rows)
    for row in rows:
        if row["state"] == RunState.WAITING:
            await db.execute(
                "UPDATE attempts SET state = 'finished', conclusion = $2, finished_at = now(), version = version + 1, "
                "title = 'a trusted event for this commit arrived' WHERE id = $1",
                row["id"],
                Conclusion.CANCELLED,
            )
        elif row["state"] != RunState.FINISHED:
            return False
    return True


async def _lacks_checks(db: Database, rows: Sequence[Any]) -> bool:
    """Return whether the checks that no attempt did, a person having asked for others only, need an attempt.

    One that nobody took yet does them, too.
    """
    if {tier for row in rows for tier in row["tiers"]} >= set(CHECKED_TIERS):
        return False
    if rows[0]["state"] in (RunState.WAITING, RunState.QUEUED):
        await db.execute(
            "UPDATE attempts SET tiers = $2, version = version + 1 WHERE id = $1", rows[0]["id"], sorted(CHECKED_TIERS)
        )
    return bool(rows[0]["state"] == RunState.FINISHED)


async def start_again(db: Database, run_id: UUID) -> None:
    """Start what could not be started while the run's newest attempt, which has ended, was under way.

    That is another attempt where it was cancelled since nothing named the commit, and something named it again
    meanwhile; and where it was to do some of the checks only, and an event called for all. Call it in the transaction
    that ends the attempt, after `hold`.
    """
    await db.execute(
        """
        WITH newest AS (SELECT * FROM attempts WHERE run_id = $1 ORDER BY number DESC LIMIT 1),
        created AS (
            INSERT INTO attempts (run_id, number, trust, state)
            SELECT n.run_id, n.number + 1, n.trust, 'queued' FROM newest n
            WHERE n.state = 'finished' AND EXISTS (
                SELECT FROM run_refs r WHERE r.run_id = $1 AND r.is_current AND CASE
                    WHEN n.is_unwanted THEN n.conclusion = 'cancelled'
                    ELSE r.delivery IS NOT NULL AND NOT $2::text[] <@ ARRAY(
                        SELECT unnest(a.tiers) FROM attempts a WHERE a.run_id = $1) END)
            RETURNING id, run_id
        )
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT 'delivery', 'attempt.created', run_id, id, '{"cause": "called for while another was under way"}'
        FROM created
        """,
        run_id,
        sorted(CHECKED_TIERS),
    )


async def hold(db: Database, run_id: UUID) -> None:
    """Have whoever starts or re-runs this run wait until the transaction ends. Call it first in the transaction."""
    await db.execute("SELECT 1 FROM runs WHERE id = $1 FOR NO KEY UPDATE", run_id)


async def _insert_attempt(db: Database, run_id: UUID, wanted: Wanted, not_served: str) -> UUID:
    attempt_id: UUID = await db.fetchval(
        """
        INSERT INTO attempts (run_id, number, trust, state, conclusion, title, finished_at, is_unwanted)
        SELECT $1, coalesce(max(number), 0) + 1, $2,
               CASE WHEN $3 <> '' THEN 'finished'
                    WHEN $2 = 'trusted' OR EXISTS (SELECT FROM approvals WHERE run_id = $1) THEN 'queued'
                    ELSE 'waiting' END,
               CASE WHEN $3 <> '' THEN 'neutral' END, nullif($3, ''), CASE WHEN $3 <> '' THEN now() END, $3 <> ''
        FROM attempts WHERE run_id = $1 RETURNING id
        """,
        run_id,
        wanted.trust,
        clean(not_served),
    )
    return attempt_id


async def namings_of(db: Database, run_id: UUID) -> list[Naming]:
    """Return the refs that name the commit or once did, with what its change is seen against, oldest first."""
    rows = await db.fetch(
        "SELECT kind, name, base_sha, base_branch, is_current FROM run_refs WHERE run_id = $1 "
        "ORDER BY created_at, name",
        run_id,
    )
    return [
        Naming(Ref(RefKind(row["kind"]), row["name"]), row["base_sha"], row["base_branch"], row["is_current"])
        for row in rows
    ]


async def find(db: Database, repository_id: int, head_sha: str, subject: str) -> UUID | None:
    """Return the run of the commit with this subject, None where there is none."""
    found: UUID | None = await db.fetchval(
        "SELECT id FROM runs WHERE repository_id = $1 AND head_sha = $2 AND subject = $3",
        repository_id,
        head_sha,
        subject,
    )
    return found


async def of_commit(db: Database, repository_id: int, head_sha: str) -> list[UUID]:
    """Return the runs of the commit, that with the newest attempt first: it is the one that GitHub shows."""
    rows = await db.fetch(
        "SELECT r.id FROM runs r WHERE r.repository_id = $1 AND r.head_sha = $2 "
        "ORDER BY (SELECT max(created_at) FROM attempts WHERE run_id = r.id) DESC NULLS LAST, r.id DESC",
        repository_id,
        head_sha,
    )
    return [row["id"] for row in rows]


async def is_tested_merged(db: Database, repository_id: int, head_sha: str) -> bool:
    """Return whether there is a run of the commit merged into something."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM runs WHERE repository_id = $1 AND head_sha = $2 AND subject <> $3)",
        repository_id,
        head_sha,
        HEAD,
    )
    return found


async def refs_of(db: Database, run_id: UUID) -> list[Ref]:
    """Return the names that want this commit checked, oldest first."""
    rows = await db.fetch("SELECT kind, name FROM run_refs WHERE run_id = $1 ORDER BY created_at, name", run_id)
    return [Ref(RefKind(row["kind"]), row["name"]) for row in rows]
