"""Who is told when something happens at the stand-in (in it: what makes webhook deliveries)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tests.github.checks import CheckRun, CheckSuite
    from tests.github.comments import Comment
    from tests.github.installations import Installation
    from tests.github.merge_queue import MergeGroup
    from tests.github.pulls import Pull
    from tests.github.repository import Repository
    from tests.github.state import Account

Changes = dict[str, Any]


@dataclass(frozen=True)
class RefUpdate:
    """One ref of a repository that moved; None is where it was not there before or is not there now."""

    ref: str
    before: str | None
    after: str | None
    forced: bool
    sender: Account


class Announcer(Protocol):
    """What happened, told once it is done. `changes` are the event's `changes`: what was there before."""

    async def ref_moved(self, repository: Repository, update: RefUpdate) -> None: ...

    async def pull_changed(
        self, pull: Pull, action: str, sender: Account, *, before: str | None = None, changes: Changes | None = None
    ) -> None: ...

    async def comment_changed(
        self, comment: Comment, action: str, sender: Account, *, changes: Changes | None = None
    ) -> None: ...

    async def repository_changed(
        self, repository: Repository, action: str, sender: Account, *, changes: Changes | None = None
    ) -> None: ...

    async def merge_group_changed(
        self, group: MergeGroup, action: str, sender: Account, *, reason: str | None = None
    ) -> None: ...

    async def check_run_changed(
        self, run: CheckRun, action: str, sender: Account, *, identifier: str | None = None
    ) -> None: ...

    async def check_suite_changed(self, suite: CheckSuite, action: str, sender: Account) -> None: ...

    async def installation_changed(self, installation: Installation, action: str, sender: Account) -> None: ...

    async def installation_repositories_changed(
        self,
        installation: Installation,
        sender: Account,
        *,
        added: Sequence[Repository] = (),
        removed: Sequence[Repository] = (),
    ) -> None: ...
