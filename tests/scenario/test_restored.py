"""An older backup is put back: what was under way then comes to its end, what happened since is found again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.github import GitHubStandIn
from tests.product import running, scratch_folder
from tests.scenario.conftest import SETTINGS, World
from tests.scenario.samples import checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

SOON = {**SETTINGS, "DRAFTSMAN_RECOVERY_SECONDS": "1"}


async def test_a_backup_that_is_put_back_loses_no_commit() -> None:
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github:
            home = await github.create_repository("acme/restored", files=checks("sleep 4"))
            async with running(github, folder, **SOON) as product:
                world = World(github, product)
                before = await home.commit({"a.md": "a"}, branch="before")
                await world.results(before)
                under_way = await home.commit({"b.md": "b"}, branch="under-way")
                await world.until(lambda: any(run.status == "in_progress" for run in github.check_runs(under_way)))
                code, said = await product.command("backup")
                assert code == 0, said
                dump = Path(said.split(" (")[0])
                await world.results(under_way)
                since = await home.commit({"c.md": "c"}, branch="since")
                await world.results(since)
            code, said = await product.command("restore", dump.name)
            assert code == 3, said  # it is not empty
            code, said = await product.command("restore", dump.name, "--force")
            assert code == 0, said
            async with running(github, folder, **SOON) as product:
                world = World(github, product)
                _, listed = await product.command("runs", "list")
                assert before[:12] in listed
                await world.until(lambda: len(github.check_runs(since)) == 4)
                for sha in (before, under_way, since):
                    await world.results(sha)
                    assert {run.conclusion for run in world.shown(sha).values()} == {"success"}, world.seen()
                await asyncio.sleep(3)
                assert all(run.status == "completed" for run in github.check_runs()), world.seen()
            github.assert_no_violations()
