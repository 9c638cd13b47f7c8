"""`draftsman queue` as a person uses it, against a real Postgres and Redis."""

from __future__ import annotations

import json
from typing import Any

import pytest

from draftsman.domain.run import Conclusion, Trust
from draftsman.store import leases, workers
from draftsman.store.database import Pool
from draftsman.store.workers import Present
from tests.bot.work import OWNER, claim, make_plan
from tests.draftsman.test_steer_command import Draftsman, draftsman, start

__all__ = ["draftsman"]

pytestmark = pytest.mark.services


async def present(pool: Pool[Any], name: str = OWNER, **fields: Any) -> None:
    await workers.beat(pool, Present(name, "box", "1.2.3", **{"slots": 2, "per_repository": 1, **fields}))


async def test_an_empty_queue_says_that_nobody_works(draftsman: Draftsman) -> None:
    done = await draftsman("queue")
    assert done.returncode == 0, done.stderr
    for said in ("none has been heard of", "running  nothing", "waiting  nothing"):
        assert said in done.stdout


async def test_the_queue_shows_what_runs_what_waits_and_why(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await present(pool)
    first = await start(pool, sha="1" * 40)
    await claim(pool)
    second = await start(pool, sha="2" * 40)
    fork = await start(pool, sha="3" * 40, trust=Trust.UNTRUSTED)
    done = await draftsman("queue")
    assert done.returncode == 0, done.stderr
    assert "\x1b[" not in done.stdout
    lines = {line.split()[0]: " ".join(line.split()) for line in done.stdout.splitlines() if line.strip()}
    assert lines[OWNER].startswith(f"{OWNER} 1 of 2 working ")
    assert lines[first[:8]].startswith(f"{first[:8]} acme/widgets 111111111111 preparing ")
    assert lines[first[:8]].endswith(OWNER)
    assert lines[second[:8]].startswith(f"{second[:8]} 1 acme/widgets 222222222222 ")
    assert lines[second[:8]].endswith("1 run of this repository is under way, and no more may be at once")
    assert lines[fork[:8]].endswith("looking at whether this needs approval")
    shown = await draftsman("runs", "show", second)
    assert "waits since " in shown.stdout
    assert "1 run of this repository is under way" in shown.stdout
    document = json.loads((await draftsman("queue", "--json")).stdout)
    assert [one["run_id"] for one in document["waiting"]] == [second, fork]
    assert document["waiting"][0]["wait"]["held_by"] == [first]
    part = await draftsman("queue", "--limit", "1")
    assert part.stdout.count(second[:8]) == 1
    few = await start(pool, sha="4" * 40)
    part = await draftsman("queue", "--limit", "1")
    assert few[:8] not in part.stdout
    assert "and 1 more: `--limit` shows them" in part.stdout


async def test_labels_are_shown_with_the_workers_and_with_who_waits_for_them(
    draftsman: Draftsman, pool: Pool[Any]
) -> None:
    await present(pool, labels=("linux", "amd64"))
    run = await start(pool)
    done = await draftsman("policy", "set", "Acme/Widgets", "--runs-on", "GPU,amd64")
    assert "runs_on                  gpu, amd64  set for this repository" in done.stdout
    shown = (await draftsman("queue")).stdout
    [line] = [line for line in shown.splitlines() if line.startswith(OWNER)]
    assert "linux, amd64" in line
    [line] = [line for line in shown.splitlines() if line.startswith(run[:8])]
    assert "no worker with the labels amd64 and gpu since " in line
    assert shown.splitlines()[-1] == "see docs/alerts/no-worker.md"
    document = json.loads((await draftsman("queue", "--json")).stdout)
    assert document["workers"][0]["labels"] == ["linux", "amd64"]
    assert (document["waiting"][0]["place"], document["waiting"][0]["wait"]["cause"]) == (None, "no_fitting_worker")
    done = await draftsman("policy", "set", "acme/widgets", "--runs-on", "")
    assert "any worker" in done.stdout
    wrong = await draftsman("policy", "set", "acme/widgets", "--runs-on", "a/b")
    assert (wrong.returncode, "'a/b' is no label" in wrong.stderr) == (2, True)


async def test_a_pause_is_said_everywhere_and_ended(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await present(pool)
    run = await start(pool)
    done = await draftsman("queue", "pause", "--reason", "upgrade [bold]now[/]")
    assert done.returncode == 0, done.stderr
    assert "All repositories: paused since" in done.stdout
    assert done.stdout.strip().endswith(": upgrade [bold]now[/]")
    again = await draftsman("queue", "pause")
    assert again.stdout.startswith("Nothing to change: All repositories")
    assert await leases.claim(pool, owner=OWNER, lease_seconds=60, per_repository=1) is None
    shown = (await draftsman("queue")).stdout
    assert shown.count("upgrade [bold]now[/]") == 2
    only = json.loads((await draftsman("queue", "pause", "Acme/Widgets", "--json")).stdout)
    assert (only["repo"], only["reason"]) == ("acme/widgets", "")
    resumed = await draftsman("queue", "resume")
    assert resumed.stdout.startswith("All repositories: runs start again")
    assert "still: acme/widgets: paused since" in resumed.stdout
    nothing = await draftsman("queue", "resume")
    assert (nothing.returncode, "but this is: acme/widgets" in nothing.stderr) == (3, True)
    await draftsman("queue", "resume", "acme/widgets")
    work = await claim(pool)
    assert str(work.attempt.run.id) == run
    actors = {row["actor"] for row in await pool.fetch("SELECT actor FROM audit_events WHERE action LIKE 'queue.%'")}
    assert all(actor.endswith(" (command line)") for actor in actors)


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "widgets"),
        ("resume", "a/b/c"),
        ("pause", "--reason", "two\nlines"),
        ("pause", "--reason", "x" * 201),
        ("drain",),
    ],
)
async def test_what_cannot_be_meant_is_a_usage_error(draftsman: Draftsman, arguments: tuple[str, ...]) -> None:
    assert (await draftsman("queue", *arguments)).returncode == 2


