"""Whose turn it is, in a real Postgres: fair between repositories, paused, drained; and what the line tells."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from draftsman.domain.admission import Admission
from draftsman.domain.labels import Offer
from draftsman.domain.run import Attempt, Ref, RefKind, Repository, RunState, Trust
from draftsman.domain.waiting import Cause, Terms
from draftsman.store import (
    approvals,
    attempts,
    leases,
    pauses,
    policies,
    refs,
    repositories,
    reruns,
    runs,
    waiting,
    workers,
)
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted
from draftsman.store.workers import Present
from tests.store.test_runs import failed

SERVED = Terms()


def repository(number: int, name: str | None = None) -> Repository:
    return Repository(number, name or f"acme/r{number}", "https://x/y.git", "main", False, 3)


async def push(
    pool: Pool[Any], repo: int, number: int, *, trust: Trust = Trust.TRUSTED, branch: str | None = None
) -> UUID:
    """A commit of a branch of its own, unless one is named."""
    sha = f"{repo:08x}{number:032x}"
    async with pool.acquire() as connection, connection.transaction():
        wanted = Wanted(repository(repo), sha, Ref(RefKind.BRANCH, branch or f"b{number}"), trust)
        return (await runs.start(connection, wanted, delivery=None)).run_id


async def claim(pool: Pool[Any], *, owner: str = "w1", per_repository: int = 1000, **more: Any) -> Attempt | None:
    return await leases.claim(pool, owner=owner, lease_seconds=60, per_repository=per_repository, **more)


async def taken(pool: Pool[Any], count: int, **how: Any) -> list[int]:
    """The repositories of the next attempts, each ended at once."""
    found = []
    for _ in range(count):
        attempt = await claim(pool, **how)
        if attempt is None:
            break
        found.append(attempt.run.repository.id)
        await attempts.finish(pool, attempt, failed(), owner="w1")
    return found


async def pause(pool: Pool[Any], repo: str | None = None, reason: str = "", by: str = "ada") -> pauses.Paused:
    async with pool.acquire() as connection, connection.transaction():
        return await pauses.pause(connection, repo, by=by, reason=reason)


async def resume(pool: Pool[Any], repo: str | None = None) -> object:
    async with pool.acquire() as connection, connection.transaction():
        return await pauses.resume(connection, repo, by="bob")


async def drain(pool: Pool[Any], name: str, *, end: bool = False) -> Any:
    async with pool.acquire() as connection, connection.transaction():
        if end:
            return await workers.undrain(connection, name, by="bob")
        return await workers.drain(connection, name, by="ada", reason="upgrade")


async def present(pool: Pool[Any], name: str = "w1", **fields: Any) -> None:
    given = {"slots": 2, "per_repository": 2, **fields}
    await workers.beat(pool, Present(name, "host", "1.0", **given), starting=True)


async def runs_on(pool: Pool[Any], repo: str, labels: str) -> None:
    await policies.change(pool, repo, lambda _: {"runs_on": labels}, by="ada")


async def rerun(pool: Pool[Any], run_id: UUID) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await reruns.ask(connection, run_id, by="ada", cause="asked for")


async def cause_of(pool: Pool[Any], run_id: UUID, terms: Terms = SERVED) -> Cause | None:
    newest = await attempts.newest_of(pool, run_id)
    assert newest is not None
    found = await waiting.wait_of(pool, newest, terms)
    return None if found is None else found[0].cause


async def audited(pool: Pool[Any]) -> list[tuple[str, str]]:
    rows = await pool.fetch("SELECT actor, action FROM audit_events ORDER BY id")
    return [(row["actor"], row["action"]) for row in rows if not row["action"].startswith("attempt.")]


async def test_a_long_queue_of_one_repository_does_not_keep_others_waiting(pool: Pool[Any]) -> None:
    for number in range(40):
        await push(pool, 1, number)
    for repo in (2, 3):
        for number in range(3):
            await push(pool, repo, number)
    # By turns, as long as each has something.
    assert await taken(pool, 12) == [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 1, 1]


async def test_the_repository_with_the_fewest_under_way_goes_first(pool: Pool[Any]) -> None:
    for number in range(6):
        await push(pool, 1, number)
    assert [(await claim(pool)) is not None for _ in range(3)] == [True] * 3
    for number in range(4):
        await push(pool, 2, number)
    found = [await claim(pool) for _ in range(4)]
    assert [one and one.run.repository.id for one in found] == [2, 2, 2, 1]


async def test_inside_a_repository_the_oldest_goes_first_and_a_person_before_all(pool: Pool[Any]) -> None:
    first = await push(pool, 1, 0)
    assert await taken(pool, 1) == [1]
    started = [await push(pool, 2, number) for number in range(3)]
    await rerun(pool, first)
    found = [await claim(pool) for _ in range(4)]
    assert [one and one.run.id for one in found] == [first, *started]


async def test_persons_take_turns_too(pool: Pool[Any]) -> None:
    known = [await push(pool, repo, number) for repo in (1, 2) for number in range(3)]
    await taken(pool, 6)
    for run_id in known:
        await rerun(pool, run_id)
    assert sorted(Counter(await taken(pool, 4)).values()) == [2, 2]


async def test_one_that_is_held_by_an_event_just_now_is_passed_by(pool: Pool[Any]) -> None:
    first, second = [await push(pool, 1, number) for number in range(2)]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM attempts WHERE run_id = $1 FOR UPDATE", first)
        attempt = await asyncio.wait_for(claim(pool), 5)
        assert attempt is not None
        assert attempt.run.id == second


async def test_the_line_is_the_order_in_which_attempts_are_claimed(pool: Pool[Any]) -> None:
    known = [await push(pool, repo, number) for repo, count in ((1, 7), (2, 2), (3, 4)) for number in range(count)]
    for _ in range(3):
        await claim(pool)
    rest = [run for run in known if await cause_of(pool, run) is not None]
    await rerun(pool, rest[-1])  # which joins, and goes first
    found = await waiting.queue(pool, SERVED, limit=100)
    line = [one.run_id for one, _ in found.waiting]
    assert [one.place for one, _ in found.waiting] == list(range(1, len(rest) + 1))
    claimed = [await claim(pool) for _ in rest]
    assert [one and one.run.id for one in claimed] == line
    assert line[0] == rest[-1]


async def test_a_part_of_the_line_is_its_beginning_and_all_are_counted(pool: Pool[Any]) -> None:
    for number in range(9):
        await push(pool, 1 + number % 2, number)
    for number in range(2):
        await push(pool, 3, number, trust=Trust.UNTRUSTED)
    whole = await waiting.queue(pool, SERVED, limit=100)
    part = await waiting.queue(pool, SERVED, limit=4)
    assert (part.queued, part.approvals) == (9, 2)
    queued = [one.run_id for one, _ in part.waiting if one.state is RunState.QUEUED]
    assert queued == [one.run_id for one, _ in whole.waiting][:4]
    assert [wait.cause for one, wait in part.waiting if one.state is RunState.WAITING] == [Cause.APPROVAL] * 2


async def test_a_pause_of_all_stops_claims_and_not_what_runs(pool: Pool[Any]) -> None:
    runs_ = [await push(pool, 1, number) for number in range(2)]
    going = await claim(pool)
    assert going is not None
    paused = await pause(pool, reason="upgrade")
    assert (paused.is_new, paused.pause.by, paused.pause.reason) == (True, "ada", "upgrade")
    assert await claim(pool) is None
    assert await cause_of(pool, runs_[1]) is Cause.PAUSED
    await leases.renew(pool, going, lease_seconds=60)
    await attempts.finish(pool, going, failed(), owner="w1")
    assert await resume(pool) is not None
    assert await claim(pool) is not None
    assert await audited(pool) == [("ada", "queue.paused"), ("bob", "queue.resumed")]


async def test_a_pause_of_one_repository_leaves_the_others(pool: Pool[Any]) -> None:
    run = await push(pool, 1, 0)
    await push(pool, 2, 0)
    await pause(pool, "ACME/R1")
    assert await cause_of(pool, run) is Cause.PAUSED
    assert await taken(pool, 5) == [2]
    assert await resume(pool) is None
    assert await resume(pool, "acme/r1") is not None
    assert await taken(pool, 5) == [1]


async def test_pausing_again_changes_the_reason_only(pool: Pool[Any]) -> None:
    first = await pause(pool, reason="upgrade")
    assert not (await pause(pool, by="eve")).is_new
    assert not (await pause(pool, by="eve", reason="upgrade")).is_new
    other = await pause(pool, by="eve", reason="fire")
    assert (other.is_new, other.pause.by, other.pause.reason) == (True, "eve", "fire")
    assert other.pause.since == first.pause.since
    assert [action for _, action in await audited(pool)] == ["queue.paused", "queue.paused"]


async def test_a_pause_goes_with_a_repository_that_is_renamed(pool: Pool[Any]) -> None:
    await push(pool, 1, 0)
    await pause(pool, "acme/r1")
    async with pool.acquire() as connection, connection.transaction():
        await repositories.keep(connection, repository(1, "acme/renamed"))
    assert await claim(pool) is None
    assert [one.repo for one in await pauses.everywhere(pool)] == ["acme/renamed"]


async def test_nothing_starts_once_a_pause_was_answered(pool: Pool[Any]) -> None:
    """Claims that are made at the same time come before it, or not at all."""
    for number in range(20):
        await push(pool, number + 1, 0)
    claims = [asyncio.create_task(claim(pool, owner=f"w{number}")) for number in range(20)]
    await pause(pool)
    at_pause = await pool.fetchval("SELECT count(*) FROM attempts WHERE state = 'preparing'")
    await asyncio.gather(*claims)
    assert await pool.fetchval("SELECT count(*) FROM attempts WHERE state = 'preparing'") == at_pause


async def test_a_drained_worker_takes_nothing_and_others_do(pool: Pool[Any]) -> None:
    run = [await push(pool, 1, number) for number in range(3)][-1]
    await present(pool, "w1")
    going = await claim(pool, owner="w1")
    assert going is not None
    drained = await drain(pool, "w1")
    assert (drained.drain.by, drained.drain.reason, drained.busy) == ("ada", "upgrade", 1)
    assert await claim(pool, owner="w1") is None
    assert await cause_of(pool, run) is Cause.DRAINING
    await present(pool, "w1")  # a restart does not end it
    assert await claim(pool, owner="w1") is None
    await present(pool, "w2")
    assert await claim(pool, owner="w2") is not None
    assert (await drain(pool, "w1", end=True)).drain is None
    assert await claim(pool, owner="w1") is not None
    assert await audited(pool) == [("ada", "worker.drained"), ("bob", "worker.undrained")]
    assert await drain(pool, "w9") is None


async def test_a_worker_takes_only_what_its_labels_cover(pool: Pool[Any]) -> None:
    for repo in (1, 2, 3):
        await push(pool, repo, 0)
    await runs_on(pool, "Acme/R1", "gpu,arm64")
    await runs_on(pool, "acme/r3", "")
    plain = Offer(("linux", "amd64"), runs_on=("amd64",))
    gpu = Offer(("linux", "arm64", "gpu", "fast"), runs_on=("amd64",))
    assert await taken(pool, 5, offer=Offer(runs_on=("amd64",))) == [3]
    assert await taken(pool, 5, offer=plain) == [2]
    assert await taken(pool, 5, offer=gpu) == [1]


async def test_labels_go_with_a_repository_that_is_renamed(pool: Pool[Any]) -> None:
    await push(pool, 1, 0)
    await runs_on(pool, "acme/r1", "gpu")
    async with pool.acquire() as connection, connection.transaction():
        await repositories.keep(connection, repository(1, "acme/renamed"))
    assert await claim(pool) is None
    assert await claim(pool, offer=Offer(("gpu",))) is not None


async def test_nothing_starts_elsewhere_once_labels_were_asked_for(pool: Pool[Any]) -> None:
    """Claims that are made at the same time come before it, or not at all."""
    for number in range(20):
        await push(pool, 1, number)
    claims = [asyncio.create_task(claim(pool, owner=f"w{number}")) for number in range(20)]
    await runs_on(pool, "acme/r1", "gpu")
    at_change = await pool.fetchval("SELECT count(*) FROM attempts WHERE state = 'preparing'")
    await asyncio.gather(*claims)
    assert await pool.fetchval("SELECT count(*) FROM attempts WHERE state = 'preparing'") == at_change


async def test_where_no_worker_has_the_labels_the_run_says_so_and_others_pass_it_by(pool: Pool[Any]) -> None:
    await present(pool, labels=("linux", "amd64"))
    needy, other = await push(pool, 1, 0), await push(pool, 2, 0)
    await runs_on(pool, "acme/r1", "gpu")
    found = await waiting.queue(pool, SERVED, limit=10)
    assert [(one.run_id, one.place, wait.cause) for one, wait in found.waiting] == [
        (other, 1, Cause.NEXT),
        (needy, None, Cause.NO_FITTING_WORKER),
    ]
    assert await cause_of(pool, other, Terms(runs_on=("gpu",))) is Cause.NO_FITTING_WORKER
    await present(pool, "w2", labels=("gpu",))
    assert await cause_of(pool, needy) is Cause.NEXT
    await workers.stopped(pool, "w2")
    newest = await attempts.newest_of(pool, needy)
    assert newest is not None
    gone = await waiting.wait_of(pool, newest, SERVED)
    assert gone is not None
    assert gone[0].since == (await workers.get(pool, "w2")).stopped_at  # type: ignore[union-attr]
    await workers.stopped(pool, "w1")
    found = await waiting.queue(pool, SERVED, limit=10)
    assert [(one.place, wait.cause) for one, wait in found.waiting] == [(1, Cause.NO_WORKER), (2, Cause.NO_WORKER)]


async def test_the_limit_names_the_runs_that_hold_it(pool: Pool[Any]) -> None:
    held, other, third = [await push(pool, 1, number) for number in range(3)]
    await present(pool, per_repository=1)
    assert await cause_of(pool, held) is Cause.NEXT
    going = await claim(pool, per_repository=1)
    assert await claim(pool, per_repository=1) is None
    assert going is not None
    newest = await attempts.newest_of(pool, third)
    assert newest is not None
    found = await waiting.wait_of(pool, newest, SERVED)
    assert found is not None
    assert (found[0].cause, found[0].held_by) == (Cause.REPOSITORY_LIMIT, (held,))
    assert await cause_of(pool, third, Terms(queue_limit=1)) is Cause.QUEUE_FULL
    assert await cause_of(pool, other, Terms(queue_limit=1)) is Cause.REPOSITORY_LIMIT
    await attempts.finish(pool, going, failed(), owner="w1")
    assert await cause_of(pool, held) is None
    assert await cause_of(pool, other) is Cause.NEXT


async def test_busy_and_missing_workers(pool: Pool[Any]) -> None:
    for repo in range(1, 4):
        run = await push(pool, repo, 0)
    assert await cause_of(pool, run) is Cause.NO_WORKER
    await present(pool, slots=2)
    assert await cause_of(pool, run) is Cause.NEXT
    assert await claim(pool)
    assert await claim(pool)
    # Though the worker has not said yet that its slots are in use.
    assert await cause_of(pool, run) is Cause.WORKERS_BUSY
    await pool.execute("UPDATE attempts SET lease_expires = now() - interval '1 second' WHERE lease_owner = 'w1'")
    await pool.execute("UPDATE workers SET seen_at = now() - interval '1 minute'")
    assert await cause_of(pool, run) is Cause.NO_WORKER
    await present(pool, slots=2)
    await workers.stopped(pool, "w1")
    assert await cause_of(pool, run) is Cause.NO_WORKER


async def test_who_is_not_served_waits_for_that(pool: Pool[Any]) -> None:
    run = await push(pool, 1, 0)
    await present(pool)
    closed = Admission(allow=("*",), deny=("acme",))
    assert await cause_of(pool, run, Terms(closed)) is Cause.NOT_ADMITTED
    assert await claim(pool, admission=closed) is None
    found = await waiting.queue(pool, Terms(closed), limit=10)
    assert [(one.place, wait.cause) for one, wait in found.waiting] == [(None, Cause.NOT_ADMITTED)]


async def test_since_when_it_is_queued_is_the_last_time_that_it_came_to_be(pool: Pool[Any]) -> None:
    run = await push(pool, 1, 0, trust=Trust.UNTRUSTED)
    await pool.execute("UPDATE attempts SET created_at = now() - interval '1 hour'")
    async with pool.acquire() as connection, connection.transaction():
        await approvals.approve(connection, run, by="ada", reason="looked at it")
    attempt = await claim(pool)
    assert attempt is not None
    first = await pool.fetchval("SELECT queued_at FROM attempts WHERE id = $1", attempt.id)
    assert first > attempt.created_at
    await leases.give_back(pool, attempt, owner="w1")
    assert await pool.fetchval("SELECT queued_at FROM attempts WHERE id = $1", attempt.id) > first


async def test_workers_that_are_long_gone_are_forgotten(pool: Pool[Any]) -> None:
    await present(pool, "old")
    await present(pool, "new")
    await pool.execute("UPDATE workers SET seen_at = now() - interval '8 days' WHERE name = 'old'")
    await workers.forget_old(pool)
    assert [one.name for one in await workers.everywhere(pool)] == ["new"]


@pytest.mark.parametrize("starting", [False, True])
async def test_a_worker_that_is_back_is_there_since_it_started(pool: Pool[Any], starting: bool) -> None:
    await present(pool)
    await pool.execute("UPDATE workers SET started_at = now() - interval '1 day', stopped_at = now()")
    await workers.beat(pool, Present("w1", "host", "2.0", 4, 2, busy=3, engine="e"), starting=starting)
    [found] = await workers.everywhere(pool)
    assert (found.version, found.slots, found.busy, found.engine, found.stopped_at) == ("2.0", 4, 3, "e", None)
    assert ((found.seen_at - found.started_at).days == 0) is starting


async def test_where_the_queue_is_full_a_newer_commit_ends_what_is_in_line_and_not_what_runs(pool: Pool[Any]) -> None:
    known = [await push(pool, 1, number, branch="main") for number in range(5)]
    going = await claim(pool)
    assert going is not None
    assert going.run.id == known[0]
    assert await waiting.is_full(pool, 1, 3)
    assert not await waiting.is_full(pool, 1, 4)
    assert not await waiting.is_full(pool, 1, 0)
    head = f"{1:08x}{4:032x}"
    async with pool.acquire() as connection, connection.transaction():
        released = await refs.release(
            connection,
            1,
            Ref(RefKind.BRANCH, "main"),
            head_sha=head,
            by="delivery",
            reason="(superseded)",
            only_in_line=True,
        )
    assert len(released.ended) == 3
    states = [(await attempts.of_run(pool, run))[0].state for run in known]
    assert states == [RunState.PREPARING, *[RunState.FINISHED] * 3, RunState.QUEUED]
    assert await attempts.cancels_asked(pool, [going.id]) == {}


async def test_attempts_of_an_earlier_version_are_known_by_their_repository(pool: Pool[Any]) -> None:
    """What an earlier version inserts says nothing of the repository; the trigger does."""
    run = await push(pool, 1, 0)
    await taken(pool, 1)
    await pool.execute("INSERT INTO attempts (run_id, number, trust, state) VALUES ($1, 2, 'trusted', 'queued')", run)
    assert await taken(pool, 1) == [1]
