"""Conversations: comments and reactions on pull requests and issues, with everything that was ever said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.github.repository import Repository
    from tests.github.state import Account


@dataclass(frozen=True)
class Reaction:
    """One reaction (`eyes`, `rocket`, `confused`, `+1`, ...) of one account to a comment."""

    id: int
    content: str
    user: Account
    created_at: str


class Conversation:
    """What can be commented on: a pull request or an issue."""

    repository: Repository
    number: int

    @property
    def comments(self) -> list[Comment]:
        """The comments that a person sees, the oldest first."""
        return comments_on(self.repository, self.number)

    async def add_comment(self, body: str, author: Account, *, by_app: bool = False) -> Comment:
        """A new comment of this account, announced. `by_app` says that the App wrote it."""
        state = self.repository.state
        now = state.clock.timestamp()
        comment = Comment(state.next_id(), self, author, now, now, [body], by_app)
        state.comments[comment.id] = comment
        await state.announcer.comment_changed(comment, "created", author)
        return comment


@dataclass(eq=False)
class Issue(Conversation):
    """An issue that is no pull request. Numbers are shared with pull requests, as at GitHub."""

    id: int
    number: int
    title: str
    body: str | None
    user: Account
    repository: Repository
    created_at: str
    updated_at: str
    state: str = "open"
    closed_at: str | None = None

    async def comment(self, body: str, author: str = "octocat") -> Comment:
        """A new comment; `issue_comment.created` is delivered."""
        return await self.add_comment(body, self.repository.state.account(author))


@dataclass(eq=False)
class Comment:
    """A comment; `bodies` are all that it ever said, the newest last, `reacted` all that ever reacted to it."""

    id: int
    on: Conversation
    user: Account
    created_at: str
    updated_at: str
    bodies: list[str]
    by_app: bool = False
    deleted_at: str | None = None
    current: list[Reaction] = field(default_factory=list)
    reacted: list[Reaction] = field(default_factory=list)

    @property
    def repository(self) -> Repository:
        return self.on.repository

    @property
    def body(self) -> str:
        return self.bodies[-1]

    @property
    def author(self) -> str:
        """The login of who wrote it; the App's is `<slug>[bot]`."""
        return self.user.login

    @property
    def reactions(self) -> list[str]:
        """What is under the comment now, the oldest first: `["eyes", "rocket"]`."""
        return [reaction.content for reaction in self.current]

    async def edit(self, body: str, by: str | None = None) -> None:
        """Say something else (by default the author does); `issue_comment.edited` is delivered."""
        await self.change(body, self.user if by is None else self.repository.state.account(by))

    async def delete(self, by: str | None = None) -> None:
        """Take it away; `issue_comment.deleted` is delivered."""
        await self.remove(self.user if by is None else self.repository.state.account(by))

    async def change(self, body: str, sender: Account) -> None:
        old = self.body
        self.bodies.append(body)
        self.updated_at = self.repository.state.clock.timestamp()
        changes = {"body": {"from": old}}
        await self.repository.state.announcer.comment_changed(self, "edited", sender, changes=changes)

    async def remove(self, sender: Account) -> None:
        self.deleted_at = self.repository.state.clock.timestamp()
        await self.repository.state.announcer.comment_changed(self, "deleted", sender)

    def react(self, content: str, user: Account) -> tuple[Reaction, bool]:
        """The account's reaction of this kind, and whether it is new. GitHub sends no event for reactions."""
        for reaction in self.current:
            if (reaction.content, reaction.user) == (content, user):
                return reaction, False
        state = self.repository.state
        reaction = Reaction(state.next_id(), content, user, state.clock.timestamp())
        self.current.append(reaction)
        self.reacted.append(reaction)
        return reaction, True


def comments_on(repository: Repository, number: int) -> list[Comment]:
    """The comments under this number that are still there, the oldest first."""
    return [
        comment
        for comment in repository.state.comments.values()
        if comment.deleted_at is None and comment.on.repository is repository and comment.on.number == number
    ]
