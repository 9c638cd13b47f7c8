"""What an administrator decides about a repository: whose code runs, and what starts a run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from draftsman.domain.errors import DraftsmanError


class ApprovalPolicy(StrEnum):
    """When the code of a pull request from a fork runs."""

    FIRST_TIME = "approve-first-time"
    ALL = "approve-all"
    OPEN = "open"
    NEVER = "never"


class PolicyError(DraftsmanError):
    """A value that a policy cannot have. The sentence names the field."""


@dataclass(frozen=True, slots=True)
class RepoPolicy:
    """The policy of one repository.

    `trusted` names people (`alice`), bots (`renovate[bot]`) and teams (`acme/maintainers`), in lower case, whose pull
    requests from forks need no approval. `supersede` ends a run when its ref moves on, that of the default branch only
    with `supersede_default_branch`.
    """

    approval: ApprovalPolicy = ApprovalPolicy.FIRST_TIME
    trusted: tuple[str, ...] = field(default_factory=tuple)
    merge_testing: bool = False
    run_drafts: bool = False
    run_tags: bool = False
    supersede: bool = True
    supersede_default_branch: bool = False


_TRUSTED = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38})(?:_[a-z0-9]+)?(?:\[bot\]|/[a-z0-9._-]{1,100})?")


def checked_trusted(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Return the list of trusted people, bots and teams in lower case, each once. Raises PolicyError."""
    lowered = tuple(dict.fromkeys(entry.strip().lower() for entry in entries))
    for entry in lowered:
        if not _TRUSTED.fullmatch(entry):
            raise PolicyError(f"trusted: {entry!r} is no login, `name[bot]` or `org/team`.")
    return lowered
