"""Pull requests of the stand-in, and what people do to them: close, reopen, merge, turn into a draft, edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.github.announcer import Changes
from tests.github.comments import Comment, Conversation

if TYPE_CHECKING:
    from tests.github.repository import Repository
    from tests.github.state import Account


@dataclass(eq=False)
class Pull(Conversation):
    """A pull request.

    `head_repository` is another repository for one that comes from a fork, None once that fork is deleted
    (GitHub's "unknown repository"). The acts take the login of who does them, by default the author.
    """

    id: int
    number: int
    title: str
    body: str | None
    user: Account
    repository: Repository
    base_branch: str
    base_sha: str
    head_repository: Repository | None
    head_owner: Account
    head_branch: str
    head_sha: str
    created_at: str
    updated_at: str
    draft: bool = False
    author_association: str = "CONTRIBUTOR"
    state: str = "open"
    closed_at: str | None = None
    merged_at: str | None = None
    merged_by: Account | None = None
    merge_sha: str | None = None

    @property
    def from_fork(self) -> bool:
        return self.head_repository is not self.repository

    async def comment(self, body: str, author: str = "octocat") -> Comment:
        """A new comment; `issue_comment.created` is delivered."""
        return await self.add_comment(body, self.repository.state.account(author))

    async def close(self, by: str | None = None) -> None:
        """Close it without merging; the head's events no longer concern it."""
        self.state, self.closed_at = "closed", self.repository.state.clock.timestamp()
        await self._tell("closed", by)

    async def reopen(self, by: str | None = None) -> None:
        """Open it again at what its head branch is now."""
        self.state, self.closed_at = "open", None
        if self.head_repository:
            self.head_sha = await self.head_repository.git.head(f"refs/heads/{self.head_branch}") or self.head_sha
        await self.refresh_refs()
        await self._tell("reopened", by)

    async def mark_ready(self, by: str | None = None) -> None:
        """Make a draft ready for review."""
        self.draft = False
        await self._tell("ready_for_review", by)

    async def convert_to_draft(self, by: str | None = None) -> None:
        """Say that it is not ready for review after all."""
        self.draft = True
        await self._tell("converted_to_draft", by)

    async def retitle(self, title: str, by: str | None = None) -> None:
        """Give it another title."""
        old, self.title = self.title, title
        await self._tell("edited", by, {"title": {"from": old}})

    async def edit_body(self, body: str | None, by: str | None = None) -> None:
        """Give it another description."""
        old, self.body = self.body, body
        await self._tell("edited", by, {"body": {"from": old or ""}})

    async def edit_base(self, branch: str, by: str | None = None) -> None:
        """Ask to merge it into another branch. Raises `ValueError` if the branch is not there."""
        base_sha = await self.repository.git.head(f"refs/heads/{branch}")
        if base_sha is None:
            raise ValueError(f"{self.repository.full_name} has no branch {branch!r}")
        before = {"ref": {"from": self.base_branch}, "sha": {"from": self.base_sha}}
        self.base_branch, self.base_sha = branch, base_sha
        await self.refresh_refs()
        await self._tell("edited", by, {"base": before})

    async def merge(self, by: str | None = None) -> str:
        """The merge commit's SHA, now on the base branch. Raises `ValueError` if there is a conflict."""
        if self.merge_sha is None:
            raise ValueError(f"{self.repository.full_name}#{self.number} conflicts with {self.base_branch}")
        sha = self.merge_sha
        self.mark_merged(sha, self._person(by))
        await self.repository.move_ref(f"refs/heads/{self.base_branch}", sha, sender=self._person(by))
        await self._tell("closed", by)
        return sha

    def mark_merged(self, sha: str, by: Account) -> None:
        """Write down that it was merged by this commit; nobody is told."""
        self.state = "closed"
        self.closed_at = self.merged_at = self.repository.state.clock.timestamp()
        self.merged_by, self.merge_sha = by, sha

    async def refresh_refs(self) -> None:
        """Bring `refs/pull/N/head` and `refs/pull/N/merge` of the base repository up to date."""
        git = self.repository.git
        if self.from_fork and self.head_repository:
            # GitHub keeps forks in one object store: the head's SHA can be fetched from the base repository.
            await git.fetch(self.head_repository.git.folder, [f"+{self.head_sha}:refs/pull/{self.number}/head"])
        else:
            await git.set_ref(f"refs/pull/{self.number}/head", self.head_sha)
        self.base_sha = await git.head(f"refs/heads/{self.base_branch}") or self.base_sha
        self.merge_sha = await git.merge(
            self.base_sha,
            self.head_sha,
            message=f"Merge {self.head_sha} into {self.base_sha}",
            author=self.repository.signature(self.user),
        )
        self.updated_at = self.repository.state.clock.timestamp()
        merge_ref = f"refs/pull/{self.number}/merge"
        if self.merge_sha or await git.head(merge_ref):
            await git.set_ref(merge_ref, self.merge_sha)

    def _person(self, login: str | None) -> Account:
        return self.user if login is None else self.repository.state.account(login)

    async def _tell(self, action: str, by: str | None = None, changes: Changes | None = None) -> None:
        self.updated_at = self.repository.state.clock.timestamp()
        await self.repository.state.announcer.pull_changed(self, action, self._person(by), changes=changes)