async def test_a_drain_waits_until_the_worker_is_idle(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await present(pool, busy=1)
    await start(pool)
    work = await claim(pool)
    await work.plan(make_plan())
    impatient = await draftsman("queue", "drain", OWNER[:4], "--wait", "--within", "0")
    assert (impatient.returncode, "still has 1 run under way" in impatient.stderr) == (3, True)
    draining = await draftsman.begin("queue", "drain", OWNER, "--wait", "--json")
    await draining.wrote(f"1 run under way on {OWNER}")
    assert await leases.claim(pool, owner=OWNER, lease_seconds=60, per_repository=9) is None
    await work.sandbox()
    await work.finish(Conclusion.SUCCESS)
    assert draining.process.returncode is None  # its slot is still in use, as the worker says
    await present(pool, busy=0)
    done = await draining.ended()
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["state"], document["busy"]) == ("drained", 0)
    undrained = await draftsman("queue", "undrain", OWNER)
    assert undrained.stdout.strip() == f"Worker {OWNER} takes runs again."


async def test_a_worker_is_meant_by_the_beginning_of_its_name(draftsman: Draftsman, pool: Pool[Any]) -> None:
    missing = await draftsman("queue", "drain", "box")
    assert (missing.returncode, "there is none yet" in missing.stderr) == (3, True)
    await present(pool, "box-1")
    await present(pool, "box-2")
    several = await draftsman("queue", "drain", "box")
    assert (several.returncode, "Several workers begin with 'box'" in several.stderr) == (3, True)
    one = await draftsman("queue", "drain", "box-2", "--reason", "upgrade")
    assert one.stdout.strip() == "Worker box-2 takes nothing new."
    shown = (await draftsman("queue")).stdout
    assert "drained" in shown
    assert "(command line): upgrade" in shown
