"""A repository's profile: which of its fields a person set, which were inferred, and what is in force."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from draftsman.domain.plan import Plan, ProfileOverrides

Value = str | bool | tuple[str, ...] | tuple[tuple[str, str], ...]
"""What a field holds: a text, yes or no, commands in order, or (name, value) pairs of build arguments by name."""

FIELDS = (
    "dockerfile_mode",
    "dockerfile",
    "dockerfile_target",
    "build_args",
    "dependency_manager",
    "setup",
    "fast",
    "full",
    "allow_failure",
    "artifacts",
    "limits",
    "paths",
    "paths_ignore",
    "submodules",
    "lfs",
    "generated_dockerfile",
)
"""Every field of a profile, in the order in which people are shown them."""

SWITCHES = ("submodules", "lfs")
"""The fields that are yes or no, and no where nobody says anything: they are never inferred."""

_INFERRED = ("dockerfile", "dependency_manager", "setup", "fast", "full")
"""The fields of a plan's profile that a run of the default branch can infer."""

PAIRS = ("build_args", "limits")
"""The fields that hold names with their values."""

_BLANK: dict[str, Value] = {
    "dockerfile_mode": "auto",
    "build_args": (),
    "dependency_manager": "none",
    "setup": "",
    "fast": (),
    "full": (),
    "allow_failure": (),
    "artifacts": (),
    "limits": (),
    "paths": (),
    "paths_ignore": (),
    "submodules": False,
    "lfs": False,
}
"""What stands for a field that nobody set and that no run inferred yet; absent ones are None."""


@dataclass(frozen=True, slots=True)
class RepoProfile:
    """The profile of one repository.

    `repo` is OWNER/NAME in lower case. `explicit` holds the fields that a person set, `inferred` what the newest run
    of the default branch found (None: there was none yet). `edited_from` is the digest of the generated Dockerfile that
    a person's one was made from. `id` and `version` are those of the stored row: each change that can be seen gives
    another version.
    """

    repo: str
    explicit: Mapping[str, Value] = field(default_factory=dict)
    inferred: Mapping[str, Value | None] | None = None
    edited_from: str | None = None
    id: UUID | None = None
    version: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def mode(self) -> Literal["auto", "path", "generate"]:
        """Return how the Dockerfile is chosen: as set, else as the field that is set needs it."""
        if "dockerfile_mode" in self.explicit:
            return cast(Literal["path", "generate"], self.explicit["dockerfile_mode"])
        if "dockerfile" in self.explicit:
            return "path"
        return "generate" if "generated_dockerfile" in self.explicit else "auto"

    @property
    def build_args(self) -> dict[str, str]:
        """Return the build arguments that a person set, by name."""
        return dict(cast(tuple[tuple[str, str], ...], self.explicit.get("build_args", ())))

    @property
    def is_edit_outdated(self) -> bool:
        """Return whether another Dockerfile is generated now than the one that a person edited."""
        generated = (self.inferred or {}).get("generated_dockerfile")
        known = self.edited_from is not None and isinstance(generated, str)
        return known and "generated_dockerfile" in self.explicit and digest(str(generated)) != self.edited_from

    def value(self, name: str) -> Value | None:
        """Return what is in force: a person's value, else the inferred one, else the blank one."""
        if name == "dockerfile_mode":
            return self.mode
        if name in self.explicit:
            return self.explicit[name]
        if name == "dockerfile" and self.mode == "generate":
            return None
        return (self.inferred or {}).get(name) or _BLANK.get(name)

    def overrides(self) -> ProfileOverrides:
        """Return what a plan takes from the profile; everything else it infers."""
        values: dict[str, Any] = dict(self.explicit)
        return ProfileOverrides(**values | {"dockerfile_mode": self.mode})

    def learned(self, plan: Plan, overrides: ProfileOverrides) -> RepoProfile:
        """Return the profile after a run of the default branch, which planned with these overrides.

        What the overrides set was not inferred: for those fields the earlier inference stays.
        """
        inferred = {name: getattr(plan.profile, name) for name in _INFERRED if getattr(overrides, name) is None}
        if overrides.dockerfile_mode != "auto":
            inferred.pop("dockerfile", None)
        if plan.fallback is not None:
            inferred["generated_dockerfile"] = plan.fallback
        elif plan.profile.dockerfile is None and overrides.generated_dockerfile is None:
            inferred["generated_dockerfile"] = plan.dockerfile
        return replace(self, inferred={**(self.inferred or {}), **inferred})


def digest(dockerfile: str) -> str:
    """Return 12 hexadecimal digits that change with the Dockerfile's instructions, not with its comments."""
    lines = [line for line in dockerfile.splitlines() if not line.startswith("#")]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:12]


def ordered(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the fields in their usual order."""
    return {name: values[name] for name in FIELDS if name in values}
