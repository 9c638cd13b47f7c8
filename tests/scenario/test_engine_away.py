"""A worker whose Docker engine is away: every run says so on its check runs, none hangs."""

from __future__ import annotations

import asyncio

import pytest

from tests.github import GitHubStandIn
from tests.product import running, scratch_folder

pytestmark = pytest.mark.scenario


async def test_an_engine_that_is_away_is_said_on_the_check_runs(github: GitHubStandIn) -> None:
    repository = await github.create_repository(
        "acme/no-engine", files={".python-version": "3.13\n", "a.py": "x = 1\n"}
    )
    with scratch_folder() as folder:
        async with running(github, folder, DOCKER_HOST=f"unix://{folder}/absent.sock") as product:
            sha = await repository.commit({"README.md": "m\n"}, message="m", branch="feature")
            async with asyncio.timeout(60):
                while not [run for run in github.check_runs(sha) if run.status == "completed"]:
                    await asyncio.sleep(0.1)
            fast = github.check_runs(sha, name="Draftsman / fast")[0]
            assert fast.conclusion == "failure"
            shown = f"{fast.title}\n{fast.summary}"
            assert "Draftsman could not run this" in shown
            assert "Docker engine" in shown
            assert "Docker engine" in product.log()
