"""Two machines with engines of their own, one queue and one registry: the whole product on them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.chaos.engine import READY
from tests.chaos.load import checked, counting
from tests.github import Repository
from tests.machines.fleet import Fleet, fleet
from tests.product import scratch_folder

pytestmark = [pytest.mark.engine, pytest.mark.linux_root, pytest.mark.chaos]

OWN = {1: {"DRAFTSMAN_LABELS": "h1"}, 2: {"DRAFTSMAN_LABELS": "h2,gpu"}}
"""What the worker beside each engine offers of its own."""


@pytest.fixture(scope="module")
async def two() -> AsyncIterator[Fleet]:
    with scratch_folder() as folder:
        async with fleet(folder, own=OWN) as up:
            yield up
            up.github.assert_no_violations()


async def repository(on: Fleet, name: str, fast: str, *, counts: bool = True) -> Repository:
    """A repository with a Dockerfile of its own. Its build takes a moment, and says at its end that it was done."""
    files = checked(fast, 'echo "all of it"')
    said = f"""RUN python3 -c "import urllib.request as u; u.urlopen('{on.builds.url}/{name}').read()"\n"""
    files["Dockerfile"] = f"FROM {READY}\nRUN sleep 2; echo {name} > /made\n" + (said if counts else "")
    return await on.github.create_repository(f"acme/{name}", files=files)


async def push(to: Repository, branch: str) -> str:
    return await to.commit({f"{branch}.md": f"{branch}\n"}, message=f"Change {branch}", branch=branch)


async def takers(on: Fleet, sha: str) -> list[int]:
    """The hosts whose workers took the commit's attempts, in order."""
    rows = await on.rows(
        "SELECT w.engine FROM audit_events e JOIN runs r ON r.id = e.run_id "
        "JOIN workers w ON 'worker ' || w.name = e.actor "
        "WHERE r.head_sha = $1 AND e.action = 'attempt.claimed' ORDER BY e.id",
        sha,
    )
    numbers = {engine: number for number, engine in (await on.engines()).items()}
    return [numbers[row["engine"]] for row in rows]


async def running(on: Fleet, sha: str, number: int) -> str:
    """Wait until the commit's job prints on this host; return its container."""

    async def prints() -> str | None:
        query = (
            "SELECT count(*) FROM log_chunks c JOIN attempts a ON a.id = c.attempt_id JOIN runs r ON r.id = a.run_id "
            "WHERE r.head_sha = $1 AND c.section = 'fast-1' AND a.engine = $2 AND a.state = 'running'"
        )
        there = await on.value(query, sha, (await on.engines())[number])
        jobs = await on.jobs(number, sha)
        return jobs[0] if there and jobs else None

    return await on.until(prints, f"a job of {sha[:7]} on host {number}")


async def lines_of(on: Fleet, sha: str) -> list[str]:
    return [line for line in (await on.log(sha)).splitlines() if line.startswith("line ")]


@pytest.mark.timeout(600)
async def test_labels_say_which_machine_runs_what(two: Fleet) -> None:
    home = await repository(two, "labelled", "true")
    await two.command("policy", "set", home.full_name, "--runs-on", "gpu")
    shas = [await push(home, f"b{number}") for number in range(2)]
    for sha in shas:
        shown = await two.shown(sha)
        assert {run.conclusion for run in shown.values()} == {"success"}
        assert await takers(two, sha) == [2]
    listed = await two.command("queue")
    assert "linux, amd64, h2, gpu" in listed or "linux, arm64, h2, gpu" in listed
    await two.command("policy", "set", home.full_name, "--runs-on", "fpga,h1")
    waiting = await push(home, "waits")

    async def says_so() -> bool:
        return "no worker with the labels fpga and h1" in await two.command("queue")

    await two.until(says_so, "the reason why it waits")
    await two.command("policy", "set", home.full_name, "--runs-on", "h1")
    assert {run.conclusion for run in (await two.shown(waiting)).values()} == {"success"}
    assert await takers(two, waiting) == [1]


@pytest.mark.timeout(600)
async def test_what_one_engine_built_or_built_anew_the_other_one_pulls(two: Fleet) -> None:
    home = await repository(two, "shared", "cat /made")

    async def on_host(number: int, branch: str) -> tuple[Any, str]:
        """The image that a run on this host used, and the engine's id of it."""
        await two.command("policy", "set", home.full_name, "--runs-on", f"h{number}")
        sha = await push(home, branch)
        assert {run.conclusion for run in (await two.shown(sha)).values()} == {"success"}
        assert await takers(two, sha) == [number]
        image = json.loads((await two.attempt(sha))["image"])
        _, identity = await two.host(number).docker("image", "inspect", "--format", "{{.Id}}", image["tag"])
        return image, identity

    built, first = await on_host(1, "first")
    pulled, second = await on_host(2, "second")
    assert (built["cached"], pulled["cached"], pulled["tag"]) == (False, True, built["tag"])
    assert (first, two.builds.heard.count("shared")) == (second, 1)
    await two.command("images", "rebuild", home.full_name)
    rebuilt, third = await on_host(2, "third")
    assert (rebuilt["cached"], rebuilt["tag"], third != first) == (False, built["tag"], True)
    reached, fourth = await on_host(1, "fourth")
    assert (reached["cached"], fourth, two.builds.heard.count("shared")) == (True, third, 2)


