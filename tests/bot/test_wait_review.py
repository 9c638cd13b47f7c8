"""GitHub shows why a run waits, and is told again when that changes, a few at a time."""

from __future__ import annotations

from typing import Any

import pytest

from bot.wait_review import TOLD_AT_ONCE, WaitReview
from draftsman.domain.admission import EVERYBODY
from draftsman.domain.plan import Tier
from draftsman.domain.run import Ref, RefKind, Repository, Trust
from draftsman.domain.waiting import Terms
from draftsman.store import leases, pauses, runs, workers
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted
from draftsman.store.workers import Present
from tests.bot.reporting import (
    FAST,
    FULL,
    StartReporter,
    ask_again,
    commit,
    completed,
    newest,
    pass_all,
    until,
    until_told,
)
from tests.bot.work import OWNER
from tests.github import GitHubStandIn

TERMS = Terms(EVERYBODY)


async def pause(pool: Pool[Any], reason: str = "", *, end: bool = False) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if end:
            await pauses.resume(connection, None, by="ada")
        else:
            await pauses.pause(connection, None, by="ada", reason=reason)


async def present(pool: Pool[Any]) -> None:
    await workers.beat(pool, Present(OWNER, "host", "1.0", slots=2, per_repository=1))


async def hours_pass(pool: Pool[Any]) -> None:
    """All that waits has waited for an hour, and all that was told was told an hour ago."""
    await pool.execute(
        "UPDATE attempts SET queued_at = queued_at - interval '1 hour', wait_told_at = wait_told_at - interval '1 hour'"
    )


async def told_before(pool: Pool[Any], count: int) -> None:
    """Attempts in line of which GitHub was told, by nobody in particular, that they wait."""
    for number in range(count):
        repository = Repository(number + 1, f"acme/r{number}", "https://x/y.git", "main", False, 3)
        async with pool.acquire() as connection, connection.transaction():
            wanted = Wanted(repository, f"{number:040x}", Ref(RefKind.BRANCH, "main"), Trust.TRUSTED)
            await runs.start(connection, wanted, delivery=None)
    await pool.execute("UPDATE attempts SET wait_told = '', wait_told_at = now()")
    await pool.execute("DELETE FROM unreported")


async def shown_waiting(github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter) -> None:
    """A worker is there, a commit comes, and both of its check runs are on GitHub."""
    await present(pool)
    await commit(github)
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))


async def test_a_run_that_comes_while_the_queue_is_paused_says_so_at_once(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await present(pool)
    await pause(pool, "upgrade")
    sha = await commit(github)
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))
    for name in (FAST, FULL):
        shown = newest(github, name, sha)
        assert shown.status == "queued"
        assert shown.title.startswith("waiting: all runs are paused since ")
        assert shown.title.endswith("by ada: upgrade")
        assert "starts by itself once an administrator" in shown.summary
    await until_told(pool)
    assert await WaitReview(pool, TERMS).look() == []
    assert len(github.check_run_history(FAST, sha)) == 1


async def test_what_waits_is_told_of_a_pause_and_of_its_end(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await shown_waiting(github, pool, reporter)
    assert newest(github, FAST).title == "waiting for a worker"
    await until_told(pool)
    review = WaitReview(pool, TERMS)
    assert await review.look() == []
    await pause(pool)
    assert len(await review.look()) == 1
    await until(lambda: "paused" in newest(github, FAST).title and "paused" in newest(github, FULL).title)
    await until_told(pool)
    assert await review.look() == []
    await pause(pool, end=True)
    assert len(await review.look()) == 1
    await until(lambda: newest(github, FAST).title == newest(github, FULL).title == "waiting for a worker")


async def test_a_rerun_of_one_tier_is_told_of_on_its_own_check_run(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    """The other check run is that of the attempt before, and says nothing of this one."""
    await present(pool)
    await commit(github)
    reporter()
    work = await pass_all(pool)
    await until(lambda: completed(github, FAST, FULL))
    await ask_again(pool, work, tiers=(Tier.FAST,))
    await until(lambda: newest(github, FAST).status == "queued")
    await until_told(pool)
    await pause(pool)
    assert len(await WaitReview(pool, TERMS).look()) == 1
    await until(lambda: "paused" in newest(github, FAST).title)
    assert newest(github, FULL).conclusion == "success"


async def test_workers_that_went_are_told_of_after_a_while(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await shown_waiting(github, pool, reporter)
    await until_told(pool)
    review = WaitReview(pool, TERMS)
    await workers.stopped(pool, OWNER)
    assert await review.look() == []  # a restart takes less
    await hours_pass(pool)
    await pool.execute("UPDATE workers SET stopped_at = now() - interval '61 seconds'")
    assert len(await review.look()) == 1
    await until(lambda: "no worker can take it" in newest(github, FAST).title)


async def test_a_limit_that_comes_and_goes_is_told_once_in_a_while(pool: Pool[Any]) -> None:
    await present(pool)
    await told_before(pool, 1)
    repository = Repository(1, "acme/r0", "https://x/y.git", "main", False, 3)
    async with pool.acquire() as connection, connection.transaction():
        wanted = Wanted(repository, "f" * 40, Ref(RefKind.BRANCH, "other"), Trust.TRUSTED)
        await runs.start(connection, wanted, delivery=None)
    assert await leases.claim(pool, owner=OWNER, lease_seconds=60, per_repository=1)
    await pool.execute("UPDATE attempts SET wait_told = '', wait_told_at = now() WHERE state = 'queued'")
    await pool.execute("DELETE FROM unreported")
    review = WaitReview(pool, TERMS)
    assert await review.look() == []
    await hours_pass(pool)
    assert len(await review.look()) == 1
    await pool.execute("DELETE FROM unreported")
    await pool.execute("UPDATE attempts SET wait_told = '', wait_told_at = now() WHERE state = 'queued'")
    assert await review.look() == []


@pytest.mark.parametrize("count", [TOLD_AT_ONCE * 2 + 1])
async def test_a_pause_of_a_long_queue_is_no_storm_and_all_are_told_in_the_end(pool: Pool[Any], count: int) -> None:
    await present(pool)
    await told_before(pool, count)
    await pause(pool)
    review = WaitReview(pool, TERMS)
    found = []
    for _ in range(4):
        chosen = await review.look()
        assert len(chosen) <= TOLD_AT_ONCE
        found += chosen
        since = (await pauses.everywhere(pool))[0].since.isoformat()
        await pool.execute("UPDATE attempts SET wait_told = $2 WHERE id = ANY($1)", chosen, f"paused {since}")
    assert len(found) == len(set(found)) == count


async def test_what_is_to_be_told_anyway_or_shows_nothing_is_left_alone(pool: Pool[Any]) -> None:
    await present(pool)
    await told_before(pool, 3)
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM attempts ORDER BY created_at")]
    await pool.execute("UPDATE attempts SET version = version + 1 WHERE id = $1", ids[0])
    await pool.execute("UPDATE attempts SET wait_told = '-' WHERE id = $1", ids[1])
    await pause(pool)
    assert await WaitReview(pool, TERMS).look() == [ids[2]]
