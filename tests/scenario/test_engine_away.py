"""A worker whose Docker engine is away: runs wait, and their check runs say why; nothing ends, and none hangs."""

from __future__ import annotations

import asyncio

import pytest

from draftsman.store import database
from tests.github import GitHubStandIn
from tests.product import Product, running, scratch_folder

pytestmark = pytest.mark.scenario


async def minutes_pass(product: Product) -> None:
    """Move what the store knows of times: people are told after a minute, and again after two."""
    pool = await database.connect(product.database_url, size=1)
    async with asyncio.timeout(90):
        while await pool.fetchval("SELECT count(*) FROM unreported") or not await pool.fetchval(
            "SELECT bool_and(wait_told IS NOT NULL) FROM attempts"
        ):
            await asyncio.sleep(0.1)
    await pool.execute(
        "UPDATE attempts SET queued_at = now() - interval '5 min', wait_told_at = now() - interval '5 min'"
    )
    await pool.execute("UPDATE workers SET away_since = now() - interval '5 min'")
    pool.terminate()


async def test_an_engine_that_is_away_is_said_on_the_check_runs(github: GitHubStandIn) -> None:
    repository = await github.create_repository(
        "acme/no-engine", files={".python-version": "3.13\n", "a.py": "x = 1\n"}
    )
    with scratch_folder() as folder:
        async with running(github, folder, DOCKER_HOST=f"unix://{folder}/absent.sock") as product:
            sha = await repository.commit({"README.md": "m\n"}, message="m", branch="feature")
            async with asyncio.timeout(120):
                while len(github.check_runs(sha)) < 2:
                    await asyncio.sleep(0.1)
            await minutes_pass(product)
            async with asyncio.timeout(120):
                while not all("Docker engine" in (run.title or "") for run in github.check_runs(sha)):
                    await asyncio.sleep(0.1)
            for check in github.check_runs(sha):
                assert (check.status, check.conclusion) == ("queued", None)
                assert "the Docker engine of the only worker does not answer since" in (check.title or "")
                assert "It starts by itself once the engine answers" in (check.summary or "")
            code, shown = await product.command("queue")
            assert code == 0
            assert "no engine" in shown
            assert "Docker engine" in product.log()
