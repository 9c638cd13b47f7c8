"""Repositories as GitHub knows them. The id survives renames; what is kept by name moves along."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from draftsman.domain.run import Repository
from draftsman.store import audit
from draftsman.store.database import Database, clean

_COLUMNS = """
    p.id AS repository_id, p.full_name AS repository_full_name, p.clone_url AS repository_clone_url,
    p.default_branch AS repository_default_branch, p.private AS repository_private,
    p.installation_id AS repository_installation_id
"""

_BY_NAME = ("repo_profiles", "policies", "pauses")
"""Tables whose rows belong to a repository by its name."""


async def keep(db: Database, repository: Repository, *, formerly: str | None = None) -> None:
    """Insert the repository, or bring its name, branch and installation up to date. Call it inside a transaction.

    Where it has another name now, its profile, policy and pause go with it, and take the place of what a repository
    that had that name before left there. Whoever takes the name of a repository that we were not told of since inherits
    nothing: what was set for that one is put aside until its new name is known. `formerly` is the OWNER/NAME that it is
    said to have had: what was set for that before any event came goes with it, too, unless another repository is called
    so.
    """
    before = await db.fetchrow(
        "SELECT lower(full_name) AS name, is_gone FROM repositories WHERE id = $1 FOR UPDATE", repository.id
    )
    name = clean(repository.full_name)
    if before is None or before["is_gone"] or before["name"] != name.lower():
        await _set_aside(db, name.lower(), except_id=repository.id)
    await db.execute(
        """
        INSERT INTO repositories (id, full_name, clone_url, default_branch, private, installation_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET full_name = excluded.full_name, clone_url = excluded.clone_url,
            default_branch = excluded.default_branch, private = excluded.private, is_gone = false,
            installation_id = coalesce(excluded.installation_id, repositories.installation_id), updated_at = now()
        """,
        repository.id,
        name,
        clean(repository.clone_url),
        clean(repository.default_branch),
        repository.private,
        repository.installation_id,
    )
    if before is not None and before["is_gone"]:
        await _move(db, _aside(repository.id), name.lower())
    elif before is not None and before["name"] != name.lower():
        await _move(db, before["name"], name.lower())
        await audit.record(db, actor="delivery", action="repository.renamed", repo=name, formerly=before["name"])
    if formerly is not None and not await _is_taken(db, formerly):
        await _move(db, clean(formerly).lower(), name.lower())


async def _is_taken(db: Database, full_name: str) -> bool:
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM repositories WHERE lower(full_name) = $1 AND NOT is_gone)", clean(full_name).lower()
    )
    return found


def _aside(repository_id: int) -> str:
    """Return the key under which the profile and policy of a repository are kept whose name is not known."""
    return f"#{repository_id}"


async def _set_aside(db: Database, name: str, *, except_id: int) -> None:
    rows = await db.fetch(
        "UPDATE repositories SET is_gone = true WHERE lower(full_name) = $1 AND id <> $2 AND NOT is_gone RETURNING id",
        name,
        except_id,
    )
    for row in rows:
        await _move(db, name, _aside(row["id"]))


async def _move(db: Database, before: str, after: str) -> None:
    for table in _BY_NAME:
        await db.execute(
            f"WITH mine AS (SELECT 1 FROM {table} WHERE repo = $1) "  # noqa: S608
            f"DELETE FROM {table} WHERE repo = $2 AND EXISTS (SELECT FROM mine)",
            before,
            after,
        )
        await db.execute(f"UPDATE {table} SET repo = $2 WHERE repo = $1", before, after)  # noqa: S608


async def gone(db: Database, repository_id: int) -> list[UUID]:
    """Note that GitHub has the repository no more, and drop its profile and policy: another of that name is not meant.

    Returns the attempts that are not finished.
    """
    name = await db.fetchval(
        "UPDATE repositories SET is_gone = true, updated_at = now() WHERE id = $1 AND NOT is_gone "
        "RETURNING lower(full_name)",
        repository_id,
    )
    if name is not None:
        await audit.record(db, actor="delivery", action="repository.gone", repo=name)
    for table in _BY_NAME:
        # Where another one has the name already, only what was put aside was this one's.
        await db.execute(f"DELETE FROM {table} WHERE repo = ANY($1)", [name, _aside(repository_id)])  # noqa: S608
    rows = await db.fetch(
        "SELECT a.id FROM attempts a JOIN runs r ON r.id = a.run_id "
        "WHERE r.repository_id = $1 AND a.state <> 'finished'",
        repository_id,
    )
    return [row["id"] for row in rows]


async def get(db: Database, repository_id: int) -> Repository | None:
    """Return the repository, None where no event named it yet, or it is gone."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM repositories p WHERE p.id = $1 AND NOT p.is_gone",  # noqa: S608
        repository_id,
    )
    return None if row is None else repository_of(row)


async def called(db: Database, full_name: str) -> list[int]:
    """Return the ids of the repositories that had this OWNER/NAME, in any case, when they were heard of last."""
    rows = await db.fetch("SELECT id FROM repositories WHERE lower(full_name) = lower($1)", clean(full_name))
    return [row["id"] for row in rows]


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
