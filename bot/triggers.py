"""What each event starts. Pure: a payload goes in, a decision comes out; whoever calls keeps and acts on it.

| event                                                     | decision                                   |
|-----------------------------------------------------------|--------------------------------------------|
| push to a branch                                          | run its newest commit, trusted             |
| push of a tag, deletion, head commit with a skip marker   | nothing                                    |
| pull_request opened, synchronize, reopened, ready_for_review | run its head commit; from a fork: untrusted |
| pull_request that is a draft, or any other action         | nothing                                    |
| any other event                                           | nothing                                    |

A pull request from a fork is untrusted even where its author may write to the repository: what decides is
whose repository the commit was pushed to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.payload import Payload, PayloadError, at, flag, full_name, identifier, optional_identifier, sha, text
from draftsman.domain.run import Ref, RefKind, Repository, Trust
from draftsman.store.runs import Wanted

BRANCH_PREFIX = "refs/heads/"

LONGEST_REF = len(BRANCH_PREFIX) + 255
"""Bytes. GitHub takes no longer name of a branch."""

STARTING_ACTIONS = frozenset({"opened", "synchronize", "reopened", "ready_for_review"})
"""Actions of a pull_request event that may have brought a commit that is to be checked."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a delivery calls for. `text` is one sentence, kept with the delivery; `wanted` is the run, if any."""

    text: str
    wanted: Wanted | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What an administrator set. `server_url` is GitHub's web address, which repositories are cloned from."""

    server_url: str
    skip_markers: tuple[str, ...] = ()


def decide(event: str, payload: Payload, rules: Rules) -> Decision:
    """Return what the delivery calls for. A payload of an unexpected shape calls for nothing, with the reason."""
    decide_event = _EVENTS.get(event)
    if decide_event is None:
        return Decision(f"nothing: the event {event} starts no run")
    try:
        return decide_event(payload, rules)
    except PayloadError as error:
        return Decision(f"nothing: the payload is not as GitHub documents it, {error}")


def _push(payload: Payload, rules: Rules) -> Decision:
    ref = text(payload, "ref", longest=LONGEST_REF)
    branch = ref.removeprefix(BRANCH_PREFIX) if ref.startswith(BRANCH_PREFIX) else ""
    if not branch:
        return Decision("nothing: a push of something other than a branch starts no run")
    head_sha = sha(payload, "after")
    if flag(payload, "deleted", absent=False) or not head_sha.strip("0"):
        return Decision("nothing: the branch was deleted")
    marker = _skip_marker(payload, rules)
    if marker is not None:
        return Decision(f"nothing: the message of the head commit has {marker}")
    wanted = Wanted(_repository(payload, rules), head_sha, Ref(RefKind.BRANCH, branch), Trust.TRUSTED)
    return Decision(f"run {head_sha[:7]}: pushed to a branch", wanted)


def _skip_marker(payload: Payload, rules: Rules) -> str | None:
    message = at(payload, "head_commit.message")
    if not isinstance(message, str):
        return None
    lowered = message.lower()
    return next((marker for marker in rules.skip_markers if marker.lower() in lowered), None)


def _pull_request(payload: Payload, rules: Rules) -> Decision:
    action = text(payload, "action")
    if action not in STARTING_ACTIONS:
        return Decision("nothing: this action on a pull request brings no commit to check")
    number = identifier(payload, "pull_request.number")
    if flag(payload, "pull_request.draft", absent=False):
        return Decision(f"nothing: pull request {number} is a draft; it runs when it is ready for review")
    head_sha = sha(payload, "pull_request.head.sha")
    repository = _repository(payload, rules)
    trust = _trust(payload, repository)
    origin = "" if trust is Trust.TRUSTED else ", from a fork: it waits for approval"
    wanted = Wanted(repository, head_sha, Ref(RefKind.PULL_REQUEST, str(number)), trust)
    return Decision(f"run {head_sha[:7]}: head of pull request {number}{origin}", wanted)


def _trust(payload: Payload, base: Repository) -> Trust:
    # The head's repository is null once the fork is deleted.
    head_repository = optional_identifier(payload, "pull_request.head.repo.id")
    return Trust.TRUSTED if head_repository == base.id else Trust.UNTRUSTED


def _repository(payload: Payload, rules: Rules) -> Repository:
    name = full_name(payload, "repository.full_name")
    return Repository(
        id=identifier(payload, "repository.id"),
        full_name=name,
        # Never the payload's own clone_url: a token is sent to this address.
        clone_url=f"{rules.server_url.rstrip('/')}/{name}.git",
        default_branch=text(payload, "repository.default_branch"),
        private=flag(payload, "repository.private"),
        installation_id=optional_identifier(payload, "installation.id"),
    )


_EVENTS: Mapping[str, Callable[[Payload, Rules], Decision]] = {
    "push": _push,
    "pull_request": _pull_request,
}
