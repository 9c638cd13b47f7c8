"""What a repository lets be run: whose pull requests need approval, and which events start anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from draftsman.domain.errors import DraftsmanError
from draftsman.domain.labels import read_labels

MOST_TRUSTED = 200
"""Entries of `trusted`: each team is a question to GitHub."""

# GitHub's own rules, with the underscore of its managed users. No login of a person has a bracket.
_NAME = r"[a-z0-9][a-z0-9_-]{0,99}"
_TRUSTED = re.compile(rf"{_NAME}(?:\[bot\]|/{_NAME})?")


class ApprovalPolicy(StrEnum):
    """Which pull requests from forks wait until somebody who may write approves their commit."""

    FIRST_TIME = "approve-first-time"
    """Those of authors with no merged pull request in this repository."""

    ALL = "approve-all"
    OPEN = "open"
    """None: whoever can open a pull request runs code."""

    NEVER = "never"
    """None of them runs, and approval does not help."""


class PolicyError(DraftsmanError):
    """A field of a policy cannot be what was given. `field` names it, as the sentence does; `fault` is the rest."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field
        self.fault = fault


@dataclass(frozen=True, slots=True)
class RepoPolicy:
    """A repository's policy. The values here are those of an instance that sets nothing.

    `trusted` names whose pull requests from forks need no approval: people (`login`), bots (`login[bot]`) and teams
    (`org/team`), in lower case. `merge_testing` tests pull requests as merged into their base; `run_drafts` and
    `run_tags` say whether drafts and tags are run. `supersede` ends what runs for an older commit of a branch or pull
    request, and `supersede_default_branch` also where that is the default branch. `runs_on` are the labels that a
    worker must offer to take the repository's runs; no repository says so itself, since it chooses on whose machine
    strangers' code runs.
    """

    approval: ApprovalPolicy = ApprovalPolicy.FIRST_TIME
    trusted: tuple[str, ...] = ()
    merge_testing: bool = False
    run_drafts: bool = False
    run_tags: bool = False
    supersede: bool = True
    supersede_default_branch: bool = False
    runs_on: tuple[str, ...] = ()

    def changed(self, values: Mapping[str, object]) -> RepoPolicy:
        """Return the policy with these fields, as JSON or a person gives them. Raises PolicyError."""
        read: dict[str, Any] = {name: policy_value(name, value) for name, value in values.items()}
        return replace(self, **read)

    def document(self) -> dict[str, Any]:
        """Return the policy as JSON holds it; `changed` takes it back."""
        return {
            "approval": str(self.approval),
            "trusted": list(self.trusted),
            **{name: getattr(self, name) for name in SWITCHES},
            "runs_on": list(self.runs_on),
        }


DEFAULTS = RepoPolicy()

FIELDS = tuple(field.name for field in fields(RepoPolicy))
"""Every field of a policy, in the order in which people are shown them."""

SWITCHES = tuple(name for name in FIELDS if isinstance(getattr(DEFAULTS, name), bool))
"""The fields that are yes or no."""


def policy_value(field: str, given: object) -> ApprovalPolicy | tuple[str, ...] | bool:
    """Return what the field holds, out of JSON or out of a person's text. Raises PolicyError, which names the field.

    A list may also be one text with commas, a switch also `true` or `false` as text.
    """
    if field in SWITCHES:
        return _switch(field, given)
    read = _READ.get(field)
    if read is None:
        raise PolicyError(_named(field), f"there is no such field; a policy has {', '.join(FIELDS)}.")
    return read(field, given)


def _approval(field: str, given: object) -> ApprovalPolicy:
    if isinstance(given, str) and given.strip().lower() in tuple(ApprovalPolicy):
        return ApprovalPolicy(given.strip().lower())
    raise PolicyError(field, f"this must be one of {', '.join(ApprovalPolicy)}.")


def _trusted(field: str, given: object) -> tuple[str, ...]:
    entries = given.replace(",", " ").split() if isinstance(given, str) else given
    if not isinstance(entries, list | tuple):
        raise PolicyError(field, "this must be a list of logins and teams.")
    found = tuple(dict.fromkeys(_entry(field, entry) for entry in entries))
    if len(found) > MOST_TRUSTED:
        raise PolicyError(field, f"there may be {MOST_TRUSTED} entries at most; a team holds any number of people.")
    return found


def _entry(field: str, given: object) -> str:
    entry = given.strip().removeprefix("@").lower() if isinstance(given, str) else ""
    if entry == "ghost":
        raise PolicyError(field, "`ghost` stands for everybody who deleted their account and cannot be trusted.")
    if not _TRUSTED.fullmatch(entry):
        raise PolicyError(field, f"{_named(given)} is neither a `login`, nor a bot's `login[bot]`, nor an `org/team`.")
    return entry


def _runs_on(field: str, given: object) -> tuple[str, ...]:
    labels = given.replace(",", " ").split() if isinstance(given, str) else given
    if not isinstance(labels, list | tuple):
        raise PolicyError(field, "this must be a list of labels.")
    try:
        return read_labels(labels)
    except ValueError as error:
        raise PolicyError(field, str(error)) from None


def _switch(field: str, given: object) -> bool:
    found = {"true": True, "false": False}.get(given.strip().lower()) if isinstance(given, str) else given
    if not isinstance(found, bool):
        raise PolicyError(field, "this must be true or false.")
    return found


def _named(given: object) -> str:
    """Return what was given as one short word of printable ASCII, for an error."""
    return ascii(given)[:60]


_READ: dict[str, Callable[[str, object], ApprovalPolicy | tuple[str, ...]]] = {
    "approval": _approval,
    "trusted": _trusted,
    "runs_on": _runs_on,
}
