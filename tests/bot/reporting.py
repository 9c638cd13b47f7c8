"""What the reporter's tests share: commits, what GitHub shows of them, and waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from draftsman.domain.run import Conclusion
from draftsman.store import reruns
from draftsman.store.database import Pool
from draftsman.store.reruns import Rerun
from tests.bot.work import Work, claim, make_plan
from tests.github import GitHubStandIn

FAST, FULL = "Draftsman / fast", "Draftsman / full"
PUBLIC_URL = "http://draftsman.example"

StartReporter = Callable[[], Callable[[], Awaitable[None]]]
"""Starts a reporter and returns what stops it; the test's end stops it as well."""


async def until(condition: Callable[[], Any], *, seconds: float = 15) -> Any:
    """What the condition returns, once it is true."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := condition()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("it did not come to that in time")
        await asyncio.sleep(0.02)
    return found


async def until_told(pool: Pool[Any], *, seconds: float = 15) -> None:
    """Wait until GitHub shows everything that it is to show."""
    deadline = asyncio.get_running_loop().time() + seconds
    while await pool.fetchval("SELECT count(*) FROM unreported"):
        if asyncio.get_running_loop().time() > deadline:
            left = await pool.fetch("SELECT tier, failures, last_error FROM check_runs WHERE last_error IS NOT NULL")
            raise AssertionError(f"GitHub was not told in time: {left}")
        await asyncio.sleep(0.05)


async def commit(github: GitHubStandIn) -> str:
    """A pushed commit of acme/widgets."""
    widgets = await github.create_repository("acme/widgets", files={"src/a.py": "x = 1\n"})
    return await widgets.commit({"src/a.py": "x = 2\n"})


def newest(github: GitHubStandIn, name: str, sha: str | None = None) -> Any:
    """The newest check run of that name as GitHub shows it, None where there is none."""
    history = github.check_run_history(name, sha)
    return history[-1] if history else None


def completed(github: GitHubStandIn, *names: str) -> bool:
    return all((run := newest(github, name)) and run.status == "completed" for name in names)


def buttons(run: Any) -> list[str]:
    return [action["identifier"] for action in run.actions]


async def pass_all(pool: Pool[Any]) -> Work:
    """The next queued attempt, claimed and brought to its good end."""
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    for step in ("setup-1", *sorted(f"{tier}-1" for tier in work.attempt.tiers)):
        await work.step(step)
    await work.finish(Conclusion.SUCCESS)
    return work


async def ask_again(pool: Pool[Any], work: Work, **what: Any) -> Rerun:
    """Another attempt of the run, asked for by alice."""
    async with pool.acquire() as connection, connection.transaction():
        return await reruns.ask(connection, work.attempt.run.id, by="alice", cause="test", **what)
