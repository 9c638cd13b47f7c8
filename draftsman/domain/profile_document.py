"""A profile as programs are shown it: by the API and by `--json`."""

from __future__ import annotations

from typing import Any

from draftsman.domain.profile import FIELDS, PAIRS, RepoProfile

READ_ONLY = ("repo", "explicit_fields", "inferred", "edit_outdated", "created_at", "updated_at", "links")
"""What is shown beside the fields, and cannot be set."""


def document(profile: RepoProfile) -> dict[str, Any]:
    """Return the values that are in force, which of them a person set, and what was inferred last."""
    inferred = profile.inferred
    return {
        "repo": profile.repo,
        **{name: as_json(name, profile.value(name)) for name in FIELDS},
        "explicit_fields": list(profile.explicit),
        "inferred": None if inferred is None else {name: as_json(name, value) for name, value in inferred.items()},
        "edit_outdated": profile.is_edit_outdated,
        "created_at": profile.created_at.isoformat() if profile.created_at else None,
        "updated_at": profile.updated_at.isoformat() if profile.updated_at else None,
    }


def as_json(name: str, value: Any) -> Any:
    """Return a field's value as JSON holds it: commands as a list, build arguments and limits as objects."""
    if name in PAIRS:
        return dict(value or ())
    return list(value) if isinstance(value, tuple) else value
