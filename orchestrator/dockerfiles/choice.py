"""Which Dockerfile an attempt may build, and what becomes of the plan where it is not the plan's own. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from enum import Enum

from draftsman.domain.errors import BuildError
from draftsman.domain.plan import Plan, Profile
from orchestrator.dockerfiles.copied_files import read_sources

CA_FILE = "draftsman-ca.crt"
"""The host's CA bundle in the context of a generated Dockerfile."""

NOT_TRUSTED = "this run is not trusted, and only a trusted one builds a Dockerfile from the repository's own files"


class Choice(Enum):
    """What an attempt runs in."""

    PLANNED = "the image of the plan's Dockerfile"
    OF_BASE = "the image that the base branch was last checked in"
    GENERATED = "the image of the generated Dockerfile"


def choose(*, trusted: bool, takes_tree: bool, base_has_image: bool) -> Choice:
    """Return what an attempt runs in. A build is strangers' code outside the job's fence.

    `takes_tree` says that the plan's Dockerfile, or anything that it copies, comes from the commit.
    """
    if trusted or not takes_tree:
        return Choice.PLANNED
    return Choice.OF_BASE if base_has_image else Choice.GENERATED


def takes_tree(plan: Plan) -> bool:
    """Return whether a build of the plan runs anything of the commit's: its Dockerfile, or files that it copies."""
    return plan.profile.dockerfile is not None or bool(read_sources(plan.dockerfile, given=(CA_FILE,)))


def generated_instead(plan: Plan, why: str) -> Plan:
    """Return the plan with the generated Dockerfile in place of its own, and a warning that says why.

    Raises BuildError where the plan has none.
    """
    if plan.fallback is None:
        raise BuildError(f"There is no Dockerfile to build: {why}, and none was generated.")
    name = plan.profile.dockerfile or "The edited Dockerfile"
    return replace(
        plan,
        profile=replace(plan.profile, dockerfile=None, dockerfile_target=None, build_args=()),
        dockerfile=plan.fallback,
        fallback=None,
        inferred_dockerfile=False,
        warnings=(*plan.warnings, f"{name} is not used: {why}. The image comes from a generated Dockerfile instead."),
    )


def base_tag_suffix(profile: Profile) -> str:
    """Return the tag under which the base branch's image of this Dockerfile is found again."""
    named = json.dumps([profile.dockerfile, profile.dockerfile_target])
    return f"base-{hashlib.sha256(named.encode()).hexdigest()[:12]}"
