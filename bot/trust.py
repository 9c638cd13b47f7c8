"""Who may do what, and which pull requests wait for approval. Pure.

| who                                               | may                                        |
|---------------------------------------------------|--------------------------------------------|
| write permission or better                        | every command                              |
| author of a pull request that is allowed to run   | test, cancel, plan, logs, help             |
| author of a pull request that waits               | cancel, help                               |
| either, of a commit that others name as well      | the same without test and cancel           |
| anybody else who can read                         | help                                       |

Permission is what GitHub answers for this person and this repository, never `author_association`. Nothing here makes
a fork's code trusted: approval lets one commit run, with all that holds for strangers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.commands import Verb
from bot.markdown import code
from draftsman.domain.policy import ApprovalPolicy, RepoPolicy

SHORTEST_PREFIX = 7
"""Digits of an abbreviated SHA."""

GHOST = "ghost"
"""The login that GitHub shows for everybody whose account is deleted."""


class Permission(StrEnum):
    """What somebody may do in a repository, in GitHub's words, least first."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    @property
    def may_write(self) -> bool:
        """Return whether it includes pushing commits."""
        return self in (Permission.WRITE, Permission.MAINTAIN, Permission.ADMIN)


_FINER = {("write", "maintain"): Permission.MAINTAIN, ("read", "triage"): Permission.TRIAGE}


def permission_of(permission: str, role_name: str) -> Permission:
    """Return the permission out of GitHub's answer; what is unknown is none.

    `permission` decides: a role only tells maintain from write, and triage from read. So a custom role, whatever it is
    called, is what it is based on.
    """
    finer = _FINER.get((permission, role_name))
    if finer is not None:
        return finer
    return Permission(permission) if permission in tuple(Permission) else Permission.NONE


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not done. `sentence` is safe Markdown: why, and who or what can."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wrote a comment on a pull request of `repository` (owner/name); `is_author` says whose pull request it is."""

    login: str
    repository: str
    permission: Permission
    is_author: bool


AUTHORS = frozenset({Verb.TEST, Verb.CANCEL, Verb.PLAN, Verb.LOGS, Verb.HELP})
"""What the author of a pull request that is allowed to run may do without write permission."""

WAITING_AUTHORS = frozenset({Verb.CANCEL, Verb.HELP})
"""What is left of it while the pull request waits for approval."""


STEERING = frozenset({Verb.TEST, Verb.CANCEL})
"""What changes the checks of a commit."""


def may(verb: Verb, asker: Asker, *, pull_allowed: bool, named_elsewhere: bool = False) -> Refused | None:
    """Return None where the asker may do this, else why not.

    `pull_allowed` says whether the pull request's head may run: trusted, approved, or in no need of approval.
    `named_elsewhere` says that a branch or pull request of somebody else names the same commit: its checks are theirs.
    """
    if asker.permission.may_write:
        return None
    if asker.permission is Permission.NONE:
        return Refused(f"{_who(asker)}.")
    if verb is Verb.HELP:
        return None
    if not asker.is_author or verb not in AUTHORS:
        others = "; its author may use this too" if verb in AUTHORS else ""
        return Refused(f"`{verb}` needs write permission on {code(asker.repository)}{others}; {_who(asker)}.")
    if named_elsewhere and verb in STEERING:
        return Refused(
            f"`{verb}` needs write permission on {code(asker.repository)} here, since another branch or pull request "
            "names this commit too, and its checks are the same ones."
        )
    if pull_allowed or verb in WAITING_AUTHORS:
        return None
    return Refused(
        f"`{verb}` has to wait: this pull request comes from a fork, and nothing of it runs before somebody with write "
        f"permission on {code(asker.repository)} has read and approved its newest commit."
    )


def _who(asker: Asker) -> str:
    has = "no access to this repository" if asker.permission is Permission.NONE else str(asker.permission)
    return f"{code(asker.login)} has {has}"


@dataclass(frozen=True, slots=True)
class Waits:
    """A pull request that does not run as it is. `sentence` is safe Markdown that says why.

    `approval_helps` is whether somebody with write permission can let its commit run.
    """

    sentence: str
    approval_helps: bool = True


