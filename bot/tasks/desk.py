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
from draftsman.store import policies, repositories
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


class LaterError(Exception):
    """The task has to wait for so many seconds: something is in its way that will end."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class PointlessError(Exception):
    """The task cannot be done, and another try would say the same."""


async def repository_of(desk: Desk, repository_id: object) -> Repository:
    """Return the repository of a task. Raises PointlessError where it is not known."""
    found = await repositories.get(desk.pool, repository_id) if isinstance(repository_id, int) else None
    if found is None:
        raise PointlessError(f"no event named the repository {repository_id} yet")
    return found


async def policy_of(desk: Desk, repository: Repository) -> RepoPolicy:
    """Return what an administrator set for the repository."""
    return await policies.get(desk.pool, repository.full_name, desk.rules.policy)


def is_gone(error: GitHubError) -> bool:
    """Return whether GitHub says that the thing is not there (any more)."""
    return error.status in (404, 410)
