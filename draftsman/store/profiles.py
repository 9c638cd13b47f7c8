"""Repository profiles: how a repository is set up and checked, set by a person or inferred.

Whoever changes a profile read it before: the change is kept only where nobody else changed it meanwhile, and the
statement that keeps it writes the audit event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from draftsman.domain.errors import HostError
from draftsman.domain.plan import Plan, ProfileOverrides
from draftsman.domain.profile import FIELDS, PAIRS, RepoProfile, Value
from draftsman.store.database import Database, clean

_COLUMNS = {
    "setup": "setup_command",
    "fast": "validation_fast",
    "full": "validation_full",
}
"""The columns that are not called as their field is."""

_TRIES = 20
"""How often a change is made again that somebody else came before."""

_VALUES = (
    "dockerfile_mode",
    "dockerfile",
    "dockerfile_target",
    "build_args",
    "dependency_manager",
    "setup_command",
    "validation_fast",
    "validation_full",
    "allow_failure",
    "artifacts",
    "limits",
    "paths",
    "paths_ignore",
    "submodules",
    "lfs",
    "generated_dockerfile",
    "explicit_fields",
    "inferred",
    "edited_from",
)

_FIRST = len(_VALUES) + 1
"""The number of the first parameter behind those of `_VALUES`."""

_INSERT = f"""
    WITH kept AS (
        INSERT INTO repo_profiles ({", ".join(_VALUES)}, repo)
        VALUES ({", ".join(f"${number}" for number in range(1, _FIRST + 1))})
        ON CONFLICT (repo) DO NOTHING RETURNING *
    ), noted AS (
        INSERT INTO audit_events (actor, action, detail)
        SELECT ${_FIRST + 1}, ${_FIRST + 2}, ${_FIRST + 3} FROM kept
    )
    SELECT * FROM kept
"""  # noqa: S608  (names of ours only)

_UPDATE = f"""
    WITH kept AS (
        UPDATE repo_profiles SET {", ".join(f"{name} = ${number}" for number, name in enumerate(_VALUES, start=1))},
            version = version + 1, updated_at = now()
        WHERE id = ${_FIRST} AND version = ${_FIRST + 1} RETURNING *
    ), noted AS (
        INSERT INTO audit_events (actor, action, detail)
        SELECT ${_FIRST + 2}, ${_FIRST + 3}, ${_FIRST + 4} FROM kept
    )
    SELECT * FROM kept