def needs_approval(
    policy: RepoPolicy, *, author: str, author_type: str, in_listed_team: bool, merged_before: bool | None
) -> Waits | None:
    """Return why a fork's pull request waits, None where it runs at once.

    `author_type` is GitHub's (`User`, `Bot`). `in_listed_team` is whether the author is known to be in one of
    `listed_teams`. `merged_before` says whether a pull request of theirs was merged in this repository; unknown counts
    as no. Each commit is asked for anew: an approval is of one SHA.
    """
    if policy.approval is ApprovalPolicy.NEVER:
        return Waits("This repository runs no pull requests from forks.", approval_helps=False)
    if policy.approval is ApprovalPolicy.OPEN:
        return None
    is_somebody = author.lower() not in ("", GHOST)
    if is_somebody and (in_listed_team or is_listed(policy, author, author_type)):
        return None
    if policy.approval is ApprovalPolicy.ALL:
        return Waits("In this repository every commit of a pull request from a fork needs approval.")
    if is_somebody and merged_before:
        return None
    why = "has no merged pull request here yet" if is_somebody and merged_before is False else "is not known here"
    return Waits(f"{code(author or GHOST)} {why}, so each commit from their fork needs approval.")


def is_listed(policy: RepoPolicy, login: str, account_type: str) -> bool:
    """Return whether the policy names this person or bot itself. `account_type` is GitHub's (`User`, `Bot`).

    GitHub gives bots, and nobody else, a login that ends in `[bot]`; an entry of one kind never means the other.
    """
    name = login.lower()
    is_bot = account_type == "Bot"
    return name != GHOST and name.endswith("[bot]") == is_bot and name in listed_people(policy)


def listed_people(policy: RepoPolicy) -> tuple[str, ...]:
    """Return the logins of the people and bots that need no approval, in lower case."""
    return tuple(entry for entry in policy.trusted if "/" not in entry)


def listed_teams(policy: RepoPolicy) -> tuple[tuple[str, str], ...]:
    """Return (organization, team slug) of the teams whose members need no approval, in lower case."""
    return tuple((org, team) for org, slash, team in (entry.partition("/") for entry in policy.trusted) if slash)


@dataclass(frozen=True, slots=True)
class Approved:
    """The commit with this full SHA may run, and no other."""

    sha: str


def approve(*, asked_sha: str | None, newest_head_when_asked: str | None, head_now: str) -> Approved | Refused:
    """Return the commit that an approval lets run, or why it lets none run.

    `asked_sha` is what the comment names, None for nothing; `newest_head_when_asked` is the newest head of the pull
    request whose delivery we had when the comment was made, None where we had none; `head_now` is what GitHub says now.
    All are lower case, the heads in full.

    A comment without a SHA is for the head that its author can have seen. An abbreviated SHA is no more than that: two
    commits with the same first digits are made in seconds, so it must name the head that stood when it was asked for
    as well. Only a full SHA stands for itself.
    """
    if asked_sha is not None:
        if len(asked_sha) < SHORTEST_PREFIX or not head_now.startswith(asked_sha):
            return Refused(
                f"{code(asked_sha[:SHORTEST_PREFIX])} is not the head of this pull request, or not any more: that is "
                f"{_short(head_now)} now. {_read_and(head_now)}"
            )
        if asked_sha == head_now:
            return Approved(head_now)
    if newest_head_when_asked is None:
        return Refused(f"Which commit was meant is not known here. {_read_and(head_now)}")
    if newest_head_when_asked != head_now:
        return Refused(
            f"The head of this pull request moved from {_short(newest_head_when_asked)} to {_short(head_now)} "
            f"around the time of this comment. {_read_and(head_now)}"
        )
    return Approved(head_now)


def _read_and(head: str) -> str:
    return f"Read that commit, then say so with its full SHA: {code(f'/draftsman approve {head}')}"


def _short(sha: str) -> str:
    return code(sha[:SHORTEST_PREFIX])
