"""Claims and leases on a real Postgres: who may take an attempt, and what becomes of a worker that was lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from draftsman.domain.errors import LeaseLostError
from draftsman.domain.labels import Offer
from draftsman.domain.outcome import Outcome
from draftsman.domain.progress import Entered, Output, Sink
from draftsman.domain.run import Attempt, Conclusion, Ref, RefKind, Repository, RunState, Trust
from draftsman.settings import Settings
from draftsman.store import approvals, attempts, audit, installations, leases, logs, runs
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted
from orchestrator.cancellation import Cancellation
from orchestrator.claims import ClaimRules, Claims
from orchestrator.upkeep import reconcile

SUCCESS = Outcome(Conclusion.SUCCESS, "all checks passed")


def repository(number: int = 1) -> Repository:
    return Repository(number, f"acme/widgets{number}", "https://example.com/w.git", "main", False, 7)


async def queue_run(pool: Pool[Any], sha: str, *, number: int = 1, trust: Trust = Trust.TRUSTED) -> UUID:
    wanted = Wanted(repository(number), sha * 40, Ref(RefKind.BRANCH, "feature"), trust)
    async with pool.acquire() as connection, connection.transaction():
        started = await runs.start(connection, wanted, delivery=None)
    assert started.attempt_id is not None
    return started.attempt_id


async def claim(pool: Pool[Any], owner: str = "one", *, lease_seconds: float = 30) -> Attempt | None:
    return await leases.claim(pool, owner=owner, lease_seconds=lease_seconds, per_repository=2)


def rules(*, lease_seconds: float = 30) -> ClaimRules:
    return ClaimRules(owner="w", engine=lambda: "e", slots=2, per_repository=2, lease_seconds=lease_seconds)


async def finished(pool: Pool[Any], attempt_id: UUID) -> Attempt:
    async with asyncio.timeout(20):
        while (attempt := await attempts.get(pool, attempt_id)) is None or attempt.state is not RunState.FINISHED:
            await asyncio.sleep(0.02)
    return attempt


async def test_one_attempt_is_claimed_once_however_many_workers_ask(pool: Pool[Any]) -> None:
    attempt_id = await queue_run(pool, "a")
    claimed = await asyncio.gather(*(claim(pool, f"worker{number}") for number in range(8)))
    assert [attempt.id for attempt in claimed if attempt] == [attempt_id]


async def test_a_repository_takes_no_more_than_its_share(pool: Pool[Any]) -> None:
    for sha in "abc":
        await queue_run(pool, sha)
    other = await queue_run(pool, "d", number=2)
    claimed = [await claim(pool) for _ in range(4)]
    assert [attempt.run.repository.id if attempt else None for attempt in claimed] == [1, 2, 1, None]
    assert claimed[1] is not None
    assert claimed[1].id == other


async def test_untrusted_code_is_never_claimed(pool: Pool[Any]) -> None:
    attempt_id = await queue_run(pool, "a", trust=Trust.UNTRUSTED)
    assert await claim(pool) is None
    await pool.execute("UPDATE attempts SET state = 'queued' WHERE id = $1", attempt_id)
    assert await claim(pool) is None


async def test_an_untrusted_attempt_is_claimed_once_its_commit_was_approved_whatever_queued_it(pool: Pool[Any]) -> None:
    attempt_id = await queue_run(pool, "a", trust=Trust.UNTRUSTED)
    attempt = await attempts.get(pool, attempt_id)
    assert attempt is not None
    async with pool.acquire() as connection, connection.transaction():
        await approvals.approve(connection, attempt.run.id, by="alice", reason="looked at it")
    claimed = await claim(pool)
    assert claimed is not None
    assert (claimed.id, claimed.trust) == (attempt_id, Trust.UNTRUSTED)
    await pool.execute("UPDATE attempts SET state = 'queued' WHERE id = $1", attempt_id)
    await pool.execute("DELETE FROM approvals")
    assert await claim(pool) is None


@pytest.mark.parametrize(
    ("allow", "deny", "approved", "taken"),
    [
        ((), (), False, False),
        ((), (), True, True),
        (("acme",), (), False, True),
        (("Acme/Widgets1",), (), False, True),
        (("*",), (), False, True),
        (("other", "acme/widgets2"), (), True, False),
        (("*",), ("ACME",), True, False),
        ((), ("acme/widgets1",), True, False),
    ],
)
async def test_only_an_admitted_repository_is_executed(
    pool: Pool[Any], allow: tuple[str, ...], deny: tuple[str, ...], approved: bool, taken: bool
) -> None:
    executed = asyncio.Event()

    async def execute(_: Attempt, __: Sink, ___: asyncio.Event) -> Outcome:
        executed.set()
        return SUCCESS

    async with pool.acquire() as connection:
        await installations.note(connection, 7, account="acme", account_id=1)
        if approved:
            await installations.decide(connection, 7, approved=True, by="admin")
    attempt_id = await queue_run(pool, "a")
    admission = Settings(allow=allow, deny=deny).admission
    claims = asyncio.create_task(Claims(pool, execute, replace(rules(), admission=admission)).run())
    if taken:
        assert (await finished(pool, attempt_id)).conclusion is Conclusion.SUCCESS
    else:
        await asyncio.sleep(0.5)
        assert not executed.is_set()
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)


async def test_a_trusted_event_runs_a_commit_that_waited_for_approval(pool: Pool[Any]) -> None:
    waiting = await queue_run(pool, "a", trust=Trust.UNTRUSTED)
    trusted = await queue_run(pool, "a")
    assert (await finished(pool, waiting)).conclusion is Conclusion.CANCELLED
    claimed = await claim(pool)
    assert claimed is not None
    assert (claimed.id, claimed.number) == (trusted, 2)


async def test_a_worker_that_lost_its_lease_can_change_nothing(pool: Pool[Any]) -> None:
    await queue_run(pool, "a")
    lost = await claim(pool, "lost", lease_seconds=0)
    assert lost is not None
    assert await leases.give_back_lost(pool, max_claims=3) == [lost.id]
    current = await claim(pool, "current")
    assert current is not None
    assert current.epoch == lost.epoch + 1
    with pytest.raises(LeaseLostError):
        await attempts.enter(pool, lost, RunState.RUNNING, owner="lost")
    with pytest.raises(LeaseLostError):
        await attempts.finish(pool, lost, SUCCESS, owner="lost")
    with pytest.raises(LeaseLostError):
        await leases.renew(pool, lost, lease_seconds=30)
    await logs.append(pool, lost, "prepare", b"from the past")
    assert [chunk async for chunk in logs.read(pool, lost.id)] == []
    await attempts.finish(pool, current, SUCCESS, owner="current")
    assert (await finished(pool, current.id)).conclusion is Conclusion.SUCCESS


async def test_an_attempt_whose_worker_is_lost_again_and_again_ends_as_an_error(pool: Pool[Any]) -> None:
    attempt_id = await queue_run(pool, "a")
    for _ in range(2):
        assert await claim(pool, lease_seconds=0) is not None
        await leases.give_back_lost(pool, max_claims=2)
    ended = await finished(pool, attempt_id)
    assert ended.conclusion is Conclusion.ERROR
    assert ended.title is not None
    assert "lost 2 times" in ended.title


async def test_the_reconciler_wakes_a_worker_for_what_is_queued(pool: Pool[Any]) -> None:
    woken: list[bool] = []

    async def wake() -> None:
        woken.append(True)

    await reconcile(pool, wake, max_claims=3)
    assert not woken
    await queue_run(pool, "a")
    await reconcile(pool, wake, max_claims=3)
    assert woken


async def test_claims_execute_what_is_queued_and_keep_log_and_outcome(pool: Pool[Any]) -> None:
    async def execute(_: Attempt, sink: Sink, __: asyncio.Event) -> Outcome:
        await sink(Entered(RunState.PREPARING))
        await sink(Output("prepare", b"hello\n"))
        await sink(Entered(RunState.RUNNING))
        await sink(Output("fast-1", b"checked\n"))
        return SUCCESS

    ids = [await queue_run(pool, sha) for sha in "abc"]
    claims = asyncio.create_task(Claims(pool, execute, rules()).run())
    ended = [await finished(pool, attempt_id) for attempt_id in ids]
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)
    assert {attempt.conclusion for attempt in ended} == {Conclusion.SUCCESS}
    chunks = [(chunk.section, chunk.content) async for chunk in logs.read(pool, ids[0])]
    assert chunks == [("prepare", b"hello\n"), ("fast-1", b"checked\n")]
    history = [event.action for event in await audit.of_run(pool, ended[0].run.id)]
    assert history == ["attempt.created", "attempt.claimed", "attempt.running", "attempt.finished"]


async def test_a_worker_that_stops_gives_its_attempts_back_at_once(pool: Pool[Any]) -> None:
    started = asyncio.Event()

    async def execute(_: Attempt, __: Sink, ___: asyncio.Event) -> Outcome:
        started.set()
        await asyncio.Event().wait()
        return SUCCESS

    done: list[str] = []

    async def release(_: Attempt) -> None:
        done.append("released")

    async def leave(attempt: Attempt) -> bool:
        done.append(f"left while {attempt.state}")
        return True

    attempt_id = await queue_run(pool, "a")
    claims = asyncio.create_task(Claims(pool, execute, rules(), release=release, leave=leave).run())
    await started.wait()
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)
    attempt = await attempts.get(pool, attempt_id)
    assert attempt is not None
    assert attempt.state is RunState.QUEUED
    assert done == ["left while preparing"]


async def test_a_worker_that_stops_removes_all_of_what_has_ended(pool: Pool[Any]) -> None:
    attempt_id = await queue_run(pool, "a")
    begun, removed, left = asyncio.Event(), [], []

    async def execute(_: Attempt, __: Sink, ___: Cancellation) -> Outcome:
        return SUCCESS

    async def release(attempt: Attempt) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        removed.append(attempt.id)

    async def leave(attempt: Attempt) -> bool:
        left.append(attempt.id)
        return True

    claims = asyncio.create_task(Claims(pool, execute, rules(), release=release, leave=leave).run())
    await begun.wait()
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)
    assert (removed, left) == ([attempt_id], [])
    assert (await finished(pool, attempt_id)).conclusion is Conclusion.SUCCESS


@pytest.mark.parametrize(("runs_", "goes_on"), [(True, True), (True, False), (False, True)])
async def test_what_goes_on_is_kept_for_workers_of_the_same_engine(pool: Pool[Any], runs_: bool, goes_on: bool) -> None:
    started = asyncio.Event()

    async def execute(_: Attempt, sink: Sink, __: asyncio.Event) -> Outcome:
        if runs_:
            await sink(Entered(RunState.RUNNING))
        started.set()
        await asyncio.Event().wait()
        return SUCCESS

    async def leave(_: Attempt) -> bool:
        return goes_on

    await queue_run(pool, "a")
    offering = replace(rules(), offer=lambda: Offer(engine="e"), hand_over_seconds=60)
    claims = asyncio.create_task(Claims(pool, execute, offering, leave=leave).run())
    await started.wait()
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)
    assert await pool.fetchval("SELECT state FROM attempts") == "queued"
    kept = await pool.fetchval("SELECT kept_until > now() + interval '50 s' FROM attempts")
    assert bool(kept) is (runs_ and goes_on)


async def test_nothing_is_taken_before_the_worker_is_ready(pool: Pool[Any]) -> None:
    answers = iter((False, False, True))

    async def is_ready() -> bool:
        ready = next(answers, True)
        if not ready:
            assert await pool.fetchval("SELECT state FROM attempts") == "queued"
            asyncio.get_running_loop().call_later(0.05, claims.wake)
        return ready

    async def execute(_: Attempt, __: Sink, ___: asyncio.Event) -> Outcome:
        return SUCCESS

    attempt_id = await queue_run(pool, "a")
    claims = Claims(pool, execute, rules(), is_ready=is_ready)
    working = asyncio.create_task(claims.run())
    assert (await finished(pool, attempt_id)).conclusion is Conclusion.SUCCESS
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_an_attempt_that_met_no_database_is_given_back_and_executed_again(pool: Pool[Any]) -> None:
    calls: list[int] = []

    async def execute(attempt: Attempt, _: Sink, __: asyncio.Event) -> Outcome:
        calls.append(attempt.epoch)
        if len(calls) == 1:
            raise ConnectionRefusedError
        return SUCCESS

    attempt_id = await queue_run(pool, "a")
    claims = asyncio.create_task(Claims(pool, execute, rules()).run())
    ended = await finished(pool, attempt_id)
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)
    assert (ended.conclusion, calls) == (Conclusion.SUCCESS, [1, 2])


async def test_a_claim_that_postgres_refuses_ends_no_attempt_that_goes_on(pool: Pool[Any]) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def execute(_: Attempt, __: Sink, ___: asyncio.Event) -> Outcome:
        started.set()
        await go_on.wait()
        return SUCCESS

    attempt_id = await queue_run(pool, "a")
    holder = Claims(pool, execute, rules())
    claims = asyncio.create_task(holder.run())
    await started.wait()
    await pool.execute("ALTER TABLE attempts RENAME COLUMN priority TO urgency")
    holder.wake()
    await asyncio.sleep(0.3)
    assert not claims.done()
    go_on.set()
    assert (await finished(pool, attempt_id)).conclusion is Conclusion.SUCCESS
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)


async def test_a_lease_that_is_taken_away_leaves_the_execution_off(pool: Pool[Any]) -> None:
    cancelled = asyncio.Event()

    async def execute(_: Attempt, __: Sink, ___: asyncio.Event) -> Outcome:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return SUCCESS

    attempt_id = await queue_run(pool, "a")
    claims = asyncio.create_task(Claims(pool, execute, rules(lease_seconds=0.3)).run())
    async with asyncio.timeout(10):
        while await pool.fetchval("SELECT state FROM attempts WHERE id = $1", attempt_id) != "preparing":
            await asyncio.sleep(0.02)
        await pool.execute(
            "UPDATE attempts SET epoch = epoch + 1, lease_expires = now() + '1h' WHERE id = $1", attempt_id
        )
        await cancelled.wait()
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)
    attempt = await attempts.get(pool, attempt_id)
    assert attempt is not None
    assert attempt.state is RunState.PREPARING


async def test_a_cancel_ends_what_is_queued_at_once_and_reaches_what_is_under_way(pool: Pool[Any]) -> None:
    async def execute(_: Attempt, __: Sink, cancel: Cancellation) -> Outcome:
        await cancel.wait()
        return Outcome(Conclusion.CANCELLED, cancel.title)

    queued = await queue_run(pool, "a")
    assert await attempts.ask_cancel(pool, queued, by="alice", reason="by alice")
    ended = await finished(pool, queued)
    assert (ended.conclusion, ended.title) == (Conclusion.CANCELLED, "cancelled by alice")
    running = await queue_run(pool, "b")
    claims = asyncio.create_task(Claims(pool, execute, rules()).run())
    async with asyncio.timeout(10):
        while await pool.fetchval("SELECT state FROM attempts WHERE id = $1", running) != "preparing":
            await asyncio.sleep(0.02)
    assert await attempts.ask_cancel(pool, running, by="bob", reason="by bob")
    ended = await finished(pool, running)
    assert (ended.conclusion, ended.title) == (Conclusion.CANCELLED, "cancelled by bob")
    claims.cancel()
    await asyncio.gather(claims, return_exceptions=True)
    assert not await attempts.ask_cancel(pool, running, by="bob", reason="by bob")


async def test_an_attempt_that_kills_its_worker_does_so_no_more_often_than_it_may(pool: Pool[Any]) -> None:
    attempt_id = await queue_run(pool, "a")
    for _ in range(3):
        assert await claim(pool, "w1") is not None
        assert await leases.give_back_of(pool, "w1", max_claims=3) == [attempt_id]
    assert await claim(pool, "w1") is None
    ended = await finished(pool, attempt_id)
    assert (ended.conclusion, ended.title) == (Conclusion.ERROR, "the worker was lost 3 times while it ran this")


async def test_while_the_disk_is_short_what_goes_on_is_taken_up_and_nothing_new(pool: Pool[Any]) -> None:
    kept = await queue_run(pool, "a")
    held = await leases.claim(pool, owner="w1", lease_seconds=30, per_repository=2, offer=Offer(engine="e"))
    assert held is not None
    await attempts.enter(pool, held, RunState.RUNNING, owner="w1")
    await leases.give_back(pool, held, owner="w1", kept_seconds=60)
    new = await queue_run(pool, "b")
    executed = []

    async def execute(attempt: Attempt, _: Sink, __: Cancellation) -> Outcome:
        executed.append(attempt.id)
        return SUCCESS

    offering = replace(rules(), offer=lambda: Offer(engine="e"))
    has_room = asyncio.Event()
    claims = Claims(pool, execute, offering, has_room=has_room.is_set)
    running = asyncio.create_task(claims.run())
    await finished(pool, kept)
    claims.wake()
    await asyncio.sleep(0.5)
    assert executed == [kept]
    has_room.set()
    claims.wake()
    await finished(pool, new)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_takes_back_what_it_held_when_it_died(pool: Pool[Any]) -> None:
    attempt_id = await queue_run(pool, "a")
    assert await claim(pool, "w1") is not None
    assert await leases.give_back_of(pool, "w2", max_claims=3) == []
    assert await leases.give_back_of(pool, "w1", max_claims=3) == [attempt_id]
    again = await claim(pool, "w1")
    assert again is not None
    assert again.epoch == 2
