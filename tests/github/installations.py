"""Installations of the App, and what an account's owner does with one: choose repositories, suspend, uninstall."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.github.repository import Repository
    from tests.github.state import Account, State


@dataclass(eq=False)
class Installation:
    """The App on one account; `repository_ids` None means all of the account's repositories.

    `lost` are the ids of repositories that it covered once. What happens to an installation is delivered
    whether or not the App subscribes to it, as at GitHub.
    """

    id: int
    account: Account
    permissions: dict[str, str]
    events: tuple[str, ...]
    repository_ids: set[int] | None
    created_at: str
    state: State
    suspended_at: str | None = None
    suspended_by: Account | None = None
    lost: set[int] = field(default_factory=set)

    def covers(self, repository: Repository) -> bool:
        if self.repository_ids is None:
            return repository.owner.id == self.account.id
        return repository.id in self.repository_ids

    async def add_repositories(self, *repositories: Repository, by: str = "octocat") -> None:
        """Let the App see these too (of a selection). Raises `ValueError` where it sees all already."""
        ids = self._selection()
        ids |= {repository.id for repository in repositories}
        sender = self.state.account(by)
        await self.state.announcer.installation_repositories_changed(self, sender, added=repositories)

    async def remove_repositories(self, *repositories: Repository, by: str = "octocat") -> None:
        """Hide these from the App; an installation on all repositories becomes a selection of the others."""
        if self.repository_ids is None:
            self.repository_ids = {repository.id for repository in self.state.repositories_of(self)}
        for repository in repositories:
            self.lose(repository)
        sender = self.state.account(by)
        await self.state.announcer.installation_repositories_changed(self, sender, removed=repositories)

    async def suspend(self, by: str = "octocat") -> None:
        """Suspend it: its tokens are refused with 403, and no events come but those about itself."""
        self.suspended_at, self.suspended_by = self.state.clock.timestamp(), self.state.account(by)
        await self.state.announcer.installation_changed(self, "suspend", self.suspended_by)

    async def unsuspend(self, by: str = "octocat") -> None:
        """Let it work again."""
        self.suspended_at = self.suspended_by = None
        await self.state.announcer.installation_changed(self, "unsuspend", self.state.account(by))

    async def accept_permissions(self, by: str = "octocat") -> None:
        """Grant what the App asks for now."""
        self.permissions, self.events = dict(self.state.app.permissions), self.state.app.events
        await self.state.announcer.installation_changed(self, "new_permissions_accepted", self.state.account(by))

    async def uninstall(self, by: str = "octocat") -> None:
        """Take the App off the account; its tokens end."""
        self.state.installations.pop(self.id, None)
        await self.state.announcer.installation_changed(self, "deleted", self.state.account(by))

    def lose(self, repository: Repository) -> None:
        """Write down that the repository is out of reach; nobody is told."""
        self.lost.add(repository.id)
        if self.repository_ids is not None:
            self.repository_ids.discard(repository.id)

    def _selection(self) -> set[int]:
        if self.repository_ids is None:
            raise ValueError(f"the App is on all repositories of {self.account.login} already")
        return self.repository_ids
