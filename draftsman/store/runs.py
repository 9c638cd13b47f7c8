"""Runs and the events that start them: one run per repository and head SHA, however many events name it.

Whether an event starts another attempt is decided in `draftsman/domain/renewal.py`. Where that has to wait for the end
of an attempt that is under way, a task waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.renewal import Base, Known, Renewal, When, counting, renewal
from draftsman.domain.run import HEAD, Conclusion, Naming, Ref, RefKind, Repository, RunState, Trust
from draftsman.store import audit, refs, repositories, tasks
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
    newest attempt ended because nothing named its commit any more, and a pull request into another base branch where
    that tells something new. Where an attempt is under way that has to end first, a task does it then
    (`tasks.START_LATE`). An untrusted attempt waits until `approvals` lets it go. Where `not_served` says why this
    instance does nothing for the repository, the attempt ends at once as neutral.
    """
    await repositories.keep(db, wanted.repository)
    run_id = await _find_or_insert(db, wanted)
    await _attach(db, run_id, wanted, delivery)
    if not_served and await db.fetchval("SELECT EXISTS (SELECT FROM attempts WHERE run_id = $1)", run_id):
        return Started(run_id, None)  # it was said before
    decided = await _decide(db, run_id, wanted, await namings_of(db, run_id))
    if decided.when is When.LATER:
        await tasks.add(db, _late(run_id, wanted), delivery=delivery)
    if decided.when is not When.NOW:
        return Started(run_id, None)
    return Started(run_id, await _begin(db, run_id, wanted, decided, delivery, actor=actor, not_served=not_served))


async def start_late(db: Database, wanted: Wanted, *, delivery: str | None) -> When:
    """Start the attempt that `start` left to a task, and say when: `LATER` where one is still under way.

    Call it inside a transaction. Where the ref names the commit no more, nothing is started.
    """
    run_id = await find(db, wanted.repository.id, wanted.head_sha, wanted.subject)
    await db.execute("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE", run_id)
    known = [] if run_id is None else await namings_of(db, run_id)
    if run_id is None or not any(one.ref == wanted.ref and one.is_current for one in known):
        return When.NEVER
    decided = await _decide(db, run_id, wanted, known)
    if decided.when is When.NOW:
        await _begin(db, run_id, wanted, decided, delivery, actor="delivery")
    return decided.when


def late_lane(run_id: UUID) -> str:
    """Return the lane of the tasks that wait for the end of the run's attempt."""
    return f"run:{run_id}"


def _late(run_id: UUID, wanted: Wanted) -> tasks.TaskWanted:
    detail = {
        "repository_id": wanted.repository.id,
        "head_sha": wanted.head_sha,
        "subject": wanted.subject,
        "kind": str(wanted.ref.kind),
        "name": wanted.ref.name,
        "trust": str(wanted.trust),
    }
    return tasks.TaskWanted(tasks.START_LATE, late_lane(run_id), detail)