@pytest.mark.timeout(600)
async def test_a_worker_that_is_started_again_goes_on_with_its_job_and_the_other_machine_leaves_it(two: Fleet) -> None:
    home = await repository(two, "handed-over", counting("fast", 120, 0.1))
    await two.command("policy", "set", home.full_name, "--runs-on", "h1")
    sha = await push(home, "stays")
    job = await running(two, sha, 1)
    await two.command("policy", "unset", home.full_name, "runs_on")
    two.workers[1].terminate(away_seconds=3)
    shown = await two.shown(sha)
    assert {run.conclusion for run in shown.values()} == {"success"}
    assert await takers(two, sha) == [1, 1]
    assert await lines_of(two, sha) == [f"line {number} of fast" for number in range(1, 121)]
    assert job
    assert await two.jobs(2, sha) == []


@pytest.mark.timeout(600)
async def test_one_that_does_not_come_back_is_not_waited_for_and_its_job_is_ended_when_it_does(two: Fleet) -> None:
    home = await repository(two, "begun-anew", counting("fast", 350, 0.1))
    await two.command("policy", "set", home.full_name, "--runs-on", "h1")
    sha = await push(home, "moves")
    job = await running(two, sha, 1)
    await two.command("policy", "unset", home.full_name, "runs_on")
    two.workers[1].terminate(away_seconds=18)

    async def waits() -> bool:
        return "a worker of the same engine is waited for until" in await two.command("queue")

    await two.until(waits, "the reason why it waits", seconds=15)
    await running(two, sha, 2)
    assert await two.jobs(1, sha) == [job], "nobody is there to end it yet"

    async def is_ended() -> bool:
        return not await two.jobs(1, sha)

    await two.until(is_ended, "the end of the first job")
    assert (await two.attempt(sha))["state"] == "running"
    shown = await two.shown(sha)
    assert {run.conclusion for run in shown.values()} == {"success"}
    assert await takers(two, sha) == [1, 2]
    assert await lines_of(two, sha) == [f"line {number} of fast" for number in range(1, 351)]
    ends = "SELECT count(*) FROM audit_events e JOIN runs r ON r.id = e.run_id WHERE head_sha = $1 AND action = $2"
    assert await two.value(ends, sha, "attempt.finished") == 1


RUNS, REPOSITORIES, LINES = 40, 5, 20
MIDWAY = 12
"""So many runs have ended when a machine dies."""


@pytest.mark.timeout(900)
async def test_forty_runs_end_once_though_a_machine_dies_midway_and_each_image_is_built_once(two: Fleet) -> None:
    """The last of these: there is one machine afterwards."""
    on = two
    homes = [await repository(on, f"many-{number}", counting("fast", LINES, 0.05)) for number in range(REPOSITORIES)]
    engines = await on.engines()
    shas = [await push(homes[number % REPOSITORIES], f"b{number}") for number in range(RUNS)]
    await _until_midway(on, shas, engines[1])
    await on.lose_machine(1)

    for sha in shas:
        runs = on.github.check_runs(sha) if await on.shown(sha) else []
        assert sorted((run.name, run.conclusion) for run in runs) == [
            ("Draftsman / fast", "success"),
            ("Draftsman / full", "success"),
        ]
        assert await lines_of(on, sha) == [f"line {number} of fast" for number in range(1, LINES + 1)]

    rows = await on.rows(
        "SELECT e.attempt_id, e.action, e.actor FROM audit_events e JOIN runs r ON r.id = e.run_id "
        "WHERE r.head_sha = ANY($1) AND e.attempt_id IS NOT NULL",
        shas,
    )
    ends = Counter(row["attempt_id"] for row in rows if row["action"] == "attempt.finished")
    assert (len(ends), set(ends.values())) == (RUNS, {1})
    tries = "SELECT count(*) FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.head_sha = ANY($1)"
    assert await on.value(tries, shas) == RUNS, "none was tried again"
    names = {str(row["name"]): row["engine"] for row in await on.rows("SELECT name, engine FROM workers")}
    by = Counter(names[row["actor"].removeprefix("worker ")] for row in rows if row["action"] == "attempt.finished")
    lost = {row["attempt_id"] for row in rows if row["action"] == "lease.lost"}
    there, here = by[engines[1]], by[engines[2]]
    print(f"{there} runs ended on the machine that died, {here} on the other; {len(lost)} were lost with it")
    assert min(by[engine] for engine in engines.values()) >= 3, "both machines did their part"
    assert lost, "it had something in hand"

    images = await on.rows("SELECT tag, build_seconds FROM images WHERE repo LIKE 'acme/many-%'")
    assert len({row["tag"] for row in images}) == REPOSITORIES
    assert len([row for row in images if row["build_seconds"] > 0]) == REPOSITORIES, "pulled, wherever not built"
    heard = Counter(name for name in on.builds.heard if name.startswith("many-"))
    assert heard == Counter({f"many-{number}": 1 for number in range(REPOSITORIES)}), "each was built once"


async def _until_midway(on: Fleet, shas: list[str], engine: str) -> None:
    """Wait until some runs have ended, all images are there, and this engine has runs in hand."""

    async def is_so() -> bool:
        ended = await on.value(
            "SELECT count(*) FROM attempts a JOIN runs r ON r.id = a.run_id "
            "WHERE a.state = 'finished' AND r.head_sha = ANY($1)",
            shas,
        )
        pushed = await on.value("SELECT count(*) FROM pushed_images WHERE repo LIKE 'acme/many-%'")
        has = await on.value("SELECT count(*) FROM attempts WHERE state = 'running' AND engine = $1", engine)
        return bool(ended >= MIDWAY and pushed == REPOSITORIES and has)

    await on.until(is_so, "the middle", seconds=240)