"""  # noqa: S608  (names of ours only)


async def get(db: Database, repo: str) -> RepoProfile | None:
    """Return the profile of OWNER/NAME, whatever its case, or None."""
    row = await db.fetchrow("SELECT * FROM repo_profiles WHERE repo = lower($1)", clean(repo))
    return None if row is None else _profile_of(row)


async def page(db: Database, *, after: str = "", limit: int = 100) -> list[RepoProfile]:
    """Return at most `limit` profiles in order of name, those behind `after`."""
    rows = await db.fetch(
        "SELECT * FROM repo_profiles WHERE repo > lower($1) ORDER BY repo LIMIT $2", clean(after), limit
    )
    return [_profile_of(row) for row in rows]


async def insert(db: Database, profile: RepoProfile, *, actor: str) -> RepoProfile | None:
    """Keep a profile that is not there yet and return it; None where there is one by now."""
    detail = _difference(RepoProfile(profile.repo), profile)
    row = await db.fetchrow(
        _INSERT, *_row(profile), clean(profile.repo).lower(), clean(actor), "profile.created", detail
    )
    return None if row is None else _profile_of(row)


async def update(db: Database, before: RepoProfile, after: RepoProfile, *, actor: str) -> RepoProfile | None:
    """Keep the change and return what is there now; None where somebody else changed or deleted `before`."""
    if (after.explicit, after.inferred) == (before.explicit, before.inferred):
        current = await get(db, before.repo)
        return current if current and (current.id, current.version) == (before.id, before.version) else None
    action = "profile.changed" if after.explicit != before.explicit else "profile.inferred"
    row = await db.fetchrow(
        _UPDATE, *_row(after), before.id, before.version, clean(actor), action, _difference(before, after)
    )
    return None if row is None else _profile_of(row)


async def delete(db: Database, profile: RepoProfile, *, actor: str) -> bool:
    """Delete the profile, and what was inferred with it; False where somebody else changed or deleted it."""
    return bool(
        await db.fetchval(
            """
            WITH gone AS (
                DELETE FROM repo_profiles WHERE id = $1 AND version = $2 RETURNING repo
            ), noted AS (
                INSERT INTO audit_events (actor, action, detail) SELECT $3, 'profile.deleted', $4 FROM gone
            )
            SELECT count(*) FROM gone
            """,
            profile.id,
            profile.version,
            clean(actor),
            {"repo": profile.repo, "cleared": list(profile.explicit)},
        )
    )


async def change(db: Database, repo: str, how: Callable[[RepoProfile], RepoProfile], *, actor: str) -> RepoProfile:
    """Change the newest form of the profile, or make one; return what is there now.

    `how` may be called again where somebody else changes it at the same moment. What it raises is raised.
    """
    for _ in range(_TRIES):
        before = await get(db, repo)
        after = how(before or RepoProfile(repo.lower()))
        kept = await insert(db, after, actor=actor) if before is None else await update(db, before, after, actor=actor)
        if kept is not None:
            return kept
    raise HostError(f"The profile of {repo} is being changed all the time: try again in a moment.")


async def overrides_for(db: Database, repo: str) -> ProfileOverrides:
    """Return what a person set for the repository; everything else is to be inferred."""
    profile = await get(db, repo)
    return ProfileOverrides() if profile is None else profile.overrides()


async def keep_inferred(
    db: Database,
    repo: str,
    plan: Plan,
    dockerfile_hash: str,
    *,
    overrides: ProfileOverrides | None = None,
    actor: str = "worker",
) -> None:
    """Write what was inferred from the default branch, leaving every field that a person set as it is.

    `overrides` are those that the plan was made with. The profile's version changes only where its values do.
    """

    def learn(before: RepoProfile) -> RepoProfile:
        learned = before.learned(plan, overrides or before.overrides())
        inferred = {name: _cleaned(value) for name, value in (learned.inferred or {}).items()}
        return replace(learned, inferred=inferred)

    await change(db, repo, learn, actor=actor)
    await db.execute(
        "UPDATE repo_profiles SET dockerfile_hash = $2 WHERE repo = lower($1) AND dockerfile_hash IS DISTINCT FROM $2",
        clean(repo),
        dockerfile_hash,
    )


def _profile_of(row: Any) -> RepoProfile:
    inferred = row["inferred"]
    return RepoProfile(
        repo=row["repo"],
        explicit={
            name: _value(name, row[_COLUMNS.get(name, name)])
            for name in FIELDS
            if _COLUMNS.get(name, name) in row["explicit_fields"]
        },
        inferred=None if inferred is None else {name: _value(name, value) for name, value in inferred.items()},
        edited_from=row["edited_from"],
        id=row["id"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _value(name: str, kept: Any) -> Any:
    if name in PAIRS:
        return tuple(sorted(kept.items()))
    return tuple(kept) if isinstance(kept, list) else kept


def _row(profile: RepoProfile) -> list[Any]:
    """Return the values of `_VALUES`."""
    names = {column: name for name, column in _COLUMNS.items()}
    values: list[Any] = []
    for column in _VALUES[:-3]:
        value = _cleaned(profile.value(names.get(column, column)))
        if column in PAIRS:
            values.append(dict(value or ()))
        else:
            values.append(list(value) if isinstance(value, tuple) else value)
    explicit = [_COLUMNS.get(name, name) for name in profile.explicit]
    inferred = None if profile.inferred is None else dict(profile.inferred)
    return [*values, explicit, inferred, profile.edited_from]


def _cleaned(value: Value | None) -> Any:
    if isinstance(value, str):
        return clean(value)
    return value if value is None or isinstance(value, bool) else tuple(_cleaned(item) for item in value)


def _difference(before: RepoProfile, after: RepoProfile) -> dict[str, Any]:
    """Return what the audit trail keeps of a change."""
    kept = before.explicit
    return {
        "repo": after.repo,
        "set": {name: _told(name, value) for name, value in after.explicit.items() if kept.get(name) != value},
        "cleared": [name for name in kept if name not in after.explicit],
        "inferred": [
            name for name in after.inferred or {} if (before.inferred or {}).get(name) != (after.inferred or {})[name]
        ],
    }


def _told(name: str, value: Value) -> Any:
    """Return a value as the audit trail keeps it: no whole Dockerfiles, no values that might be secret."""
    if name == "generated_dockerfile":
        return f"{len(str(value))} characters"
    if name == "build_args":
        return [pair[0] for pair in cast(tuple[tuple[str, str], ...], value)]
    return value
