"""Does what the commands of a comment say: a reaction when it is seen, another when it is done, and at most one reply.

Each command is done in the transaction that notes it, and the reply is looked for before it is made again: so a task
that is tried again, whatever got lost, does and says everything once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bot.commands import Command, Unclear, parse
from bot.github import Answer
from bot.github_error import GitHubError
from bot.paging import pages
from bot.replies import done_reply, is_reply_to, refusals_reply, reply
from bot.tasks import asking
from bot.tasks.acting import Act, Outcome, act, prepare
from bot.tasks.desk import Desk, PointlessError, is_gone, repository_of
from bot.trust import Asker
from draftsman.domain.run import Repository
from draftsman.store import audit, runs, tasks
from draftsman.store.database import Database
from draftsman.store.tasks import Task

COMMENTS = {"issues": "write"}

SEEN, DONE, REFUSED = "eyes", "rocket", "confused"

STRANGERS_REPLIES = 5
"""An hour, in one repository, to somebody who may not write there: reactions cost less noise."""

STRANGERS_COMMENTS = 20
"""An hour, likewise: what comes after them is passed over, since each takes of what GitHub lets us write."""


@dataclass(frozen=True, slots=True)
class _Thread:
    """The comment and where it is."""

    desk: Desk
    repository: Repository
    number: int
    comment_id: int
    written_at: str

    async def ask(self, method: str, path: str, **arguments: Any) -> Answer:
        path = f"/repos/{self.repository.full_name}{path}"
        return await self.desk.github.request(self.repository, COMMENTS, method, path, **arguments)


async def comment(desk: Desk, task: Task) -> None:
    """Do the comment's commands and answer. Raises GitHubError, PointlessError."""
    repository = await repository_of(desk, task.detail.get("repository_id"))
    thread = _Thread(desk, repository, task.detail["number"], task.detail["comment_id"], task.detail["written_at"])
    same = {"repository_id": repository.id, "comment_id": thread.comment_id}
    if await tasks.was_wanted(desk.pool, task, same):
        raise PointlessError("the comment was told of twice")
    if "outcomes" not in task.detail and await _is_flooding(thread, task):
        raise PointlessError(f"{task.detail['by']} may not write here and wrote very many commands")
    if not await _react(thread, SEEN):
        raise PointlessError("the comment is gone")
    outcomes, task = await _perform(thread, task)
    said = reply_parts(outcomes)
    if said and not task.detail.get("is_quiet"):
        await _reply(thread, task, reply(said, thread.comment_id))
    await _react(thread, REFUSED if any(not outcome.is_done for outcome in outcomes) else DONE)


async def _perform(thread: _Thread, task: Task) -> tuple[list[Outcome], Task]:
    """Do the commands that are not done yet. Returns what came of all of them."""
    desk = thread.desk
    commands = parse(task.detail["body"], aliases=desk.rules.aliases)
    outcomes = [Outcome(**kept) for kept in task.detail.get("outcomes", ())]
    if len(outcomes) >= len(commands):
        return outcomes, task
    pull = await asking.pull(desk, thread.repository, thread.number)
    if pull is None:
        raise PointlessError("the pull request is gone")
    login = task.detail["by"]
    permission = await asking.permission(desk, thread.repository, login)
    author = pull.get("user") or {}
    is_author = isinstance(author.get("login"), str) and author["login"].lower() == login.lower()
    asker = Asker(login, thread.repository.full_name, permission, is_author)
    is_quiet = not permission.may_write and await _is_noisy(thread, task)
    acting = Act(desk, thread.repository, pull, asker, thread.written_at)
    for command in commands[len(outcomes) :]:
        prepared = await prepare(acting, command)
        async with desk.pool.acquire() as connection, connection.transaction():
            outcomes.append(await act(acting, connection, command, prepared))
            await _audit(acting, connection, task, command, outcomes[-1])
            changed = {"outcomes": [asdict(one) for one in outcomes], "is_quiet": is_quiet}
            task = replace(task, detail={**task.detail, **changed})
            await tasks.keep_detail(connection, task, changed)
    await desk.receiver.wake()
    return outcomes, task


async def _audit(act: Act, db: Database, task: Task, command: Command | Unclear, outcome: Outcome) -> None:
    """Note who wrote which command, and why it was not done where it was not; what was only told is not kept twice."""
    known = await runs.of_commit(db, act.repository.id, act.head_sha)
    await audit.record(
        db,
        actor=act.asker.login,
        action=f"command.{command.verb if isinstance(command, Command) else 'unclear'}",
        run_id=known[0] if known else None,
        delivery=task.delivery,
        line=command.line,
        done=outcome.is_done,
        said="" if outcome.is_done else outcome.text,
        repo=act.repository.full_name,
        pull_request=act.pull.get("number"),
    )


async def _is_noisy(thread: _Thread, task: Task) -> bool:
    return await _comments(thread, task) > STRANGERS_REPLIES


async def _is_flooding(thread: _Thread, task: Task) -> bool:
    if await _comments(thread, task) <= STRANGERS_COMMENTS:
        return False
    permission = await asking.permission(thread.desk, thread.repository, task.detail["by"])
    return not permission.may_write


async def _comments(thread: _Thread, task: Task) -> int:
    """Return how many comments with commands the person wrote in the repository within the hour."""
    return await tasks.count_like(
        thread.desk.pool, task, repository_id=thread.repository.id, by=task.detail["by"], within_seconds=3600
    )


def reply_parts(outcomes: list[Outcome]) -> list[str]:
    """Return what is to be said, empty where the reaction says it all: everything was done, and there is no news."""
    if all(outcome.is_done and not outcome.is_news for outcome in outcomes):
        return []
    news = [outcome.text for outcome in outcomes if outcome.is_news]
    refused = [outcome.text for outcome in outcomes if not outcome.is_done and not outcome.is_news]
    done = [outcome.text for outcome in outcomes if outcome.is_done and not outcome.is_news]
    return [part for part in (refusals_reply(refused), done_reply(done), *news) if part]


async def _react(thread: _Thread, content: str) -> bool:
    """React to the comment; GitHub keeps a reaction once. Returns whether the comment is there."""
    path = f"/issues/comments/{thread.comment_id}/reactions"
    try:
        await thread.ask("POST", path, body={"content": content})
    except GitHubError as error:
        if is_gone(error):
            return False
        raise
    return True


async def _reply(thread: _Thread, task: Task, body: str) -> None:
    earlier = await _find(thread) if task.detail.get("is_replying") else None
    if earlier is not None:
        if earlier.get("body") != body:
            await thread.ask("PATCH", f"/issues/comments/{earlier['id']}", body={"body": body})
        return
    await tasks.keep_detail(thread.desk.pool, task, {"is_replying": True})
    await thread.ask("POST", f"/issues/{thread.number}/comments", body={"body": body})


async def _find(thread: _Thread) -> Mapping[str, Any] | None:
    """Return our reply to the comment. Anybody can write its marker: only what our App wrote counts."""
    listed = pages(
        lambda query: thread.ask("GET", f"/issues/{thread.number}/comments", query=query), {"since": thread.written_at}
    )
    async for page in listed:
        for one in page:
            ours = thread.desk.github.is_own_app(one.get("performed_via_github_app"))
            if ours and is_reply_to(str(one.get("body")), thread.comment_id):
                return one
    return None
