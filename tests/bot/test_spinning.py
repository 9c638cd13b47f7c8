"""Check runs that GitHub shows as unfinished although nobody works on them."""

from __future__ import annotations

import uuid
from typing import Any

from bot.github import CHECKS, GitHub
from bot.heads import compare
from draftsman.domain.plan import Tier
from draftsman.domain.run import Repository
from draftsman.store import repositories
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.recovering import receiver_of
from tests.bot.reporting import FAST, FULL, StartReporter, commit, completed, newest, pass_all, until, until_told
from tests.github import GitHubStandIn


async def compared(pool: Pool[Any], github: GitHubStandIn, client: GitHub) -> list[str]:
    found = [one async for one in compare(client, receiver_of(pool, github))]
    return [sentence for one in found for sentence in one.missed]


async def widgets_of(pool: Pool[Any]) -> Repository:
    [repository] = [await repositories.get(pool, row["id"]) for row in await pool.fetch("SELECT id FROM repositories")]
    assert repository is not None
    return repository


async def test_one_that_the_store_knows_is_told_again_by_the_reporter(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter, app_client: GitHub
) -> None:
    sha = await commit(github)
    reporter()
    await pass_all(pool)
    await until(lambda: completed(github, FAST, FULL))
    await until_told(pool)
    before, widgets = newest(github, FAST), await widgets_of(pool)
    assert await compared(pool, github, app_client) == []
    path = f"/repos/{widgets.full_name}/check-runs/{before.id}"
    await app_client.request(widgets, CHECKS, "PATCH", path, body={"status": "in_progress"})
    assert newest(github, FAST).status == "in_progress"
    [said] = await compared(pool, github, app_client)
    assert said == f"{FAST} of {sha[:7]} is told again: GitHub showed it unfinished"
    await until(lambda: completed(github, FAST, FULL))
    after = newest(github, FAST)
    assert (after.id, after.conclusion, after.title) == (before.id, before.conclusion, before.title)
    await until_told(pool)
    assert await compared(pool, github, app_client) == []


async def test_one_that_the_store_does_not_know_is_ended_and_those_of_others_are_left(
    served: Served, github: GitHubStandIn, pool: Pool[Any], app_client: GitHub
) -> None:
    sha = await commit(github)
    widgets = await widgets_of(pool)
    names = {"lost": f"{uuid.uuid4()}/1/{Tier.FAST}", "somebody else's": "deploy 17"}
    for name, external_id in names.items():
        body = {"name": name, "head_sha": sha, "status": "in_progress", "external_id": external_id}
        await app_client.request(widgets, CHECKS, "POST", f"/repos/{widgets.full_name}/check-runs", body=body)
    [said] = await compared(pool, github, app_client)
    assert "nothing is known of its run" in said
    lost, other = newest(github, "lost"), newest(github, "somebody else's")
    assert (lost.status, lost.conclusion) == ("completed", "cancelled")
    assert "no record" in lost.title
    assert "Re-run" in lost.summary
    assert other.status == "in_progress"


async def test_one_whose_attempt_goes_on_is_left_alone(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter, app_client: GitHub
) -> None:
    await commit(github)
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))
    await until_told(pool)
    assert newest(github, FAST).status == "queued"
    assert await compared(pool, github, app_client) == []
    assert newest(github, FAST).status == "queued"
