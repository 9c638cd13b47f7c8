"""What the tasks work with, and how a task says that it cannot be done now, or at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.events.decision import Rules
from bot.github import GitHub
from bot.github_error import GitHubError
from bot.intake import Receiver
from draftsman.domain.policy import RepoPolicy
from draftsman.domain.run import Repository
from draftsman.store import installations, policies, repositories
from draftsman.store.database import Pool


@dataclass(frozen=True, slots=True)
class Desk:
    """The store, GitHub, and what an administrator set. `public_url` is where people reach the pages of runs."""

    receiver: Receiver
    github: GitHub
    public_url: str

    @property
    def pool(self) -> Pool[Any]:
        """Return the store."""
        return self.receiver.pool

    @property
    def rules(self) -> Rules:
        """Return what holds for all repositories."""
        return self.receiver.rules


SUSPENDED_SECONDS = 300.0
"""Until it is looked again whether an installation is suspended; the event that says so comes first, if it comes."""


class LaterError(Exception):
    """The task has to wait for so many seconds: something is in its way that will end.

    With `aside`, what came after it in its lane goes on meanwhile: it may be what ends that.
    """

    def __init__(self, reason: str, seconds: float, *, aside: bool = False) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.aside = aside


class PointlessError(Exception):
    """The task cannot be done, and another try would say the same."""


async def repository_of(desk: Desk, repository_id: object) -> Repository:
    """Return the repository of a task, which GitHub may be asked about.

    Raises PointlessError where it is not known, and what `demand_access` raises.
    """
    found = await repositories.get(desk.pool, repository_id) if isinstance(repository_id, int) else None
    if found is None:
        raise PointlessError(f"the repository {repository_id} is gone, or no event named it yet")
    if found.installation_id is not None:
        await demand_access(desk, found.installation_id)
    return found


async def demand_access(desk: Desk, installation_id: int) -> None:
    """Ask nothing where GitHub would refuse it: PointlessError if the App was removed, LaterError if suspended."""
    known = await installations.get(desk.pool, installation_id)
    if known is not None and known.is_removed:
        raise PointlessError(f"the App was removed from {known.account}")
    if known is not None and known.is_suspended:
        raise LaterError(f"the installation on {known.account} is suspended", SUSPENDED_SECONDS)


async def policy_of(desk: Desk, repository: Repository) -> RepoPolicy:
    """Return what an administrator set for the repository."""
    return await policies.get(desk.pool, repository.full_name, desk.rules.policy)


def is_gone(error: GitHubError) -> bool:
    """Return whether GitHub says that the thing is not there (any more)."""
    return error.status in (404, 410)
