"""Chooses the repository's own Dockerfile: the one that was set, else one that is fit to run checks in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from draftsman.domain.errors import BuildError
from draftsman.domain.plan import ProfileOverrides, Toolchain, Tree
from orchestrator.dockerfiles.rules import check_build_args
from orchestrator.planning import dockerfile_fitness
from orchestrator.planning.dockerfile_fitness import Versions, base_of, version_in
from orchestrator.planning.repo_file import Said
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail, show

CANDIDATES = (".devcontainer/Dockerfile", "Dockerfile.dev", "Dockerfile")
"""Where an own Dockerfile is looked for, the likeliest to carry development tools first."""

OWN = Rule(
    "any.dockerfile.own",
    "The repository's own Dockerfile (`.devcontainer/Dockerfile`, `Dockerfile.dev`, `Dockerfile`) is used where it is "
    "fit for checks.",
)
RULES = (OWN, *dockerfile_fitness.RULES)

_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_STAMP = "# Generated text: "


@dataclass(frozen=True, slots=True)
class OwnDockerfile:
    """A Dockerfile of the repository: its path, its text, and whether it was inferred."""

    path: str
    text: str
    inferred: bool


def given(tree: Tree, said: Said, trail: Trail) -> OwnDockerfile | None:
    """Return the Dockerfile that was set. Raises PlanError where this commit has no such file."""
    overrides = said.overrides
    path = overrides.dockerfile
    if overrides.dockerfile_mode == "generate":
        return None
    if path is None:
        if overrides.dockerfile_mode == "path":
            raise said.wrong("dockerfile", "is not set, though its dockerfile_mode is `path`")
        return None
    if path.startswith("/") or ".." in path.split("/"):
        raise said.wrong("dockerfile", f"{show(path)!r} is not in this commit: it leaves the repository")
    if path not in tree.paths:
        raise said.wrong("dockerfile", f"{show(path)!r} is not in this commit as a file (a symlink is not followed)")
    text = tree.text(path)
    if text is None or not text.strip():
        raise said.wrong("dockerfile", f"{show(path)!r} is empty, or too large to be read")
    target = overrides.dockerfile_target
    if target is not None and not _TARGET.fullmatch(target):
        raise said.wrong("dockerfile_target", f"{show(target)!r} is not the name of a stage")
    try:
        check_build_args(dict(overrides.build_args))
    except BuildError as error:
        raise said.wrong("build_args", f"cannot be used: {error}") from error
    said.note(trail, "dockerfile", path)
    return OwnDockerfile(path, text, inferred=False)


def infer(
    tree: Tree, overrides: ProfileOverrides, versions: Mapping[str, Versions], trail: Trail
) -> OwnDockerfile | None:
    """Return the first own Dockerfile that is fit for checks, with why others are not.

    `versions` has the ecosystems of the plan.
    """
    if overrides.dockerfile_mode == "generate" or overrides.generated_dockerfile is not None:
        return None
    if not trail.applies(OWN):
        return None
    for path in (path for path in CANDIDATES if path in tree.paths):
        text = tree.text(path)
        unfit = dockerfile_fitness.unfit(tree, path, versions, trail)
        if text is not None and unfit is None:
            trail.note("dockerfile", path, "the repository's own, fit for checks", file=path, by=OWN)
            return OwnDockerfile(path, text, inferred=True)
        if unfit is not None:
            trail.note(
                "dockerfile", path, f"considered, not used: {unfit.why}", file=path, line=unfit.line, by=unfit.rule
            )
    return None


def carried(own: OwnDockerfile, toolchains: Iterable[Toolchain]) -> tuple[Toolchain, ...]:
    """Return the plan's toolchains as the Dockerfile has them: from its base, of a version that may not be told."""
    base = base_of(own.text)
    return tuple(replace(one, version=version_in(base, one.ecosystem) or "", image=base or "") for one in toolchains)


def stamped(text: str) -> str:
    """Return a generated Dockerfile with a line that tells what it was when it was generated."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    lines = text.split("\n")
    first = next((at for at, line in enumerate(lines) if not line.startswith("#")), 0)
    return "\n".join(
        [*lines[:first], f"{_STAMP}{digest} (keep this line: it tells when the hints have moved on)", *lines[first:]]
    )


def warn_if_moved_on(edited: str, generated: str, trail: Trail) -> None:
    """Warn where a person edited a Dockerfile that would be generated otherwise today."""
    before, now = _stamp_of(edited), _stamp_of(generated)
    if before is not None and before != now:
        trail.warn(
            "The generated Dockerfile was edited, and what it was generated from has changed since: compare it with "
            "the one that would be generated now (delete the profile's generated_dockerfile to have that one)."
        )


def _stamp_of(text: str) -> str | None:
    found = re.search(rf"^{_STAMP}([0-9a-f]{{12}})\b", text, re.MULTILINE)
    return found[1] if found else None
