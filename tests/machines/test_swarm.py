"""The stack on a swarm of two nodes: both work, a drained one hands over, and each is steered from the other.

One story, whose chapters stand on those before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.chaos.load import COUNTS, checked
from tests.github import Repository
from tests.machines.hosts import Host
from tests.machines.swarm import NAME, Swarm, changed, deployed, ok
from tests.product import scratch_folder

pytestmark = [pytest.mark.engine, pytest.mark.linux_root, pytest.mark.timeout(600)]

SLOW_SECONDS = 25
SLOW = checked(f"echo begun; sleep {SLOW_SECONDS}; echo over")
ENDLESS = checked("echo begun; sleep 600")


@pytest.fixture(scope="module")
async def story() -> AsyncIterator[tuple[Swarm, str]]:
    with scratch_folder() as folder:
        async with deployed(folder) as up:
            yield up


@pytest.fixture
def swarm(story: tuple[Swarm, str]) -> Swarm:
    return story[0]


async def repository(swarm: Swarm, name: str, files: dict[str, str]) -> Repository:
    return await swarm.github.create_repository(f"acme/{name}", files=files)


async def pushed(home: Repository, branch: str) -> str:
    return await home.commit({f"{branch}.md": "x\n"}, message=f"Change {branch}", branch=branch)


async def engines_of(swarm: Swarm, *shas: str) -> dict[str, str]:
    """Return the host on whose engine the newest attempt of each commit runs, or ran."""
    listed = ", ".join(f"'{sha}'" for sha in shas)
    rows = await swarm.rows(
        "SELECT r.head_sha, w.host FROM runs r JOIN attempts a ON a.run_id = r.id "
        "JOIN workers w ON w.engine = a.engine "
        f"WHERE r.head_sha IN ({listed}) ORDER BY a.number"
    )
    return {row[0]: row[1] for row in rows}


async def running_on(swarm: Swarm, *shas: str) -> dict[str, str]:
    """Wait until the jobs of the commits run, and return on which host each does."""
    listed = ", ".join(f"'{sha}'" for sha in shas)

    async def is_so() -> bool:
        rows = await swarm.rows(
            "SELECT count(*) FROM attempts a JOIN runs r ON r.id = a.run_id JOIN steps s ON s.attempt_id = a.id "
            f"WHERE a.state = 'running' AND s.state = 'running' AND r.head_sha IN ({listed})"
        )
        return int(rows[0][0]) >= len(shas)

    await swarm.until(f"{len(shas)} jobs that run", is_so)
    return await engines_of(swarm, *shas)


async def was_once(swarm: Swarm, *shas: str) -> None:
    """Assert that each commit was one attempt, and that GitHub shows one check run of each tier."""
    listed = ", ".join(f"'{sha}'" for sha in shas)
    rows = await swarm.rows(
        "SELECT r.head_sha, count(*), min(a.conclusion) FROM runs r JOIN attempts a ON a.run_id = r.id "
        f"WHERE r.head_sha IN ({listed}) GROUP BY 1"
    )
    assert sorted(rows) == sorted([sha, "1", "success"] for sha in shas)
    for sha in shas:
        assert sorted(run.name for run in swarm.github.check_runs(sha)) == ["Draftsman / fast", "Draftsman / full"]


async def jobs_on(host: Host) -> list[str]:
    """Return the containers of jobs that run on a host."""
    listed = await ok(host, "ps", "--filter", "name=draftsman-job-", "--format", "{{.Names}}")
    return listed.split()


async def test_all_start_in_any_order_without_a_crash(swarm: Swarm) -> None:
    tasks = await ok(swarm.manager, "stack", "ps", NAME, "--format", "{{.Name}} {{.CurrentState}} {{.Error}}")
    assert not [line for line in tasks.splitlines() if "Failed" in line or "Rejected" in line], await swarm.seen()
    assert "Traceback" not in await swarm.seen()
    shown = json.loads(await swarm.draftsman(swarm.other, "worker", "queue", "--json"))
    assert sorted(worker["host"] for worker in shown["workers"]) == ["host-1", "host-2"]
    for host, service in ((swarm.manager, "api"), (swarm.manager, "worker"), (swarm.other, "worker")):
        container = await swarm.container(host, service)
        who = await ok(
            host, "exec", container, "sh", "-c", "stat -c %u /proc/[0-9]*/exe 2>/dev/null; cat /proc/*/status"
        )
        programs = [part for part in who.split("Name:") if part.strip().startswith("draftsman")]
        assert programs
        assert all("Uid:\t10001" in part and "CapEff:\t0000000000000000" in part for part in programs)
    environment = await ok(swarm.manager, "service", "inspect", f"{NAME}_api", f"{NAME}_worker", f"{NAME}_postgres")
    assert swarm.token not in environment
    assert swarm.github.app.webhook_secret not in environment


async def test_runs_spread_over_the_engines_of_both_nodes(swarm: Swarm) -> None:
    homes = [await repository(swarm, f"counts-{number}", COUNTS) for number in range(3)]
    shas = [await pushed(home, f"b{number}") for home in homes for number in range(4)]
    assert set(await swarm.ended(*shas)) == {"success"}
    assert set((await engines_of(swarm, *shas)).values()) == {"host-1", "host-2"}
    await was_once(swarm, *shas)


async def test_logs_and_cancel_work_for_a_job_on_either_node(swarm: Swarm) -> None:
    homes = [await repository(swarm, f"endless-{number}", ENDLESS) for number in range(4)]
    shas = [await pushed(home, "b") for home in homes]
    where = await running_on(swarm, *shas)
    assert sorted(where.values()) == ["host-1", "host-1", "host-2", "host-2"]
    runs = {row[0]: row[1] for row in await swarm.rows("SELECT head_sha, id FROM runs")}
    here, there = ([sha for sha in shas if where[sha] == host] for host in ("host-1", "host-2"))
    api, worker = (swarm.manager, "api"), (swarm.other, "worker")
    for sha, (host, service) in zip((here[0], there[0], here[1], there[1]), (worker, api, api, worker), strict=True):

        async def tells(sha: str = sha, host: Host = host, service: str = service) -> bool:
            said = await swarm.draftsman(host, service, "runs", "logs", runs[sha])
            _, text = await swarm.rest("GET", f"runs/{runs[sha]}/log")
            return "begun" in said and "begun" in text

        await swarm.until(f"the log of {sha} by {service}", tells, seconds=30)
    await swarm.draftsman(*worker, "runs", "cancel", runs[here[0]])
    await swarm.draftsman(*api, "runs", "cancel", runs[there[0]])
    for sha in (here[1], there[1]):
        status, text = await swarm.rest("POST", f"runs/{runs[sha]}/cancel")
        assert status == 202, text
    assert set(await swarm.ended(*shas, seconds=60)) == {"cancelled"}
    await swarm.until("no job", lambda: _none(swarm, *swarm.hosts.members), seconds=60)


async def test_a_drained_node_hands_over_what_it_has(swarm: Swarm) -> None:
    homes = [await repository(swarm, f"slow-{number}", SLOW) for number in range(4)]
    shas = [await pushed(home, "b") for home in homes]
    where = await running_on(swarm, *shas)
    assert "host-2" in where.values()
    waiting = [await pushed(home, "waits") for home in homes[:2]]
    worker = await swarm.container(swarm.other, "worker")
    await ok(swarm.manager, "node", "update", "--availability", "drain", "host-2")
    # It ends by itself, within the time that it has: 137 would be the end of that.
    ended = await ok(swarm.other, "wait", worker)
    assert ended == "0", (await swarm.other.docker("logs", worker))[1]
    assert set(await swarm.ended(*shas, *waiting)) == {"success"}
    assert set((await engines_of(swarm, *shas, *waiting)).values()) == {"host-1"}
    await was_once(swarm, *shas, *waiting)
    await swarm.until("no job on the drained node", lambda: _none(swarm, swarm.other), seconds=90)
    await ok(swarm.manager, "node", "update", "--availability", "active", "host-2")
    await swarm.until("the worker", lambda: swarm.is_up(swarm.settings["DRAFTSMAN_IMAGE"]))


async def test_an_upgrade_takes_up_what_runs(story: tuple[Swarm, str]) -> None:
    swarm, image = story
    newer = await changed(swarm, image, "2")
    homes = [await repository(swarm, f"upgraded-{number}", SLOW) for number in range(4)]
    shas = [await pushed(home, "b") for home in homes]
    await running_on(swarm, *shas)
    before = {name: await _id(host, name) for host in swarm.hosts.members for name in await jobs_on(host)}
    assert len(before) == 4
    deploying = asyncio.create_task(swarm.deploy(newer))
    after: dict[str, set[str]] = {name: set() for name in before}
    while not deploying.done():
        for host in swarm.hosts.members:
            for name in await jobs_on(host):
                after.setdefault(name, set()).add(await _id(host, name))
        await asyncio.sleep(0.5)
    await deploying
    assert set(await swarm.ended(*shas)) == {"success"}
    await was_once(swarm, *shas)
    # The containers that ran before the upgrade are those that ran after it.
    seen = {name: ids - {""} for name, ids in after.items()}
    assert seen == {name: {before[name]} for name in before}, await swarm.seen()


async def test_removing_the_stack_leaves_nothing_of_ours(swarm: Swarm) -> None:
    home = await repository(swarm, "left", ENDLESS)
    shas = [await pushed(home, branch) for branch in ("b", "c")]
    await running_on(swarm, *shas)
    await swarm.draftsman(swarm.manager, "api", "queue", "pause", "--reason", "it is to be removed")
    runs = await swarm.rows(f"SELECT id FROM runs WHERE head_sha IN ('{shas[0]}', '{shas[1]}')")
    for [run] in runs:
        await swarm.draftsman(swarm.manager, "api", "runs", "cancel", run)
    assert set(await swarm.ended(*shas)) == {"cancelled"}
    await ok(swarm.manager, "stack", "rm", "--detach=false", NAME)

    async def is_bare() -> bool:
        return not any([await ok(host, "ps", "--quiet") for host in swarm.hosts.members])

    async def has_no_network() -> bool:
        # `stack rm` orders it; the swarm removes a network once no task is on it.
        return not await ok(swarm.manager, "network", "ls", "--filter", f"name={NAME}_", "--quiet")

    await swarm.until("no container on any node", is_bare, seconds=60)
    await swarm.until("no network of ours", has_no_network, seconds=60)
    volumes = await ok(swarm.manager, "volume", "ls", "--quiet", "--filter", f"name={NAME}_")
    assert {f"{NAME}_pg_data", f"{NAME}_home", f"{NAME}_backups"} <= set(volumes.split())
    swarm.github.assert_no_violations()


async def _none(swarm: Swarm, *of: Host) -> bool:
    return not [name for host in of for name in await jobs_on(host)]


async def _id(host: Host, name: str) -> str:
    _, said = await host.docker("inspect", "--format", "{{if .State.Running}}{{.Id}}{{end}}", name)
    return said if len(said) == 64 else ""
