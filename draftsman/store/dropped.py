"""Runs that were ended because nothing named their commit, and that a ref names again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from draftsman.domain.run import Ref, Repository, RunState, Trust
from draftsman.store.database import Database, clean
from draftsman.store.runs import Wanted


@dataclass(frozen=True, slots=True)
class Dropped:
    """A run whose newest attempt ended because nothing named its commit any more, or is about to (`is_ending`)."""

    run_id: UUID
    wanted: Wanted
    is_ending: bool


async def find(db: Database, repository: Repository, ref: Ref, *, head_sha: str) -> Dropped | None:
    """Return the run that is shown for the commit which the ref names, if it was dropped; None where it was not."""
    row = await db.fetchrow(
        """
        SELECT r.id, r.subject, a.trust, a.state, a.is_unwanted AND a.cancel_asked IS NOT NULL AS is_dropped,
               n.base_sha, n.base_branch
        FROM runs r JOIN attempts a ON a.run_id = r.id JOIN run_refs n ON n.run_id = r.id
        WHERE r.repository_id = $1 AND r.head_sha = $2 AND n.kind = $3 AND n.name = $4
        ORDER BY a.created_at DESC, a.number DESC LIMIT 1
        """,
        repository.id,
        head_sha,
        ref.kind,
        clean(ref.name),
    )
    if row is None or not row["is_dropped"]:
        return None
    trust, subject = Trust(row["trust"]), row["subject"]
    wanted = Wanted(repository, head_sha, ref, trust, row["base_sha"], row["base_branch"], subject)
    return Dropped(row["id"], wanted, row["state"] != RunState.FINISHED)
