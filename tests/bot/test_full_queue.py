"""A repository with more in line than is let in: what newer commits replaced ends, what a ref names is kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.github import GitHub
from bot.tasks.desk import Desk
from bot.tasks.loop import TaskLoop
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.doing import all_done
from tests.bot.recovering import receiver_of
from tests.bot.reporting import PUBLIC_URL
from tests.bot.work import claim
from tests.github import GitHubStandIn

LIMIT = 3


async def follow_all(pool: Pool[Any], github: GitHubStandIn, client: GitHub, url: str, limit: int) -> None:
    """Do all tasks, with this limit of the queue."""
    receiver = receiver_of(pool, github)
    desk = Desk(replace(receiver, rules=replace(receiver.rules, queue_limit=limit)), client, PUBLIC_URL)
    running = asyncio.create_task(TaskLoop(desk, database_url=url).run())
    await all_done(pool)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def states(pool: Pool[Any]) -> dict[str, tuple[str, str | None]]:
    rows = await pool.fetch("SELECT r.head_sha, a.state, a.title FROM attempts a JOIN runs r ON r.id = a.run_id")
    return {row["head_sha"]: (row["state"], row["title"]) for row in rows}


@pytest.mark.parametrize(("limit", "is_full"), [(LIMIT, True), (LIMIT + 10, False), (0, False)])
async def test_replaced_commits_of_the_default_branch_end_only_where_the_queue_is_full(
    served: Served,
    github: GitHubStandIn,
    pool: Pool[Any],
    app_client: GitHub,
    database_url: str,
    limit: int,
    is_full: bool,
) -> None:
    """Pushes to it are not superseded by themselves; what is under way, and what other refs name, goes on."""
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    pushed = [await widgets.commit({"a.py": f"x = {number}\n"}) for number in range(LIMIT + 3)]
    going = (await claim(pool)).attempt.run.head_sha
    other = await widgets.commit({"b.py": "y = 1\n"}, branch="feature")
    await follow_all(pool, github, app_client, database_url, limit)
    found = await states(pool)
    ended = [sha for sha, (state, _) in found.items() if state == "finished"]
    in_line = [sha for sha in pushed if sha not in (going, pushed[-1])]
    assert sorted(ended) == (sorted(in_line) if is_full else [])
    assert found[going][0] == "preparing"
    assert {found[pushed[-1]][0], found[other][0]} == {"queued"}
    for sha in ended:
        title = found[sha][1]
        assert title == f"cancelled (superseded by {pushed[-1][:7]}, since the queue of this repository is full)"


async def test_what_a_ref_names_waits_however_full_the_queue_is(
    served: Served, github: GitHubStandIn, pool: Pool[Any], app_client: GitHub, database_url: str
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    for number in range(LIMIT + 3):
        await widgets.commit({"a.py": f"x = {number}\n"}, branch=f"b{number}")
    await follow_all(pool, github, app_client, database_url, LIMIT)
    found = await states(pool)
    assert len(found) >= LIMIT + 3
    assert {state for state, _ in found.values()} == {"queued"}
