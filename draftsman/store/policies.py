"""What an administrator set for single repositories, over what holds for all of the instance's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from draftsman.domain.policy import FIELDS, ApprovalPolicy, RepoPolicy
from draftsman.store.database import Database


async def get(db: Database, full_name: str, defaults: RepoPolicy) -> RepoPolicy:
    """Return the repository's policy: what was set for it, else the defaults."""
    row = await db.fetchrow(f"SELECT {', '.join(FIELDS)} FROM policies WHERE repo = lower($1)", full_name)  # noqa: S608
    if row is None:
        return defaults
    values: dict[str, Any] = {name: row[name] for name in FIELDS if row[name] is not None}
    if "approval" in values:
        values["approval"] = ApprovalPolicy(values["approval"])
    if "trusted" in values:
        values["trusted"] = tuple(values["trusted"])
    return replace(defaults, **values)
