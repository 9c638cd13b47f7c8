"""The merge queue: pull requests wait as merge groups, each with a branch of its own on which checks must report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.github.git_repository import Commit
    from tests.github.pulls import Pull
    from tests.github.repository import Repository

BOT = "github-merge-queue[bot]"
Reason = Literal["merged", "invalidated", "dequeued"]


@dataclass(eq=False)
class MergeGroup:
    """One pull request merged into its base (or into the group before it), on a branch that GitHub made.

    `reason` is None while the group waits, then why it ended.
    """

    pull: Pull
    base_branch: str
    base_sha: str
    head_sha: str
    head_branch: str
    head_commit: Commit
    reason: Reason | None = None

    @property
    def repository(self) -> Repository:
        return self.pull.repository

    async def destroy(self, reason: Reason = "dequeued") -> None:
        """Take it out of the queue; the groups behind it are merged anew without it."""
        behind = self._leave(reason)
        for group in behind:
            group._leave("invalidated")
        await self._announce_end()
        for group in behind:
            await group._announce_end()
        for group in behind:
            await queue_merge(group.pull)

    async def land(self) -> str:
        """The SHA now on the base branch: what the queue does when the required checks have passed.

        Raises `ValueError` unless it is the first in the queue.
        """
        queue = waiting(self.repository, self.base_branch)
        if not queue or queue[0] is not self:
            raise ValueError(f"{self.head_branch} is not the first in the queue")
        self._leave("merged")
        bot = self.repository.state.account(BOT)
        self.pull.mark_merged(self.head_sha, bot)
        await self.repository.move_ref(f"refs/heads/{self.base_branch}", self.head_sha, sender=bot)
        await self.repository.state.announcer.pull_changed(self.pull, "closed", bot)
        await self._announce_end()
        return self.head_sha

    def _leave(self, reason: Reason) -> list[MergeGroup]:
        """The groups that stood behind this one in the queue, which it has left."""
        queue = waiting(self.repository, self.base_branch)
        if self not in queue:
            raise ValueError(f"{self.head_branch} has left the queue already: {self.reason}")
        self.reason = reason
        return queue[queue.index(self) + 1 :]

    async def _announce_end(self) -> None:
        repository = self.repository
        bot = repository.state.account(BOT)
        await repository.state.announcer.merge_group_changed(self, "destroyed", bot, reason=self.reason)
        await repository.move_ref(f"refs/heads/{self.head_branch}", None, sender=bot)


def waiting(repository: Repository, base_branch: str) -> list[MergeGroup]:
    """The groups that wait to be merged into this branch, the next one first."""
    return [g for g in repository.merge_groups if g.reason is None and g.base_branch == base_branch]


async def queue_merge(pull: Pull) -> MergeGroup:
    """The pull request's new merge group, its branch pushed and its checks requested.

    Raises `ValueError` if the pull request conflicts with what it would be merged into.
    """
    repository = pull.repository
    bot = repository.state.account(BOT)
    ahead = waiting(repository, pull.base_branch)
    base = ahead[-1].head_sha if ahead else await repository.git.head(f"refs/heads/{pull.base_branch}")
    message = f"Merge pull request #{pull.number} from {pull.head_owner.login}/{pull.head_branch}\n\n{pull.title}"
    head = base and await repository.git.merge(
        base, pull.head_sha, message=message, author=repository.signature(pull.user)
    )
    if not base or not head:
        raise ValueError(f"{repository.full_name}#{pull.number} conflicts with what it would be merged into")
    branch = f"gh-readonly-queue/{pull.base_branch}/pr-{pull.number}-{base}"
    group = MergeGroup(pull, pull.base_branch, base, head, branch, await repository.git.read_commit(head))
    repository.merge_groups.append(group)
    await repository.move_ref(f"refs/heads/{branch}", head, sender=bot)
    await repository.state.announcer.merge_group_changed(group, "checks_requested", bot)
    return group
