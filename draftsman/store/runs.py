"""Runs and the events that start them: one run per repository and head SHA, however many events name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, RunState, Trust
from draftsman.store import audit
from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an event asks for: this commit checked, under this name, with this trust."""

    repository: Repository
    head_sha: str
    ref: Ref
    trust: Trust


@dataclass(frozen=True, slots=True)
class Started:
    """What came of it. `attempt_id` is None where the run had been started before."""

    run_id: UUID
    attempt_id: UUID | None


async def keep_repository(db: Database, repository: Repository) -> None:
    """Insert the repository, or bring its name, branch and installation up to date."""
    await db.execute(
        """
        INSERT INTO repositories (id, full_name, clone_url, default_branch, private, installation_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET full_name = excluded.full_name, clone_url = excluded.clone_url,
            default_branch = excluded.default_branch, private = excluded.private,
            installation_id = coalesce(excluded.installation_id, repositories.installation_id), updated_at = now()
        """,
        repository.id,
        clean(repository.full_name),
        clean(repository.clone_url),
        clean(repository.default_branch),
        repository.private,
        repository.installation_id,
    )


async def start(db: Database, wanted: Wanted, *, delivery: str | None, actor: str = "delivery") -> Started:
    """Start a run for the commit, or attach the ref to the one there is. Call it inside a transaction.

    A trusted event for a commit that only ever ran untrusted starts a trusted attempt.
    """
    await keep_repository(db, wanted.repository)
    run_id = await _find_or_insert(db, wanted)
    await db.execute(
        "INSERT INTO run_refs (run_id, kind, name, delivery) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        run_id,
        wanted.ref.kind,
        clean(wanted.ref.name),
        delivery,
    )
    attempt_id = None
    if await _needs_attempt(db, run_id, wanted.trust):
        attempt_id = await _insert_attempt(db, run_id, wanted.trust)
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
        INSERT INTO runs (repository_id, head_sha) VALUES ($1, $2)
        ON CONFLICT (repository_id, head_sha, subject) DO UPDATE SET head_sha = excluded.head_sha RETURNING id
        """,
        wanted.repository.id,
        wanted.head_sha,
    )
    return run_id


async def _needs_attempt(db: Database, run_id: UUID, trust: Trust) -> bool:
    rows = await db.fetch("SELECT id, trust, state FROM attempts WHERE run_id = $1", run_id)
    if not rows:
        return True
    if trust is Trust.UNTRUSTED or any(row["trust"] == Trust.TRUSTED for row in rows):
        return False
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


async def _insert_attempt(db: Database, run_id: UUID, trust: Trust) -> UUID:
    state = RunState.QUEUED if trust is Trust.TRUSTED else RunState.WAITING
    attempt_id: UUID = await db.fetchval(
        """
        INSERT INTO attempts (run_id, number, trust, state, title)
        SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4 FROM attempts WHERE run_id = $1 RETURNING id
        """,
        run_id,
        trust,
        state,
        None if state is RunState.QUEUED else "waiting for approval: this pull request comes from a fork",
    )
    return attempt_id


def repository_of(row: Any) -> Repository:
    """Return the repository of a row that selected `repositories` columns with the prefix `repository_`."""
    return Repository(
        id=row["repository_id"],
        full_name=row["repository_full_name"],
        clone_url=row["repository_clone_url"],
        default_branch=row["repository_default_branch"],
        private=row["repository_private"],
        installation_id=row["repository_installation_id"],
    )


async def refs_of(db: Database, run_id: UUID) -> list[Ref]:
    """Return the names that want this commit checked, oldest first."""
    rows = await db.fetch("SELECT kind, name FROM run_refs WHERE run_id = $1 ORDER BY created_at, name", run_id)
    return [Ref(RefKind(row["kind"]), row["name"]) for row in rows]
