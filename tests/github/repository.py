"""Repositories and pull requests of the stand-in, and what people do to them: commit, push, open, close."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.github.git_repository import Files, GitRepository, Signature
from tests.github.state import Account, State


@dataclass(frozen=True)
class RefUpdate:
    """One ref of a repository that moved; None is where it was not there before or is not there now."""

    ref: str
    before: str | None
    after: str | None
    forced: bool
    sender: Account


class Announcer(Protocol):
    """Who is told when something happens (in the stand-in: what makes webhook deliveries)."""

    async def ref_moved(self, repository: Repository, update: RefUpdate) -> None: ...

    async def pull_changed(self, pull: Pull, action: str, sender: Account, before: str | None) -> None: ...


@dataclass(eq=False)
class Pull:
    """A pull request; `head_repository` is another repository for one that comes from a fork."""

    id: int
    number: int
    title: str
    body: str | None
    user: Account
    repository: Repository
    base_branch: str
    base_sha: str
    head_repository: Repository
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

    async def close(self) -> None:
        """Close it without merging; the head's events no longer concern it."""
        self.state, self.closed_at = "closed", self.repository.state.clock.timestamp()
        await self._tell("closed")

    async def reopen(self) -> None:
        """Open it again at what its head branch is now."""
        self.state, self.closed_at = "open", None
        head = await self.head_repository.git.head(f"refs/heads/{self.head_branch}")
        self.head_sha = head or self.head_sha
        await self.refresh_refs()
        await self._tell("reopened")

    async def mark_ready(self) -> None:
        """Make a draft ready for review."""
        self.draft = False
        await self._tell("ready_for_review")

    async def merge(self) -> str:
        """The merge commit's SHA, now on the base branch. Raises `ValueError` if there is a conflict."""
        if self.merge_sha is None:
            raise ValueError(f"{self.repository.full_name}#{self.number} conflicts with {self.base_branch}")
        self.state = "closed"
        self.closed_at = self.merged_at = self.repository.state.clock.timestamp()
        self.merged_by = self.user
        await self.repository.move_ref(f"refs/heads/{self.base_branch}", self.merge_sha, sender=self.user)
        await self._tell("closed")
        return self.merge_sha

    async def refresh_refs(self) -> None:
        """Bring `refs/pull/N/head` and `refs/pull/N/merge` of the base repository up to date."""
        git = self.repository.git
        if self.from_fork:
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

    async def _tell(self, action: str) -> None:
        self.updated_at = self.repository.state.clock.timestamp()
        await self.repository.announcer.pull_changed(self, action, self.user, None)


@dataclass(eq=False)
class Repository:
    """A repository with its git side; the methods do what a person with a checkout would do."""

    id: int
    owner: Account
    name: str
    private: bool
    git: GitRepository
    state: State
    announcer: Announcer
    created_at: str
    default_branch: str = "main"
    parent: Repository | None = None
    pulls: dict[int, Pull] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def clone_url(self) -> str:
        return f"{self.state.addresses.web}/{self.full_name}.git"

    def signature(self, author: Account) -> Signature:
        email = f"{author.id}+{author.login}@users.noreply.github.com"
        return Signature(author.login, email, int(self.state.clock.now()))

    async def commit(
        self,
        files: Files,
        *,
        message: str = "Change",
        branch: str | None = None,
        parent: str | None = None,
        author: str = "octocat",
    ) -> str:
        """The SHA of a new commit that is pushed to the branch (default: the default branch).

        `files` maps paths to text, bytes or `GitFile`; None deletes the path. A new branch starts at the
        default branch. With `parent` the commit is made on that SHA instead, and the push is forced.
        """
        ref = f"refs/heads/{branch or self.default_branch}"
        person = self.state.account(author)
        before = await self.git.head(ref)
        start = parent or before or await self.git.head(f"refs/heads/{self.default_branch}")
        signature = self.signature(person)
        after = await self.git.commit(ref, files, message=message, author=signature, parent=start)
        await self._moved(ref, before, after, person)
        return after

    async def push(self, source: Path, *, ref: str = "HEAD", branch: str | None = None, author: str = "octocat") -> str:
        """The SHA of `ref` in the git repository at `source`, now the head of the branch here."""
        target = f"refs/heads/{branch or self.default_branch}"
        before = await self.git.head(target)
        await self.git.fetch(source, [f"+{ref}:{target}"])
        after = await self.git.head(target)
        if after is None:
            raise ValueError(f"{ref} of {source} is no commit")
        await self._moved(target, before, after, self.state.account(author))
        return after

    async def move_ref(self, ref: str, sha: str | None, *, sender: Account | None = None) -> None:
        """Point a ref (`refs/heads/...`, `refs/tags/...`) at a SHA that is there; None deletes it."""
        before = await self.git.head(ref)
        await self.git.set_ref(ref, sha)
        await self._moved(ref, before, sha, sender or self.state.account("octocat"))

    async def refs_moved(self, before: dict[str, str], sender: Account) -> None:
        """Announce what a git client changed; `before` is `git.refs()` from before its push."""
        after = await self.git.refs()
        for ref in sorted(before.keys() | after.keys()):
            if before.get(ref) != after.get(ref) and ref.startswith(("refs/heads/", "refs/tags/")):
                await self._moved(ref, before.get(ref), after.get(ref), sender)

    async def open_pull(
        self,
        title: str,
        *,
        head: str,
        base: str | None = None,
        body: str | None = None,
        draft: bool = False,
        head_repository: Repository | None = None,
        author: str = "octocat",
    ) -> Pull:
        """A new open pull request of branch `head` (of `head_repository`, for a fork) into `base`."""
        source = head_repository or self
        base_branch = base or self.default_branch
        head_sha = await source.git.head(f"refs/heads/{head}")
        base_sha = await self.git.head(f"refs/heads/{base_branch}")
        if head_sha is None or base_sha is None:
            raise ValueError(f"{source.full_name} needs a branch {head!r}, {self.full_name} {base_branch!r}")
        now = self.state.clock.timestamp()
        pull = Pull(
            id=self.state.next_id(),
            number=len(self.pulls) + 1,
            title=title,
            body=body,
            user=self.state.account(author),
            repository=self,
            base_branch=base_branch,
            base_sha=base_sha,
            head_repository=source,
            head_branch=head,
            head_sha=head_sha,
            created_at=now,
            updated_at=now,
            draft=draft,
        )
        self.pulls[pull.number] = pull
        await pull.refresh_refs()
        await self.announcer.pull_changed(pull, "opened", pull.user, None)
        return pull

    async def _moved(self, ref: str, before: str | None, after: str | None, sender: Account) -> None:
        forced = bool(before and after) and await self.git.merge_base(str(before), str(after)) != before
        update = RefUpdate(ref, before, after, forced, sender)
        changed = [
            pull
            for repository in self.state.repositories.values()
            for pull in repository.pulls.values()
            if after and pull.state == "open" and pull.head_repository is self
            if ref == f"refs/heads/{pull.head_branch}"
        ]
        for pull in changed:
            pull.head_sha = str(after)
        onto = [p for p in self.pulls.values() if after and p.state == "open" and ref == f"refs/heads/{p.base_branch}"]
        for pull in {*changed, *onto}:
            await pull.refresh_refs()
        await self.announcer.ref_moved(self, update)
        for pull in changed:
            await self.announcer.pull_changed(pull, "synchronize", sender, before)
