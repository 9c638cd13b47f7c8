"""`.draftsman.toml`: what a repository says itself about how it is set up and checked.

It stands between the profile, which wins field by field, and inference. It can say what runs inside the sandbox and
nothing about the sandbox: whom to trust, network, caches, secrets and limits are an administrator's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import ProfileOverrides, Tree
from draftsman.domain.profile import PAIRS, SWITCHES, Value
from draftsman.domain.profile_rules import MAX_ERRORS, FieldError, check_fields, check_together
from orchestrator.planning.documents import line_of, malformed, read_toml
from orchestrator.planning.trail import Trail, show

NAME = ".draftsman.toml"

KEYS = (
    "setup",
    "fast",
    "full",
    "dependency_manager",
    "dockerfile_mode",
    "dockerfile",
    "dockerfile_target",
    "build_args",
    "allow_failure",
    "artifacts",
    "paths",
    "paths_ignore",
    "submodules",
    "lfs",
)
"""The keys of the file: fields of the profile, called as they are there."""

MAX_BYTES = 32 * 1024

SET_IN_PROFILE = "set in the profile"

_DOCKERFILE_KEYS = ("dockerfile_mode", "dockerfile", "dockerfile_target", "build_args")


@dataclass(frozen=True, slots=True)
class RepoFile:
    """What the file sets, and the line (from 1) of each key."""

    values: Mapping[str, Value] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """Who said what: the overrides that hold, the fields that they have from the file, and those it lost."""

    overrides: ProfileOverrides
    file: RepoFile = field(default_factory=RepoFile)
    taken: frozenset[str] = frozenset()

    def note(self, trail: Trail, name: str, value: str) -> None:
        """Add the evidence for a field that was set: by the profile, or by the file at its line."""
        line = self.file.lines.get(name)
        if name in self.taken:
            trail.note(name, value, f"set in {NAME}", file=NAME, line=line)
            return
        trail.note(name, value, SET_IN_PROFILE)
        if name in self.file.values:
            trail.note(name, _told(name, self.file.values[name]), "lost to the profile", file=NAME, line=line)

    def wrong(self, name: str, what: str) -> PlanError:
        """Return the error of a field that was set to what this commit does not have; `what` follows the field."""
        if name in self.taken:
            return malformed(NAME, self.file.lines.get(name), f"its {name} {what}. Correct the file.")
        return PlanError(f"The profile's {name} {what}. Correct the profile.")


def join(tree: Tree, overrides: ProfileOverrides, trail: Trail) -> Said:
    """Return the profile's overrides with what the repository's file says for the fields they leave open.

    Notes what is set that no tier or image shows. Raises PlanError, with file and line, for a file that is malformed.
    """
    file = read_repo_file(tree)
    taken = frozenset(name for name in file.values if not _is_decided(overrides, name))
    setting: dict[str, Any] = {name: file.values[name] for name in taken}
    if "dockerfile" in setting:
        setting["dockerfile_mode"] = "path"
    said = Said(replace(overrides, **setting), file, taken)
    extras = ("allow_failure", "artifacts", "limits", "paths", "paths_ignore", *SWITCHES)
    for name in ("dockerfile_mode", "dockerfile_target", "build_args", *extras):
        value = getattr(said.overrides, name)
        if _is_set(said.overrides, name) and value != "path":
            said.note(trail, name, _told(name, value))
    if overrides.generated_dockerfile is not None:
        said.note(trail, "generated_dockerfile", "the text of a Dockerfile")
    return said


def read_repo_file(tree: Tree) -> RepoFile:
    """Return what the commit's file sets, nothing where there is none. Raises PlanError, with file and line."""
    if NAME not in tree.paths:
        return RepoFile()
    content = tree.contents.get(NAME)
    if content is None or len(content) > MAX_BYTES:
        raise malformed(NAME, 1, f"this file has more than {MAX_BYTES // 1024} KiB. Say less in it.")
    document = read_toml(tree, NAME)
    text = tree.text(NAME) or ""
    unknown = [key for key in document if key not in KEYS][:MAX_ERRORS]
    lines = {key: _line(text, key) for key in (*KEYS, *unknown) if key in document}
    errors = [_unknown(key) for key in unknown]
    values = check_fields({key: value for key, value in document.items() if key in KEYS}, errors)
    values = check_together(values, errors)
    if errors:
        raise PlanError("; ".join(_sentence(error, lines) for error in errors))
    return RepoFile(values, lines)


def named_dockerfile(content: bytes | None) -> str | None:
    """Return the path of the Dockerfile that the file names, None where it names none or is malformed."""
    if content is None:
        return None
    try:
        path = read_repo_file(Tree(frozenset([NAME]), {NAME: content})).values.get("dockerfile")
    except PlanError:
        return None  # the plan says what is wrong
    return path if isinstance(path, str) else None


def _is_decided(overrides: ProfileOverrides, name: str) -> bool:
    """Return whether the profile decides a field. Whoever says which Dockerfile says all about it."""
    chooses = any(_is_set(overrides, key) for key in ("dockerfile_mode", "dockerfile", "generated_dockerfile"))
    return _is_set(overrides, name) or (chooses and name in _DOCKERFILE_KEYS)


def _is_set(overrides: ProfileOverrides, name: str) -> bool:
    value = getattr(overrides, name)
    if name in PAIRS:
        return bool(value)
    return value is not None and (name, value) != ("dockerfile_mode", "auto")


def _unknown(key: str) -> FieldError:
    return FieldError(key, f"this is no key of {NAME}. The keys are {', '.join(KEYS)}.")


def _sentence(error: FieldError, lines: Mapping[str, int]) -> str:
    line = lines.get(error.field, lines.get(error.name, 1))
    return f"{NAME}:{line}: {show(error.field)}: {error.detail}"


def _line(text: str, key: str) -> int:
    """Return the line of a key of the top level, be it `key = value`, `key.part = value` or `[key]`."""
    table = rf"^[ \t]*\[\[?[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[\].]"
    first_table = line_of(text, r"^[ \t]*\[")
    found = line_of(text, rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[=.]")
    if found is not None and (first_table is None or found < first_table):
        return found
    return line_of(text, table) or found or 1


def _told(name: str, value: Value) -> str:
    """Return a value as evidence shows it; of build arguments the names alone."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if name == "limits":
        return ", ".join(f"{pair[0]} {pair[1]}" for pair in value)
    return ", ".join(pair[0] for pair in value) if name == "build_args" else "; ".join(map(str, value))
