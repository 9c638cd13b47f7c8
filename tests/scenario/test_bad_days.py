"""A bad day of GitHub's ends as a quiet one does: answers and deliveries that get lost are no news to anybody.

Two hundred events are made on two stand-ins. One behaves; the other drops, doubles, delays and reorders deliveries and
fails requests, before and after they are done. `BAD_DAYS=10` plays ten days instead of one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.github import GitHubStandIn
from tests.product import running, scratch_folder
from tests.scenario.conftest import SETTINGS, World
from tests.scenario.days import Day, make_day
from tests.scenario.playing import NOTES, Seen, Stage, at_rest

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

DELIVERIES = {"drop": 0.1, "lose_answer": 0.1, "duplicate": 0.15, "delay": 0.3, "delay_seconds": 0.5, "window": 4}
REQUESTS = {
    "limited": 0.01,
    "too_many": 0.01,
    "broken": 0.03,
    "broken_after": 0.04,
    "reset": 0.03,
    "reset_after": 0.04,
    "slow": 0.1,
}


@asynccontextmanager
async def own_world() -> AsyncIterator[World]:
    settings = {**SETTINGS, "DRAFTSMAN_RECOVERY_SECONDS": "1", "DRAFTSMAN_LEASE_SECONDS": "30"}
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github, running(github, folder, **settings) as product:
            yield World(github, product)


async def play(day: Day, seed: int | None) -> tuple[Seen, list[str]]:
    """Play the day, a bad one where a seed is given. Returns what people see at its end, and what must not be."""
    async with own_world() as world:
        stage = Stage(world)
        await stage.set()
        for number, act in enumerate(day.acts):
            if seed is not None:
                world.github.misbehave(1000 * seed + number, deliveries=DELIVERIES, requests=REQUESTS)
            for event in act:
                await stage.play(event)
            await world.github.behave()
            await at_rest(world)
        return await stage.seen(day), await stage.wrongs()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(int(os.environ.get("BAD_DAYS", "1"))))
async def test_a_bad_day_ends_as_a_quiet_one(seed: int) -> None:
    day = make_day(seed)
    assert sum(len(act) for act in day.acts) == 200
    (quiet, wrong_on_quiet), (bad, wrong_on_bad) = await asyncio.gather(play(day, None), play(day, seed))
    assert (wrong_on_quiet, wrong_on_bad) == ([], [])
    assert bad == quiet
    for said in ("neutral", "rocket", "confused", "draftsman:reply", f"{NOTES}, ['note 1'"):
        assert said in str(quiet), "the day had nothing of this sort to show"
