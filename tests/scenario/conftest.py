"""One Draftsman for all scenarios, started as people start it, against one GitHub stand-in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.github import GitHubStandIn
from tests.product import Product, running, scratch_folder

LEASE_SECONDS = 3.0
_RESULT_SECONDS = 240


class World:
    """GitHub, and a Draftsman that is installed there."""

    def __init__(self, github: GitHubStandIn, product: Product) -> None:
        self.github = github
        self.product = product

    async def results(self, sha: str) -> dict[str, Any]:
        """Wait until both check runs of a commit are completed, and return them by tier."""
        deadline = time.monotonic() + _RESULT_SECONDS
        while time.monotonic() < deadline:
            runs = self.github.check_runs(sha)
            if len(runs) >= 2 and all(run.status == "completed" for run in runs):
                return {run.name.removeprefix("Draftsman / "): run for run in runs}
            await asyncio.sleep(0.05)
        shown = [(run.name, run.status, run.title) for run in self.github.check_runs(sha)]
        raise AssertionError(f"no result for {sha}: {shown}\n{self.product.log()}")


@pytest.fixture(scope="session")
async def shared_world() -> AsyncIterator[World]:
    """The session's Draftsman. Its lease is short, so that a lost worker is noticed within the test's patience."""
    with scratch_folder() as folder:
        async with (
            GitHubStandIn.start() as github,
            running(github, folder, DRAFTSMAN_LEASE_SECONDS=str(LEASE_SECONDS), DRAFTSMAN_CONCURRENCY="2") as product,
        ):
            yield World(github, product)


@pytest.fixture
async def world(shared_world: World) -> AsyncIterator[World]:
    """The shared Draftsman. A request of ours that GitHub would refuse fails the test that sent it."""
    yield shared_world
    shared_world.github.assert_no_violations()
