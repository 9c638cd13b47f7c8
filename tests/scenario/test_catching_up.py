"""Draftsman was away while people worked: it catches up by itself, by GitHub's list of deliveries or without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.github import GitHubStandIn
from tests.product import Product, running, scratch_folder
from tests.scenario.conftest import NOWHERE, SETTINGS, World
from tests.scenario.days import make_day
from tests.scenario.playing import Seen, Stage, at_rest
from tests.scenario.samples import NAMES, WORDS
from tests.scenario.scenes import MAIN, Head

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

DAY = make_day(1, events=60, acts=2)
"""Thirty events while Draftsman is there, so that it knows the repositories, and thirty while it is away."""

SOON = {**SETTINGS, "DRAFTSMAN_RECOVERY_SECONDS": "1"}
ACTED_ON_WITHIN = 10.0


@pytest.fixture(scope="module")
async def quiet() -> Seen:
    """What people see where Draftsman was there all the time."""
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github, running(github, folder, **SOON) as product:
            stage = await begun(World(github, product))
            await play(stage, 1)
            await at_rest(stage.world)
            return await stage.seen(DAY)


@contextmanager
def away(github: GitHubStandIn) -> Iterator[None]:
    """GitHub goes on to send what happens to a Draftsman that is stopped."""
    github.auto_deliver = True
    yield
    github.auto_deliver = False


async def begun(world: World) -> Stage:
    stage = Stage(world)
    await stage.set()
    await play(stage, 0)
    await at_rest(world)
    return stage


async def play(stage: Stage, act: int) -> None:
    for event in DAY.acts[act]:
        await stage.play(event)


async def doctor(product: Product) -> str:
    return (await product.command("doctor", "--only", "recovery"))[1]


async def test_what_happened_while_it_was_away_is_caught_up_from_githubs_list(quiet: Seen) -> None:
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github:
            async with running(github, folder, **SOON) as product:
                stage = await begun(World(github, product))
            with away(github):
                await play(stage, 1)
            assert not any(delivery.succeeded for delivery in github.deliveries[-30:])
            async with running(github, folder, **SOON) as product:
                stage.world = World(github, product)
                await at_rest(stage.world)
                assert await stage.wrongs() == []
                assert await stage.seen(DAY) == quiet
                assert "gap" not in await doctor(product), "GitHub's list told everything"


async def test_where_the_list_was_emptied_the_heads_are_compared(quiet: Seen) -> None:
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github:
            async with running(github, folder, **SOON) as product:
                stage = await begun(World(github, product))
            with away(github):
                await play(stage, 1)
            github.forget_deliveries()
            async with running(github, folder, **SOON) as product:
                stage.world = World(github, product)
                await stage.world.eventually(lambda: compared(stage.world))
                await rested(stage.world)
                assert await stage.wrongs(all_known=False) == []
                seen, compared_heads = await stage.seen(DAY), 0
                for head in DAY.heads:
                    if is_compared(head, stage):
                        [what] = [key for key in quiet if key.startswith(f"{head.kind} {head.name} of {head.place},")]
                        assert seen[what] == quiet[what]
                        compared_heads += 1
                assert compared_heads >= 3, "there was something to compare"
                said = await doctor(product)
                assert "gap from" in said
                assert "made up for by comparing heads" in said


def is_compared(head: Head, stage: Stage) -> bool:
    """Whether comparing heads finds it: a default branch or an open pull request, of a repository that is known.

    Comments cannot be found that way, so what somebody approved in the gap still waits. Where a check fails, its title
    tells of the default branch, which may run for the first time now.
    """
    if head.place == "notes" or head.place not in {event.place for event in DAY.acts[0]} or not head.is_sure:
        return False
    if head.kind == "branch":
        return head.name == MAIN
    steered = {event.name for event in DAY.acts[1] if event.kind in ("comment", "approve", "rerun")}
    return head.kind == "pull" and not stage.pulls[head.place, head.name].draft and head.name not in steered


async def compared(world: World) -> bool:
    """Whether the gap was found and made up for."""
    query = "SELECT 1 FROM recovery WHERE gap_until IS NOT NULL AND compared_at >= gap_until"
    return bool(await world.rows(query))


async def rested(world: World) -> None:
    """Wait until nothing is left to do, though not every delivery will ever be known."""

    async def is_so() -> bool:
        [row] = await world.rows(
            "SELECT (SELECT count(*) FROM tasks WHERE state = 'open') + (SELECT count(*) FROM unreported) "
            "+ (SELECT count(*) FROM attempts WHERE state NOT IN ('finished', 'waiting')) AS left"
        )
        return bool(row["left"] == 0)

    await world.eventually(is_so)


async def test_sync_finds_what_no_event_told_of() -> None:
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github, running(github, folder, **SETTINGS) as product:
            world = World(github, product)
            widgets = await github.create_repository("acme/unheard", files=WORDS)
            await world.ended(await widgets.commit({"a.md": "a\n"}))
            await world.settled()
            github.auto_deliver = False
            main = await widgets.commit({"b.md": "b\n"})
            await widgets.commit({"c.md": "c\n"}, branch="feature")
            pull = await widgets.open_pull("C", head="feature")
            github.auto_deliver = True
            code, said = await product.command("sync", "--json")
            document = json.loads(said)
            assert (code, document["missed"]) == (0, 2), said
            for sha in (main, pull.head_sha):
                shown = await world.ended(sha)
                assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "neutral")
            code, said = await product.command("sync", "--repo", "acme/unheard", "--json")
            assert (code, json.loads(said)["missed"]) == (0, 0), said
            assert len(github.check_runs(pull.head_sha)) == 2
            github.assert_no_violations()


async def test_a_new_pull_request_is_acted_on_within_seconds_where_github_cannot_reach_us() -> None:
    with scratch_folder() as folder:
        settings = {**SETTINGS, "DRAFTSMAN_DELIVERY": "poll"}
        async with GitHubStandIn.start() as github, running(github, folder, **settings) as product:
            github.webhook_url = NOWHERE
            world = World(github, product)
            widgets = await github.create_repository("acme/behind-a-router", private=False, files=WORDS)
            await world.policy("acme/behind-a-router", approval="open")
            fork = await github.fork(widgets, "dana")
            sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="dana")
            await widgets.open_pull("A", head="feature", head_repository=fork, author="dana")
            await world.until(lambda: github.check_runs(sha), "a check run", seconds=ACTED_ON_WITHIN)
            assert (await world.ended(sha))["fast"].conclusion == "neutral"
            assert not any(delivery.succeeded for delivery in github.deliveries)
            github.assert_no_violations()
