"""What an administrator does to the queue, and what it says of itself, through the whole product."""

from __future__ import annotations

import json

import pytest

from tests.scenario.conftest import World

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

FILES = {".draftsman.toml": 'setup = ""\nfast = ["true"]\nfull = ["true"]\n', ".python-version": "3.13\n"}


async def test_what_is_pushed_while_a_repository_is_paused_says_so_and_runs_when_it_is_resumed(world: World) -> None:
    repository = await world.github.create_repository("acme/paused", files=FILES)
    code, said = await world.product.command("queue", "pause", "acme/paused", "--reason", "upgrade of the runner")
    assert (code, "acme/paused: paused since" in said) == (0, True)
    sha = await repository.commit({"README.md": "x\n"}, message="m", branch="feature")

    def is_paused() -> bool:
        runs = world.shown(sha).values()
        return len(runs) == 2 and all("this repository is paused" in (run.title or "") for run in runs)

    await world.until(is_paused, "checks that say that they are paused")
    assert {run.status for run in world.shown(sha).values()} == {"queued"}
    assert all((run.title or "").endswith(": upgrade of the runner") for run in world.shown(sha).values())
    queue = json.loads((await world.product.command("queue", "--json"))[1])
    [waiting] = [one for one in queue["waiting"] if one["repo"] == "acme/paused" and one["sha"] == sha]
    assert (waiting["wait"]["cause"], waiting["place"]) == ("paused", None)
    [worker] = queue["workers"]
    assert (worker["slots"], worker["drain"]) == (2, None)
    assert worker["state"] in ("idle", "working")
    assert worker["engine"]
    assert (await world.product.command("queue", "resume", "acme/paused"))[0] == 0
    results = await world.results(sha)
    assert {run.conclusion for run in results.values()} == {"success"}


async def test_a_drained_worker_ends_what_it_has_and_takes_nothing_new(world: World) -> None:
    repository = await world.github.create_repository(
        "acme/drained", files={**FILES, ".draftsman.toml": 'setup = ""\nfast = ["sleep 3"]\nfull = []\n'}
    )
    going = await repository.commit({"README.md": "x\n"}, message="m", branch="feature")
    await world.running(going)
    [worker] = json.loads((await world.product.command("queue", "--json"))[1])["workers"]
    try:
        code, drained = await world.product.command("queue", "drain", worker["name"], "--wait", "--json")
        assert (code, json.loads(drained)["state"]) == (0, "drained")
        assert (await world.results(going))["fast"].conclusion == "success"
        later = await repository.commit({"README.md": "y\n"}, message="m", branch="other")

        async def is_in_line() -> bool:
            return bool([one for one in await world.attempts(later) if one["state"] == "queued"])

        await world.eventually(is_in_line)
        queue = json.loads((await world.product.command("queue", "--json"))[1])
        causes = [one["wait"]["cause"] for one in queue["waiting"] if one["sha"] == later]
        assert causes == ["draining"]
    finally:
        await world.product.command("queue", "undrain", worker["name"])
    assert (await world.results(later))["fast"].conclusion == "success"
