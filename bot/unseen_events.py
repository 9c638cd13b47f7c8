"""Events that never came, made of what GitHub's repositories look like now. Pure.

They have the shape of the webhook's, so that they are judged by the same rules. The GUID is made of what the event is
about: two that see the same make the same event, and only one of them is kept.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.payload import Payload, at, identifier, sha, text
from draftsman.domain.run import Ref, RefKind
from draftsman.store.deliveries import Delivery

Event = tuple[Delivery, Payload]

NOTHING = "0" * 40
"""What GitHub says instead of a commit where there is none."""

_NAMESPACE = uuid.UUID("5f0a3a0e-7c8b-4f0e-9d1b-2a6c3f1d7e55")


@dataclass(frozen=True, slots=True)
class Place:
    """A repository as GitHub's API shows it, and the App's installation on it."""

    repository: Payload
    installation_id: int

    @property
    def id(self) -> int:
        """Return the repository's id. Raises PayloadError."""
        return identifier(self.repository, "id")

    @property
    def default_branch(self) -> str:
        """Return the name of the default branch. Raises PayloadError."""
        return text(self.repository, "default_branch")


def head_of_branch(branch: Payload) -> str:
    """Return the commit of a branch as GitHub's API shows it. Raises PayloadError."""
    return sha(branch, "commit.sha")


def pushed(place: Place, branch: Payload, *, before: str | None, since: str) -> Event:
    """Return the push that brought a branch, as GitHub's API shows it, to where it is.

    `before` is the commit that it is known to have named last, `since` the newest attempt on the one that it names now.
    Raises PayloadError.
    """
    name, head_sha = text(branch, "name"), head_of_branch(branch)
    payload = {
        "ref": f"refs/heads/{name}",
        "before": before or NOTHING,
        "after": head_sha,
        "created": before is None,
        "deleted": False,
        "forced": False,
        "head_commit": {"id": head_sha, "message": at(branch, "commit.commit.message")},
        "sender": at(branch, "commit.author"),
    }
    return _event(place, "push", payload, name, head_sha, since)


def branch_deleted(place: Place, branch: str, *, before: str) -> Event:
    """Return the push that deleted a branch, which named the commit `before` last."""
    payload = {
        "ref": f"refs/heads/{branch}",
        "before": before,
        "after": NOTHING,
        "created": False,
        "deleted": True,
        "forced": False,
        "head_commit": None,
    }
    return _event(place, "push", payload, branch, "deleted", before)


def pull_moved(place: Place, pull: Payload, *, before: str | None, since: str) -> Event:
    """Return the event that brought an open pull request's head to where it is. Raises PayloadError.

    `before` and `since` are those of `pushed`.
    """
    head_sha = sha(pull, "head.sha")
    moved = {"before": before or NOTHING, "after": head_sha}
    # A draft that is ready for review is another event, though its head is the same.
    return _pull_event(place, "synchronize", pull, moved, head_sha, since, str(at(pull, "draft")))


def pull_closed(place: Place, pull: Payload) -> Event:
    """Return the event that closed a pull request. Raises PayloadError."""
    return _pull_event(place, "closed", pull, {}, "closed", str(at(pull, "closed_at")))


def _pull_event(place: Place, action: str, pull: Payload, more: Mapping[str, Any], *seed: str) -> Event:
    number = identifier(pull, "number")
    payload = {"action": action, "number": number, "pull_request": pull, **more, "sender": at(pull, "user")}
    return _event(place, "pull_request", payload, str(number), *seed)


def ref_of_pull(pull: Payload) -> Ref:
    """Return the name under which the store knows a pull request. Raises PayloadError."""
    return Ref(RefKind.PULL_REQUEST, str(identifier(pull, "number")))


def _event(place: Place, event: str, payload: Mapping[str, Any], *seed: str) -> Event:
    whole = {**payload, "repository": place.repository, "installation": {"id": place.installation_id}}
    guid = uuid.uuid5(_NAMESPACE, "\n".join([str(place.id), event, *seed]))
    action = whole.get("action")
    delivery = Delivery(
        guid=f"compared-{guid}",
        event=event,
        action=action if isinstance(action, str) else None,
        repository_id=place.id,
        installation_id=place.installation_id,
        body=json.dumps(whole).encode(),
        source="compared",
    )
    return delivery, whole
