"""What a run will do: image, setup and checks, and the evidence for each decision."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal


class Tier(StrEnum):
    """A group of steps. Setup comes first; fast, then full, are reported as check runs."""

    SETUP = "setup"
    FAST = "fast"
    FULL = "full"


CHECKED_TIERS = (Tier.FAST, Tier.FULL)
"""The tiers that have a check run of their own."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why something was decided: where it was read, what was read, and the rule that used it.

    `rule` is a sentence; `rule_id` is that of the planning rule that decided, empty where a person did.
    """

    decides: str
    file: str | None
    line: int | None
    value: str
    rule: str
    rule_id: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a repository is set up and checked (the plan's contract).

    `dockerfile` is a path in the repository, None where one is generated. `dockerfile_target` is the stage of it
    that is built (None: the last one), `build_args` are the values of its ARGs; both count for a path only.
    `allow_failure` names the commands that may fail, `artifacts` the files to keep (globs below the workspace),
    `limits` what differs from the instance's own limits (`orchestrator/limits.py`).
    `paths` and `paths_ignore` are globs of files: an event whose change touches none that counts runs nothing
    (`orchestrator/filters.py`).
    `submodules` and `lfs` say whether the files of submodules and of Git LFS are fetched into the checkout.
    """

    dockerfile: str | None
    dependency_manager: str
    setup: str
    fast: tuple[str, ...]
    full: tuple[str, ...]
    dockerfile_target: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    allow_failure: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    limits: tuple[tuple[str, str], ...] = ()
    submodules: bool = False
    lfs: bool = False
    paths: tuple[str, ...] = ()
    paths_ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileOverrides:
    """The fields of a profile that a person set; None and absent ones are inferred.

    `dockerfile_mode`: `auto` takes the repository's own Dockerfile where it is fit for checks, `path` the one at
    `dockerfile`, `generate` none of them. `generated_dockerfile` is the text that a person made of a generated one.
    """

    dockerfile: str | None = None
    dependency_manager: str | None = None
    setup: str | None = None
    fast: tuple[str, ...] | None = None
    full: tuple[str, ...] | None = None
    dockerfile_mode: Literal["auto", "path", "generate"] = "auto"
    dockerfile_target: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    generated_dockerfile: str | None = None
    allow_failure: tuple[str, ...] | None = None
    artifacts: tuple[str, ...] | None = None
    limits: tuple[tuple[str, str], ...] = ()
    submodules: bool | None = None
    lfs: bool | None = None
    paths: tuple[str, ...] | None = None
    paths_ignore: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A language at a version, and the official image that carries it.

    `image` is empty where a step of the generated Dockerfile installs it (Bun comes as an npm package).
    """

    ecosystem: str
    version: str
    image: str


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a tier. `id` is `<tier>-<position from 1>` and is unique in a plan.

    One that `may_fail` is shown as it ended, and does not turn its tier red.
    """

    id: str
    tier: Tier
    command: str
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run executes, fixed before it starts; an attempt may be limited to one of its tiers.

    `dockerfile` is the text that is built: generated, edited by a person, or the file at `profile.dockerfile`, which
    was inferred where `inferred_dockerfile` says so. `fallback` is the generated Dockerfile for where this one may not
    be built, or was inferred and its image turns out not to be fit; None where `dockerfile` is that one.
    `caches` names the dependency managers whose cache volumes are mounted. `removed` are the tiers for which it has no
    commands while the branch has some that the commit is to be merged into.
    """

    profile: Profile
    toolchains: tuple[Toolchain, ...]
    dockerfile: str
    caches: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    warnings: tuple[str, ...] = field(default=())
    fallback: str | None = None
    inferred_dockerfile: bool = False
    removed: tuple[Tier, ...] = ()

    def limited_to(self, tiers: Collection[Tier]) -> Plan:
        """Return the plan with the checks of these tiers alone. The set-up stays: each of them needs it."""
        fast = self.profile.fast if Tier.FAST in tiers else ()
        full = self.profile.full if Tier.FULL in tiers else ()
        return replace(self, profile=replace(self.profile, fast=fast, full=full))

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return setup, fast and full commands in order of execution."""
        setup = (self.profile.setup,) if self.profile.setup.strip() else ()
        tiers = ((Tier.SETUP, setup), (Tier.FAST, self.profile.fast), (Tier.FULL, self.profile.full))
        return tuple(
            Step(f"{tier}-{position}", tier, command, tier is not Tier.SETUP and command in self.profile.allow_failure)
            for tier, commands in tiers
            for position, command in enumerate(commands, start=1)
        )


@dataclass(frozen=True, slots=True)
class Tree:
    """A read-only view of a commit: all file paths, and the contents of the files that planning asked for.

    `unread` names those that planning asked for and that are too large to be read.
    """

    paths: frozenset[str]
    contents: dict[str, bytes]
    unread: frozenset[str] = frozenset()

    def text(self, path: str) -> str | None:
        """Return the file as text, or None where it is absent or was not asked for."""
        content = self.contents.get(path)
        return None if content is None else content.decode("utf-8", errors="replace").removeprefix("\ufeff")
