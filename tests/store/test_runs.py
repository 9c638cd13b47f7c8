"""Runs, attempts and leases in a real Postgres."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from draftsman.domain.errors import LeaseLostError
from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, RunState, Trust
from draftsman.store import (
    attempts,
    audit,
    check_runs,
    deliveries,
    leases,
    logs,
    refs,
    repositories,
    reruns,
    runs,
    steps,
    tasks,
)
from draftsman.store.database import Pool
from draftsman.store.deliveries import Delivery
from draftsman.store.runs import Started, Wanted
from tests.bot.work import make_findings, make_plan

WIDGETS = Repository(7, "acme/widgets", "https://github.com/acme/widgets.git", "main", True, 3)
GADGETS = Repository(8, "acme/gadgets", "https://github.com/acme/gadgets.git", "main", False, 3)


def wanted(
    number: int = 1, *, repository: Repository = WIDGETS, trust: Trust = Trust.TRUSTED, branch: str = "main"
) -> Wanted:
    return Wanted(repository, f"{number:040x}", Ref(RefKind.BRANCH, branch), trust)


async def start(pool: Pool[Any], one: Wanted) -> Started:
    async with pool.acquire() as connection, connection.transaction():
        return await runs.start(connection, one, delivery=None)


async def claim(pool: Pool[Any], owner: str = "w1", *, lease_seconds: float = 30, per_repository: int = 2) -> Any:
    return await leases.claim(pool, owner=owner, lease_seconds=lease_seconds, per_repository=per_repository)


def failed(title: str = "no") -> Outcome:
    return Outcome(Conclusion.FAILURE, title)


async def test_one_run_for_a_commit_however_often_it_is_wanted(pool: Pool[Any]) -> None:
    found = await asyncio.gather(*(start(pool, wanted(branch=f"b{number % 3}")) for number in range(12)))
    assert len({one.run_id for one in found}) == 1
    assert sum(one.attempt_id is not None for one in found) == 1
    refs = await runs.refs_of(pool, found[0].run_id)
    assert sorted(ref.name for ref in refs) == ["b0", "b1", "b2"]


async def test_a_finished_run_is_not_repeated(pool: Pool[Any]) -> None:
    await start(pool, wanted())
    attempt = await claim(pool)
    await attempts.finish(pool, attempt, failed(), owner="w1")
    assert (await start(pool, wanted(branch="other"))).attempt_id is None


@pytest.mark.parametrize("state", ["waiting", "finished"])
async def test_a_trusted_event_runs_what_only_ran_untrusted(pool: Pool[Any], state: str) -> None:
    first = await start(pool, wanted(trust=Trust.UNTRUSTED))
    assert first.attempt_id is not None
    if state == "finished":
        await pool.execute("UPDATE attempts SET state = 'finished', conclusion = 'success'")
    second = await start(pool, wanted())
    assert second.attempt_id not in (None, first.attempt_id)
    numbers = [(one.number, one.state) for one in await attempts.of_run(pool, first.run_id)]
    assert numbers == [(2, RunState.QUEUED), (1, RunState.FINISHED)]


async def test_untrusted_attempts_are_never_claimed(pool: Pool[Any]) -> None:
    await start(pool, wanted(trust=Trust.UNTRUSTED))
    await pool.execute("UPDATE attempts SET state = 'queued'")
    assert await claim(pool) is None


async def test_an_attempt_is_claimed_once(pool: Pool[Any]) -> None:
    for number in range(1, 6):
        await start(pool, wanted(number))
    found = await asyncio.gather(*(claim(pool, f"w{number}", per_repository=50) for number in range(8)))
    ids = [one.id for one in found if one]
    assert len(ids) == len(set(ids)) == 5


async def test_a_repository_gets_no_more_than_its_share(pool: Pool[Any]) -> None:
    for number in range(1, 4):
        await start(pool, wanted(number))
    await start(pool, wanted(9, repository=GADGETS))
    found = [await claim(pool, per_repository=1) for _ in range(3)]
    assert [one and one.run.repository.id for one in found] == [WIDGETS.id, GADGETS.id, None]


async def test_workers_that_claim_at_once_keep_to_the_share_together(pool: Pool[Any]) -> None:
    for number in range(1, 7):
        await start(pool, wanted(number))
    found = await asyncio.gather(*(claim(pool, f"w{number}", per_repository=2) for number in range(8)))
    assert sum(one is not None for one in found) == 2


async def test_a_lost_lease_fences_the_worker_out(pool: Pool[Any]) -> None:
    await start(pool, wanted())
    lost = await claim(pool, lease_seconds=0.01)
    await leases.renew(pool, lost, lease_seconds=0.01)
    await asyncio.sleep(0.05)
    assert await leases.give_back_lost(pool, max_claims=3) == [lost.id]
    again = await claim(pool, "w2")
    assert (again.id, again.epoch) == (lost.id, lost.epoch + 1)
    await steps.replace(pool, again, make_plan().steps)
    with pytest.raises(LeaseLostError):
        await leases.renew(pool, lost, lease_seconds=30)
    with pytest.raises(LeaseLostError):
        await attempts.enter(pool, lost, RunState.RUNNING, owner="w1")
    with pytest.raises(LeaseLostError):
        await attempts.keep_plan(pool, lost, make_plan())
    with pytest.raises(LeaseLostError):
        await attempts.finish(pool, lost, failed(), owner="w1")
    await logs.append(pool, lost, "checkout", b"from the dead")
    await steps.started(pool, lost, "fast-1")
    assert await logs.tail(pool, again.id, limit=100) == b""
    assert {step.state for step in await steps.of_attempt(pool, again.id)} == {"pending"}
    await attempts.finish(pool, again, failed(), owner="w2")


@pytest.mark.parametrize("wipe", ["steps", "findings", "log"])
async def test_a_worker_that_lost_its_lease_wipes_nothing(pool: Pool[Any], wipe: str) -> None:
    await start(pool, wanted())
    lost = await claim(pool, lease_seconds=0.01)
    await asyncio.sleep(0.05)
    await leases.give_back_lost(pool, max_claims=3)
    again = await claim(pool, "w2")
    await steps.replace(pool, again, make_plan().steps)
    await logs.append(pool, again, "fast-1", b"output")
    await attempts.finish(pool, again, failed(), owner="w2")
    await steps.keep_findings(pool, again, make_findings(1))
    if wipe == "steps":
        await steps.replace(pool, lost, ())
    elif wipe == "findings":
        await steps.keep_findings(pool, lost, ())
    else:
        await logs.clear(pool, lost)
    assert len(await steps.of_attempt(pool, again.id)) == 3
    assert len(await steps.findings_of(pool, again.id)) == 1
    assert await logs.tail(pool, again.id, limit=100) == b"output"


async def test_an_attempt_whose_workers_are_lost_again_and_again_ends(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    for _ in range(3):
        assert await claim(pool, lease_seconds=0.01) is not None
        await asyncio.sleep(0.05)
        await leases.give_back_lost(pool, max_claims=3)
    [attempt] = await attempts.of_run(pool, started.run_id)
    assert (attempt.state, attempt.conclusion) == (RunState.FINISHED, Conclusion.ERROR)
    assert attempt.title == "the worker was lost 3 times while it ran this"
    assert await leases.give_back_lost(pool, max_claims=3) == []


async def test_stops_of_a_worker_do_not_count_as_losses(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    for _ in range(4):
        await leases.give_back(pool, await claim(pool), owner="w1")
    for losses in range(1, 4):
        [attempt] = await attempts.of_run(pool, started.run_id)
        assert (attempt.state, attempt.title) == (RunState.QUEUED, None), f"ended after {losses - 1} losses"
        assert await claim(pool, lease_seconds=0.01) is not None
        await asyncio.sleep(0.05)
        await leases.give_back_lost(pool, max_claims=3)
    [attempt] = await attempts.of_run(pool, started.run_id)
    assert attempt.title == "the worker was lost 3 times while it ran this"


async def test_an_attempt_that_is_not_tried_again_names_its_only_loss(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    await claim(pool, lease_seconds=0.01)
    await asyncio.sleep(0.05)
    await leases.give_back_lost(pool, max_claims=1)
    [attempt] = await attempts.of_run(pool, started.run_id)
    assert attempt.title == "the worker was lost 1 time while it ran this"


async def test_an_end_that_is_told_twice_is_kept_once(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    attempt = await claim(pool)
    await attempts.finish(pool, attempt, failed(), owner="w1")
    await attempts.finish(pool, attempt, failed(), owner="w1")
    with pytest.raises(LeaseLostError):
        await attempts.finish(pool, attempt, failed("something else"), owner="w1")
    actions = [event.action for event in await audit.of_run(pool, started.run_id)]
    assert actions.count("attempt.finished") == 1


async def test_an_attempt_that_the_reconciler_ended_cannot_be_finished_by_its_worker(pool: Pool[Any]) -> None:
    await start(pool, wanted())
    attempt = await claim(pool, lease_seconds=0.01)
    await asyncio.sleep(0.05)
    await leases.give_back_lost(pool, max_claims=1)
    with pytest.raises(LeaseLostError):
        await attempts.finish(pool, attempt, Outcome(Conclusion.ERROR, "out of memory"), owner="w1")


async def test_a_state_that_is_entered_twice_is_told_once(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    attempt = await claim(pool)
    await attempts.enter(pool, attempt, RunState.RUNNING, owner="w1")
    await attempts.enter(pool, attempt, RunState.RUNNING, owner="w1")
    actions = [event.action for event in await audit.of_run(pool, started.run_id)]
    assert actions.count("attempt.running") == 1


async def test_every_change_is_in_the_audit_trail_and_notified(pool: Pool[Any], database_url: str) -> None:
    heard: list[UUID] = []
    listener = await asyncpg.connect(database_url)
    await listener.add_listener("draftsman_attempts", lambda *message: heard.append(UUID(message[3])))
    started = await start(pool, wanted())
    attempt = await claim(pool)
    await attempts.enter(pool, attempt, RunState.BUILDING, owner="w1")
    await attempts.finish(pool, attempt, failed("the end"), owner="w1")
    events = await audit.of_run(pool, started.run_id)
    actions = [event.action for event in events]
    assert actions == ["attempt.created", "attempt.claimed", "attempt.building", "attempt.finished"]
    assert events[-1].detail == {"conclusion": "failure", "title": "the end"}
    await asyncio.sleep(0.1)
    assert heard == [attempt.id] * 4
    await listener.close()


async def test_a_branch_names_its_newest_commit_alone(pool: Pool[Any]) -> None:
    first = await start(pool, wanted(1))
    assert await runs.is_named_by(pool, first.run_id, Ref(RefKind.BRANCH, "main"))
    second = await start(pool, wanted(2))
    named = [await runs.is_named_by(pool, one.run_id, Ref(RefKind.BRANCH, "main")) for one in (first, second)]
    assert named == [False, True]
    assert not await runs.is_named_by(pool, second.run_id, Ref(RefKind.PULL_REQUEST, "main"))


async def test_what_postgres_cannot_keep_is_replaced(pool: Pool[Any]) -> None:
    started = await start(pool, wanted(branch="a\x00b\ud800"))
    [ref] = await runs.refs_of(pool, started.run_id)
    assert ref.name == "a\ufffdb?"
    attempt = await claim(pool)
    plan = make_plan(fast=("echo \x00 \ud800",))
    await attempts.keep_plan(pool, attempt, plan)
    await steps.replace(pool, attempt, plan.steps)
    kept = await attempts.plan_of(pool, attempt.id)
    assert kept is not None
    assert kept.profile.fast == ("echo \ufffd ?",)


async def test_what_is_kept_comes_back_as_it_was(pool: Pool[Any]) -> None:
    await start(pool, wanted())
    attempt = await claim(pool)
    plan = make_plan()
    await attempts.keep_plan(pool, attempt, plan)
    await steps.replace(pool, attempt, plan.steps)
    await steps.keep_findings(pool, attempt, make_findings(3))
    assert await attempts.plan_of(pool, attempt.id) == plan
    assert tuple(await steps.findings_of(pool, attempt.id)) == make_findings(3)
    assert [step.id for step in await steps.of_attempt(pool, attempt.id)] == ["setup-1", "fast-1", "full-1"]


async def test_the_log_comes_back_in_order_and_its_end_by_section(pool: Pool[Any]) -> None:
    await start(pool, wanted())
    attempt = await claim(pool)
    for number in range(250):
        await logs.append(pool, attempt, "fast-1" if number % 2 else "setup-1", b"line %d\n" % number)
    read = [chunk async for chunk in logs.read(pool, attempt.id)]
    assert b"".join(chunk.content for chunk in read) == b"".join(b"line %d\n" % number for number in range(250))
    assert [chunk.position for chunk in read] == list(range(1, 251))
    later = [chunk async for chunk in logs.read(pool, attempt.id, after=249)]
    assert [chunk.content for chunk in later] == [b"line 249\n"]
    assert await logs.tail(pool, attempt.id, limit=9, sections=frozenset({"setup-1"})) == b"line 248\n"
    assert await logs.tail(pool, attempt.id, limit=5) == b" 249\n"
    whole = await logs.tail(pool, attempt.id, limit=2_000, sections=frozenset({"fast-1"}))
    assert whole.startswith(b"line 1\n")


async def test_a_run_is_found_by_the_beginning_of_its_id(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    assert started.attempt_id is not None
    assert await attempts.find(pool, str(started.run_id)[:8]) == [started.run_id]
    assert await attempts.find(pool, str(started.attempt_id).upper()) == [started.run_id]
    assert await attempts.find(pool, "zz") == []


async def finish(pool: Pool[Any], attempt: Any, conclusion: Conclusion) -> None:
    """End the attempt, and do what was left until then."""
    await attempts.finish(pool, attempt, Outcome(conclusion, "done"), owner="w1")
    while (task := await tasks.take(pool, lease_seconds=60)) is not None:
        assert task.kind == tasks.START_LATE
        async with pool.acquire() as connection, connection.transaction():
            await runs.start_late(connection, wanted(), delivery=None)
            await tasks.end(connection, task)


async def test_a_commit_that_is_named_again_while_its_attempt_is_being_cancelled_runs_once_more(
    pool: Pool[Any],
) -> None:
    first = await start(pool, wanted())
    attempt = await claim(pool)
    async with pool.acquire() as connection, connection.transaction():
        await refs.release(connection, 7, wanted().ref, head_sha=f"{2:040x}", by="delivery", reason="(superseded)")
    assert (await start(pool, wanted())).attempt_id is None, "one attempt of a run at a time"
    await finish(pool, attempt, Conclusion.CANCELLED)
    found = await attempts.of_run(pool, first.run_id)
    assert [(one.number, one.state) for one in found] == [(2, RunState.QUEUED), (1, RunState.FINISHED)]
    await finish(pool, await claim(pool), Conclusion.SUCCESS)
    assert len(await attempts.of_run(pool, first.run_id)) == 2


async def test_a_commit_that_nothing_names_any_more_is_let_go(pool: Pool[Any]) -> None:
    first = await start(pool, wanted())
    attempt = await claim(pool)
    async with pool.acquire() as connection, connection.transaction():
        await refs.release(connection, 7, wanted().ref, head_sha=None, by="delivery", reason="(deleted)")
    await finish(pool, attempt, Conclusion.CANCELLED)
    assert len(await attempts.of_run(pool, first.run_id)) == 1


@pytest.mark.parametrize("state", ["queued", "running", "finished"])
async def test_an_event_runs_the_checks_that_a_person_left_out(pool: Pool[Any], state: str) -> None:
    """A comment `/test fast` was quicker than the event of the push."""
    first = await start(pool, wanted())
    await reruns.narrow(pool, first.run_id, (Tier.FAST,), by="alice")
    attempt = None if state == "queued" else await claim(pool)
    if state == "finished":
        await finish(pool, attempt, Conclusion.SUCCESS)
        assert len(await attempts.of_run(pool, first.run_id)) == 1, "nobody called for the others yet"
    async with pool.acquire() as connection, connection.transaction():
        await deliveries.insert(connection, Delivery("guid", "push", None, 7, 3, b"{}"), "run it")
        await runs.start(connection, wanted(), delivery="guid")
    if state == "running":
        await finish(pool, attempt, Conclusion.SUCCESS)
    newest = (await attempts.of_run(pool, first.run_id))[0]
    assert (newest.number, newest.state) == (1 if state == "queued" else 2, RunState.QUEUED)
    assert newest.tiers == frozenset(CHECKED_TIERS)


async def test_what_was_set_for_a_name_before_any_event_goes_along_with_a_new_name(pool: Pool[Any]) -> None:
    await pool.execute("INSERT INTO policies (repo, run_tags) VALUES ('acme/widgets', true)")
    async with pool.acquire() as connection, connection.transaction():
        renamed = Repository(7, "acme/gears", "https://github.com/acme/gears.git", "main", True, 3)
        await repositories.keep(connection, renamed, formerly="acme/Widgets")
    assert await pool.fetchval("SELECT repo FROM policies") == "acme/gears"
    async with pool.acquire() as connection, connection.transaction():
        await repositories.keep(connection, GADGETS, formerly="acme/gears")
    assert await pool.fetchval("SELECT repo FROM policies") == "acme/gears", "that is another repository's"


async def test_a_renamed_repository_keeps_its_runs(pool: Pool[Any]) -> None:
    await start(pool, wanted())
    renamed = Repository(7, "acme/renamed", "https://github.com/acme/renamed.git", "main", True, None)
    await start(pool, wanted(2, repository=renamed))
    found = await attempts.recent(pool, repo="ACME/renamed")
    assert len(found) == 2
    # An event that names no installation does not make us forget it.
    assert {one.run.repository.installation_id for one in found} == {3}


async def test_a_report_that_is_being_written_hides_no_attempt_from_a_claim(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    assert started.attempt_id is not None
    async with pool.acquire() as connection, connection.transaction():
        for tier in CHECKED_TIERS:
            reported = await check_runs.of_attempt(connection, started.attempt_id, tier)
            await check_runs.told(connection, reported, version=1, digest="x", annotations=0)
        assert await claim(pool) is not None
        await check_runs.settle(connection, started.attempt_id)
    assert [item.attempt_id for item in await check_runs.behind(pool)] == [started.attempt_id]


async def test_an_attempt_is_behind_until_both_tiers_are_told(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    assert started.attempt_id is not None
    for tier in CHECKED_TIERS:
        [item] = await check_runs.behind(pool)
        assert (item.attempt_id, item.at_rest) == (started.attempt_id, False)
        await check_runs.settle(pool, started.attempt_id)
        reported = await check_runs.of_attempt(pool, started.attempt_id, tier)
        await check_runs.told(pool, reported, version=1, digest="x", annotations=0)
    assert await check_runs.behind(pool) == []
    await check_runs.settle(pool, started.attempt_id)
    assert await pool.fetchval("SELECT count(*) FROM unreported") == 0
    await claim(pool)
    assert len(await check_runs.behind(pool)) == 1
    assert await check_runs.behind(pool, paused=[3]) == []
