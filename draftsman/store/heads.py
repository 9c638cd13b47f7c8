"""What the store knows of the heads of a repository: which were seen, and which are not checked yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from draftsman.domain.run import Ref, RefKind, RunState
from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a ref's commit is being checked or was. `since` names the newest attempt on the commit, if any."""

    done: bool
    since: str


async def first_seen(db: Database, repository_ids: Sequence[int]) -> dict[int, datetime]:
    """Return when each repository had its first run; one that had none is not in it."""
    rows = await db.fetch(
        "SELECT id, at FROM (SELECT p.id, coalesce(p.first_run_at, "
        "(SELECT min(created_at) FROM runs WHERE repository_id = p.id)) AS at "
        "FROM repositories p WHERE p.id = ANY($1)) known WHERE at IS NOT NULL",
        list(repository_ids),
    )
    return {row["id"]: row["at"] for row in rows}


async def checked(db: Database, repository_id: int, ref: Ref, head_sha: str) -> Checked:
    """Return whether the ref names a run of the commit.

    One that ended because nothing named it any more, or because the repository was not served, does not count.
    """
    row = await db.fetchrow(
        """
        SELECT a.id, a.state, a.is_unwanted,
               EXISTS (SELECT FROM run_refs n JOIN runs s ON s.id = n.run_id
                       WHERE s.repository_id = $1 AND s.head_sha = $2 AND n.kind = $3 AND n.name = $4
                         AND n.is_current) AS named
        FROM runs r JOIN attempts a ON a.run_id = r.id
        WHERE r.repository_id = $1 AND r.head_sha = $2 ORDER BY a.created_at DESC, a.number DESC LIMIT 1
        """,
        repository_id,
        head_sha,
        ref.kind,
        clean(ref.name),
    )
    if row is None:
        return Checked(False, "")
    unwanted = row["is_unwanted"] and row["state"] == RunState.FINISHED
    return Checked(row["named"] and not unwanted, str(row["id"]))


async def under_way(db: Database, repository_id: int) -> list[tuple[Ref, str]]:
    """Return the branches and pull requests whose newest known commit is not checked to its end, with that commit."""
    rows = await db.fetch(
        """
        SELECT DISTINCT ON (n.kind, n.name) n.kind, n.name, r.head_sha
        FROM run_refs n JOIN runs r ON r.id = n.run_id JOIN attempts a ON a.run_id = r.id
        WHERE r.repository_id = $1 AND n.is_current AND n.kind IN ('branch', 'pull_request') AND a.state <> 'finished'
        ORDER BY n.kind, n.name, n.created_at DESC
        """,
        repository_id,
    )
    return [(Ref(RefKind(row["kind"]), row["name"]), row["head_sha"]) for row in rows]


async def admitted(
    db: Database, names: Sequence[str], installation_id: int, *, allow: Sequence[str], deny: Sequence[str]
) -> set[str]:
    """Return those of an installation's OWNER/NAMEs that this instance serves, by an administrator's two lists."""
    rows = await db.fetch(
        "SELECT name FROM unnest($1::text[]) AS name WHERE is_admitted(name, $2, $3, $4)",
        list(names),
        installation_id,
        list(allow),
        list(deny),
    )
    return {row["name"] for row in rows}
