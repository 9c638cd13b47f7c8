"""Repositories of the stand-in, and what people do to them: commit, push, open pull requests, rename, delete."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.github.announcer import Changes, RefUpdate
from tests.github.comments import Issue
from tests.github.git_repository import Files, GitRepository, Signature
from tests.github.merge_queue import MergeGroup, queue_merge
from tests.github.pulls import Pull
from tests.github.roles import ROLES, Role, association, role_of
from tests.github.state import Account, State


@dataclass(eq=False)
class Repository:
    """A repository with its git side; the methods do what a person with a checkout or a browser would do."""

    id: int
    owner: Account
    name: str
    private: bool
    git: GitRepository
    state: State
    created_at: str
    default_branch: str = "main"
    parent: Repository | None = None
    pulls: dict[int, Pull] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    merge_groups: list[MergeGroup] = field(default_factory=list)
    roles: dict[str, Role] = field(default_factory=lambda: {"octocat": "write"})

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
        user = self.state.account(author)
        pull = Pull(
            id=self.state.next_id(),
            number=self._next_number(),
            title=title,
            body=body,
            user=user,
            repository=self,
            base_branch=base_branch,
            base_sha=base_sha,
            head_repository=source,
            head_owner=source.owner,
            head_branch=head,
            head_sha=head_sha,
            created_at=now,
            updated_at=now,
            draft=draft,
            author_association=association(self, user),
        )
        self.pulls[pull.number] = pull
        await pull.refresh_refs()
        await self.state.announcer.pull_changed(pull, "opened", pull.user)
        return pull

    def open_issue(self, title: str, *, body: str | None = None, author: str = "octocat") -> Issue:
        """A new issue. The App does not subscribe to issues, so nothing is delivered for it."""
        now = self.state.clock.timestamp()
        user = self.state.account(author)
        issue = Issue(self.state.next_id(), self._next_number(), title, body, user, self, now, now)
        self.issues[issue.number] = issue
        return issue

    async def tag(self, name: str, sha: str | None = None, *, by: str = "octocat") -> str:
        """The SHA that the pushed tag names: `sha`, or the head of the default branch."""
        target = sha or await self.git.head(f"refs/heads/{self.default_branch}")
        if target is None:
            raise ValueError(f"{self.full_name} has no commit to tag")
        await self.move_ref(f"refs/tags/{name}", target, sender=self.state.account(by))
        return target

    async def delete_branch(self, name: str, *, by: str = "octocat") -> None:
        """Delete a branch; open pull requests from it or into it are closed."""
        await self.move_ref(f"refs/heads/{name}", None, sender=self.state.account(by))

    async def queue_merge(self, pull: Pull) -> MergeGroup:
        """Put the pull request into the merge queue: a branch is pushed, and `checks_requested` is delivered.

        Raises `ValueError` if it conflicts with what it would be merged into.
        """
        return await queue_merge(pull)

    def set_permission(self, login: str, role: Role | None) -> None:
        """Make the person a collaborator with this role; None takes it away again.

        Without one, anybody may read a public repository and nobody a private one; the account that owns the
        repository is its admin, and `octocat` may write from the start.
        """
        if role is None:
            self.roles.pop(login.lower(), None)
        elif role in ROLES:
            self.roles[self.state.account(login).login.lower()] = role
        else:
            raise ValueError(f"{role!r} is no role; choose one of {', '.join(ROLES)}")

    def permission(self, login: str) -> Role | None:
        """The role that the person has here, None if none."""
        return role_of(self, self.state.account(login))

    async def rename(self, name: str, *, by: str = "octocat") -> None:
        """Give it another name; API and git lead from the old one to the new one."""
        old, old_full_name = self.name, self.full_name
        self.name = name
        self._moved_away(old_full_name)
        await self._tell("renamed", by, {"repository": {"name": {"from": old}}})

    async def transfer(self, owner: str, *, by: str = "octocat") -> None:
        """Give it to another account; only an installation on that one sees it from now on."""
        state, old, old_full_name = self.state, self.owner, self.full_name
        left = [found for found in state.installations.values() if found.covers(self)]
        self.owner = state.account(owner)
        self._moved_away(old_full_name)
        for installation in left:
            installation.lose(self)
        sender = state.account(by)
        for installation in left:
            await state.announcer.installation_repositories_changed(installation, sender, removed=[self])
        if joined := state.installation_of(self):
            await state.announcer.installation_repositories_changed(joined, sender, added=[self])
        kind = "organization" if old.type == "Organization" else "user"
        await self._tell("transferred", by, {"owner": {"from": {kind: old}}})

    async def delete(self, *, by: str = "octocat") -> None:
        """Delete it. Pull requests from it stay, "from an unknown repository"."""
        del self.state.repositories[self.id]
        self.state.deleted_repositories[self.id] = self
        for repository in self.state.repositories.values():
            for pull in repository.pulls.values():
                if pull.head_repository is self:
                    pull.head_repository = None
        await self._tell("deleted", by)

    async def set_private(self, private: bool, *, by: str = "octocat") -> None:
        """Hide it from the public, or show it to them."""
        self.private = private
        await self._tell("privatized" if private else "publicized", by)

    async def set_default_branch(self, name: str, *, by: str = "octocat") -> None:
        """Make another branch the default one. Raises `ValueError` if it is not there."""
        if await self.git.head(f"refs/heads/{name}") is None:
            raise ValueError(f"{self.full_name} has no branch {name!r}")
        old, self.default_branch = self.default_branch, name
        await self.git.git("symbolic-ref", "HEAD", f"refs/heads/{name}")
        await self._tell("edited", by, {"default_branch": {"from": old}})

    async def _tell(self, action: str, by: str, changes: Changes | None = None) -> None:
        await self.state.announcer.repository_changed(self, action, self.state.account(by), changes=changes)

    def _moved_away(self, old_full_name: str) -> None:
        self.state.moved_repositories[old_full_name.lower()] = self.id

    def _next_number(self) -> int:
        return len(self.pulls) + len(self.issues) + 1

    async def _moved(self, ref: str, before: str | None, after: str | None, sender: Account) -> None:
        forced = bool(before and after) and await self.git.merge_base(str(before), str(after)) != before
        update = RefUpdate(ref, before, after, forced, sender)
        from_it = [
            p for p in self.state.open_pulls() if p.head_repository is self and ref == f"refs/heads/{p.head_branch}"
        ]
        onto_it = [p for p in self.pulls.values() if p.state == "open" and ref == f"refs/heads/{p.base_branch}"]
        if after:
            for pull in from_it:
                pull.head_sha = after
            for pull in {*from_it, *onto_it}:
                await pull.refresh_refs()
        await self.state.announcer.ref_moved(self, update)
        for pull in from_it if after else ():
            await self.state.announcer.pull_changed(pull, "synchronize", sender, before=before)
        # Without its branch a pull request has nothing to merge, or nowhere to go: GitHub closes it.
        for pull in () if after else dict.fromkeys([*from_it, *onto_it]):
            await pull.close(by=sender.login)
