"""Who owns the App and where it is installed, asked of GitHub: events that tell of it may have been missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.github import GitHub
from bot.github_error import GitHubError
from bot.paging import pages
from bot.payload import Payload, PayloadError, at, identifier, text
from draftsman.store import installations
from draftsman.store.database import Pool


@dataclass(frozen=True, slots=True)
class Installed:
    """The App on one account, as GitHub lists it."""

    id: int
    account: str
    account_id: int
    suspended: bool


async def introduce(github: GitHub, pool: Pool[Any]) -> None:
    """Keep who owns the App, and where it is installed. Raises GitHubError."""
    answer = await github.as_app("GET", "/app")
    try:
        owner = identifier(answer.body if isinstance(answer.body, dict) else {}, "owner.id")
    except PayloadError as error:
        raise GitHubError(f"GitHub did not say who owns the App: {error}.", status=502) from error
    await installations.keep_app_owner(pool, owner)
    await note_installations(github, pool)


async def note_installations(github: GitHub, pool: Pool[Any]) -> list[Installed]:
    """Bring the store's installations to what GitHub lists, and return that. Raises GitHubError."""
    # Taken first: one that comes while GitHub lists is not one that has gone.
    before = await installations.everywhere(pool)
    found = await _listed(github)
    for one in found:
        noted = await installations.note(pool, one.id, account=one.account, account_id=one.account_id)
        if (noted.is_suspended, noted.is_removed) != (one.suspended, False):
            await installations.mark(pool, one.id, suspended=one.suspended, removed=False)
    for known in before:
        if not known.is_removed and known.id not in {one.id for one in found}:
            await installations.mark(pool, known.id, removed=True)
    return found


async def _listed(github: GitHub) -> list[Installed]:
    listed = pages(lambda query: github.as_app("GET", "/app/installations", query=query))
    return [one async for page in listed for item in page if (one := _installed(item))]


def _installed(item: Payload) -> Installed | None:
    try:
        # An enterprise has a slug instead of a login; it has no repositories of its own.
        return Installed(
            identifier(item, "id"),
            text(item, "account.login"),
            identifier(item, "account.id"),
            suspended=at(item, "suspended_at") is not None,
        )
    except PayloadError:
        return None