async def _attach(db: Database, run_id: UUID, wanted: Wanted, delivery: str | None) -> None:
    await db.execute(
        "INSERT INTO run_refs (run_id, kind, name, delivery, base_sha, base_branch) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (run_id, kind, name) DO UPDATE SET is_current = true, named_at = now(), "
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


async def _begin(
    db: Database,
    run_id: UUID,
    wanted: Wanted,
    decided: Renewal,
    delivery: str | None,
    *,
    actor: str,
    not_served: str = "",
) -> UUID:
    attempt_id = await _insert_attempt(db, run_id, decided, not_served)
    await audit.record(
        db,
        actor=actor,
        action="attempt.created",
        run_id=run_id,
        attempt_id=attempt_id,
        delivery=delivery,
        ref=f"{wanted.ref.kind}:{wanted.ref.name}",
        trust=decided.trust,
    )
    return attempt_id


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


async def _decide(db: Database, run_id: UUID, wanted: Wanted, namings: list[Naming]) -> Renewal:
    """Return what the event calls for. An attempt that nobody took yet ends where another is to be in its place."""
    rows = await db.fetch(
        "SELECT id, trust, state, conclusion, is_unwanted, seen_base, tiers, plan -> 'profile' AS planned "
        "FROM attempts WHERE run_id = $1 ORDER BY number DESC",
        run_id,
    )
    known = [_known(row) for row in rows]
    decided = renewal(known, wanted.trust, await _base(db, run_id, wanted.repository, namings))
    if decided.when is not When.NOW or not known or known[0].state is RunState.FINISHED:
        return decided
    if known[0].trust is decided.trust and not known[0].is_unwanted:
        return await _widened(db, rows[0]["id"], decided)
    ended = await db.fetchval(
        """
        WITH ended AS (
            UPDATE attempts SET state = 'finished', conclusion = $2, finished_at = now(), version = version + 1,
                title = 'a trusted event for this commit arrived'
            WHERE id = $1 AND state IN ('waiting', 'queued') RETURNING id, run_id, conclusion, title
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'delivery', 'attempt.finished', run_id, id,
                   jsonb_build_object('conclusion', conclusion, 'title', title) FROM ended
        )
        SELECT id FROM ended
        """,
        rows[0]["id"],
        Conclusion.CANCELLED,
    )
    return decided if ended is not None else replace(decided, when=When.LATER)


async def _widened(db: Database, attempt_id: UUID, decided: Renewal) -> Renewal:
    """Have an attempt that nobody took yet do all checks; where somebody took it, another one does them later."""
    widened = await db.fetchval(
        """
        WITH widened AS (
            UPDATE attempts SET tiers = $2, version = version + 1 WHERE id = $1 AND state IN ('waiting', 'queued')
            RETURNING id, run_id, tiers
        ), audited AS (
            INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
            SELECT 'delivery', 'attempt.changed', run_id, id, jsonb_build_object('tiers', tiers) FROM widened
        )
        SELECT id FROM widened
        """,
        attempt_id,
        sorted(CHECKED_TIERS),
    )
    return replace(decided, when=When.LATER if widened is None else When.NEVER)


async def _base(db: Database, run_id: UUID, repository: Repository, namings: list[Naming]) -> Base | None:
    current = [one for one in namings if one.is_current]
    pull = counting(current, (RefKind.PULL_REQUEST,), repository.default_branch)
    if pull is None or pull.base_branch is None:
        return None
    tiers = await refs.tiers_of_branch(db, repository.id, pull.base_branch, except_run=run_id)
    return Base(pull.base_branch, tiers, is_default=pull.base_branch == repository.default_branch)


def _known(row: Any) -> Known:
    return Known(
        trust=Trust(row["trust"]),
        state=RunState(row["state"]),
        conclusion=None if row["conclusion"] is None else Conclusion(row["conclusion"]),
        is_unwanted=row["is_unwanted"],
        seen_base=row["seen_base"],
        planned=refs.planned_tiers(row["planned"]),
        tiers=frozenset(Tier(tier) for tier in row["tiers"]),
    )


async def _insert_attempt(db: Database, run_id: UUID, decided: Renewal, not_served: str) -> UUID:
    attempt_id: UUID = await db.fetchval(
        """
        INSERT INTO attempts
            (run_id, number, trust, replan, seen_base, state, conclusion, title, finished_at, is_unwanted)
        SELECT $1, coalesce(max(number), 0) + 1, $2, $4, $5,
               CASE WHEN $3 <> '' THEN 'finished'
                    WHEN $2 = 'trusted' OR EXISTS (SELECT FROM approvals WHERE run_id = $1) THEN 'queued'
                    ELSE 'waiting' END,
               CASE WHEN $3 <> '' THEN 'neutral' END, nullif($3, ''), CASE WHEN $3 <> '' THEN now() END, $3 <> ''
        FROM attempts WHERE run_id = $1 RETURNING id
        """,
        run_id,
        decided.trust,
        clean(not_served),
        decided.replan,
        decided.base_branch,
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
        "ORDER BY (SELECT max(created_at) FROM attempts WHERE run_id = r.id AND retry_of IS NULL) DESC NULLS LAST, "
        "r.id DESC",
        repository_id,
        head_sha,
    )
    return [row["id"] for row in rows]


async def is_tested_merged(db: Database, repository_id: int, head_sha: str) -> bool:
    """Return whether there is a trusted run of the commit merged into something."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM runs r JOIN attempts a ON a.run_id = r.id "
        "WHERE r.repository_id = $1 AND r.head_sha = $2 AND r.subject <> $3 AND a.trust = 'trusted')",
        repository_id,
        head_sha,
        HEAD,
    )
    return found


async def is_named_by(db: Database, run_id: UUID, ref: Ref) -> bool:
    """Return whether the run's commit is the one that the ref was last known to name.

    Every commit of a default branch stays wanted; its newest one alone says what the branch is.
    """
    newest: UUID | None = await db.fetchval(
        "SELECT n.run_id FROM run_refs n WHERE n.repository_id = (SELECT repository_id FROM runs WHERE id = $1) "
        "AND n.kind = $2 AND n.name = $3 AND n.is_current ORDER BY n.created_at DESC LIMIT 1",
        run_id,
        ref.kind,
        clean(ref.name),
    )
    return newest == run_id


async def refs_of(db: Database, run_id: UUID) -> list[Ref]:
    """Return the names that want this commit checked, oldest first."""
    rows = await db.fetch("SELECT kind, name FROM run_refs WHERE run_id = $1 ORDER BY created_at, name", run_id)
    return [Ref(RefKind(row["kind"]), row["name"]) for row in rows]
