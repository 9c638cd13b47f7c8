"""What payloads of several events carry: the repository, the installation, and who did it."""

from __future__ import annotations

from bot.events.decision import InstallationNote, Rules
from bot.payload import (
    Payload,
    at,
    flag,
    full_name,
    identifier,
    optional_identifier,
    optional_text,
    text,
)
from draftsman.domain.run import Repository


def repository_of(payload: Payload, rules: Rules) -> Repository:
    """Return the repository that the event is about. Raises PayloadError."""
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


def installation_of(payload: Payload) -> InstallationNote | None:
    """Return the installation of an event about a repository, whose owner's account it is on. Raises PayloadError."""
    found = optional_identifier(payload, "installation.id")
    if found is None or at(payload, "repository.owner") is None:
        return None
    return InstallationNote(found, text(payload, "repository.owner.login"), identifier(payload, "repository.owner.id"))


def is_bot(payload: Payload, path: str) -> bool:
    """Return whether the account at the path is no person: an App, or one that GitHub calls a bot."""
    login = optional_text(payload, f"{path}.login") or ""
    return at(payload, f"{path}.type") == "Bot" or login.endswith("[bot]")
