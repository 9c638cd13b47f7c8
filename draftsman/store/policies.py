"""What an administrator set for single repositories, over what the instance has for all.

A policy goes by OWNER/NAME, so it can be there before the repository's first run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from draftsman.domain.policy import FIELDS, RepoPolicy, policy_value
from draftsman.store import audit
from draftsman.store.database import Database, Pool, clean
from draftsman.store.leases import lock_claims

_ASSIGNED = ", ".join(f"{name} = excluded.{name}" for name in FIELDS)


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """What is set for one repository. `repo` is OWNER/NAME in lower case; a field that is not set is not in it.

    `updated_at` is None where nothing is set.
    """

    repo: str
    explicit: Mapping[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None

    def over(self, defaults: RepoPolicy) -> RepoPolicy:
        """Return the policy that is in force, with the instance's own below what is set."""
        return defaults.changed(self.explicit)

    def document(self, defaults: RepoPolicy) -> dict[str, Any]:
        """Return the policy as programs are shown it: what is in force, and which fields are the repository's own."""
        return {
            "repo": self.repo,
            **self.over(defaults).document(),
            "explicit_fields": list(self.explicit),
            "updated_at": None if self.updated_at is None else self.updated_at.isoformat(),
        }


async def get(db: Database, full_name: str, defaults: RepoPolicy) -> RepoPolicy:
    """Return the policy of OWNER/NAME that is in force, whatever its case."""
    return (await stored(db, full_name)).over(defaults)


async def stored(db: Database, full_name: str) -> StoredPolicy:
    """Return what is set for the repository, an empty policy where nothing is."""
    row = await db.fetchrow("SELECT * FROM policies WHERE repo = $1", _key(full_name))
    return StoredPolicy(_key(full_name)) if row is None else _stored(row)


async def everywhere(db: Database) -> list[StoredPolicy]:
    """Return every policy that sets something, in order of name."""
    return [_stored(row) for row in await db.fetch("SELECT * FROM policies ORDER BY repo")]


async def change(
    pool: Pool[Any], full_name: str, how: Callable[[StoredPolicy], Mapping[str, object]], *, by: str
) -> StoredPolicy:
    """Set the fields that `how` makes of the policy as it is, and return it as it is then; None unsets a field.

    Nobody else changes it meanwhile. What `how` raises is raised, and PolicyError for a value that cannot be.
    """
    async with pool.acquire() as connection, connection.transaction():
        await _lock(connection, full_name)
        return await set_fields(connection, full_name, how(await stored(connection, full_name)), by=by)


async def set_fields(db: Database, full_name: str, given: Mapping[str, object], *, by: str) -> StoredPolicy:
    """Set these fields and leave the others; None unsets one. Call it inside a transaction. Raises PolicyError."""
    read = {name: None if value is None else policy_value(name, value) for name, value in given.items()}
    await _lock(db, full_name)
    before = await stored(db, full_name)
    merged = {**before.explicit, **read}
    after = {name: merged[name] for name in FIELDS if merged.get(name) is not None}
    if after == before.explicit:
        return before
    if after.get("runs_on") != before.explicit.get("runs_on"):
        await lock_claims(db)  # once this is committed, no run begins where it may not any more
    if after:
        await _keep(db, before.repo, after)
    else:
        await db.execute("DELETE FROM policies WHERE repo = $1", before.repo)
    await audit.record(
        db,
        actor=by,
        action="policy.changed",
        repo=before.repo,
        set={name: value for name, value in after.items() if before.explicit.get(name) != value},
        cleared=[name for name in before.explicit if name not in after],
    )
    return await stored(db, full_name)


async def clear(db: Database, full_name: str, names: Iterable[str] = FIELDS, *, by: str) -> StoredPolicy:
    """Give these fields back to the instance, by default all. Call it inside a transaction. Raises PolicyError."""
    return await set_fields(db, full_name, dict.fromkeys(_known(names)), by=by)


def _key(full_name: str) -> str:
    return clean(full_name).lower()


def _known(names: Iterable[str]) -> list[str]:
    listed = list(names)
    for name in listed:
        if name not in FIELDS:
            policy_value(name, None)  # it raises: there is no such field
    return listed


def _stored(row: Any) -> StoredPolicy:
    explicit = {name: policy_value(name, row[name]) for name in FIELDS if row[name] is not None}
    return StoredPolicy(row["repo"], explicit, row["updated_at"])


async def _keep(db: Database, repo: str, explicit: Mapping[str, Any]) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(FIELDS) + 2))
    values = [list(value) if isinstance(value, tuple) else value for value in map(explicit.get, FIELDS)]
    await db.execute(
        f"INSERT INTO policies (repo, {', '.join(FIELDS)}) VALUES ({places}) "  # noqa: S608  (names of ours only)
        f"ON CONFLICT (repo) DO UPDATE SET {_ASSIGNED}, updated_at = now()",
        repo,
        *values,
    )


async def _lock(db: Database, full_name: str) -> None:
    """Let nobody else change the repository's policy until the transaction ends, whether there is a row or not."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"policy {_key(full_name)}")
