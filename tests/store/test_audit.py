"""The audit trail in a real Postgres: nothing happens to an attempt without it, and a person can read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, Trust
from draftsman.domain.story import clause
from draftsman.store import (
    approvals,
    attempts,
    audit,
    check_runs,
    installations,
    leases,
    recovery,
    refs,
    repositories,
    reruns,
    runs,
    tasks,
)
from draftsman.store.audit import AuditFilter
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted
from draftsman.store.tasks import TaskWanted
from tests.bot.work import claim, make_plan

WIDGETS = Repository(7, "acme/widgets", "https://x/y.git", "main", False, 3)


def wanted(number: int, trust: Trust = Trust.TRUSTED, kind: RefKind = RefKind.BRANCH, name: str = "main") -> Wanted:
    return Wanted(WIDGETS, f"{number:040x}", Ref(kind, name), trust)


async def start(pool: Pool[Any], one: Wanted) -> UUID:
    async with pool.acquire() as connection, connection.transaction():
        return (await runs.start(connection, one, delivery=None)).run_id


async def story(pool: Pool[Any], run_id: UUID) -> list[str]:
    """The run's history as a person is shown it."""
    return [f"{e.actor}: {clause(e.action, e.detail, e.attempt)}" for e in await audit.of_run(pool, run_id)]


@pytest.fixture
async def transitions(pool: Pool[Any]) -> AsyncIterator[Pool[Any]]:
    """Notes each change of an attempt's state, with its transaction. None may be without its line in the trail."""
    await pool.execute(
        """
        CREATE TABLE transitions (attempt_id UUID, was TEXT, now TEXT, xid TEXT);
        CREATE FUNCTION note_transition() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO transitions VALUES (NEW.id, OLD.state, NEW.state, pg_current_xact_id()::text);
            RETURN NULL;
        END $$;
        CREATE TRIGGER of_update AFTER UPDATE OF state ON attempts FOR EACH ROW
            WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION note_transition();
        """
    )
    yield pool
    noted = await pool.fetch("SELECT DISTINCT was, now FROM transitions")
    assert noted, "the test changed no state"
    silent = await pool.fetch(
        "SELECT * FROM transitions t WHERE NOT EXISTS (SELECT FROM audit_events e "
        "WHERE e.attempt_id = t.attempt_id AND e.xmin::text = t.xid)"
    )
    assert [(row["was"], row["now"]) for row in silent] == []


async def test_a_run_that_passes(transitions: Pool[Any]) -> None:
    run_id = await start(transitions, wanted(1))
    work = await claim(transitions)
    await work.plan(make_plan())
    await work.build()
    await work.sandbox()
    await work.step("fast-1")
    await work.finish(Conclusion.SUCCESS)
    assert await story(transitions, run_id) == [
        "delivery: attempt 1 is made: trusted, for branch main",
        "worker worker-1: attempt 1 is taken",
        "worker worker-1: attempt 1 builds its image",
        "worker worker-1: attempt 1 runs its checks",
        "worker worker-1: attempt 1 finished as success: all checks passed",
    ]


async def test_a_strangers_run_that_waits_is_approved_and_asked_for_again(transitions: Pool[Any]) -> None:
    pull = wanted(1, Trust.UNTRUSTED, RefKind.PULL_REQUEST, "12")
    run_id = await start(transitions, pull)
    await approvals.hold(transitions, run_id, title="waiting for approval")
    async with transitions.acquire() as connection, connection.transaction():
        await approvals.approve(connection, run_id, by="alice", reason="comment")
    async with transitions.acquire() as connection, connection.transaction():
        await reruns.ask(connection, run_id, by="bob", cause="comment test", tiers=(Tier.FAST,))
    assert await story(transitions, run_id) == [
        "delivery: attempt 1 is made: untrusted, for pull request 12",
        "delivery: attempt 1 waits: waiting for approval",
        "alice: lets the commit run: comment",
        "alice: attempt 1 finished as action_required: approved by alice",
        "alice: attempt 2 is made: approved",
        "bob: asks for what attempt 2 does: comment test",
    ]


async def test_what_is_superseded_lost_and_given_back(transitions: Pool[Any]) -> None:
    run_id = await start(transitions, wanted(1))
    attempt = await leases.claim(transitions, owner="w1", lease_seconds=0, per_repository=2)
    assert attempt is not None
    await leases.give_back_lost(transitions, max_claims=3)
    attempt = await leases.claim(transitions, owner="w2", lease_seconds=30, per_repository=2)
    assert attempt is not None
    await leases.give_back(transitions, attempt, owner="w2")
    await leases.claim(transitions, owner="w3", lease_seconds=30, per_repository=2)
    await leases.give_back_of(transitions, "w3", max_claims=3)
    async with transitions.acquire() as connection, connection.transaction():
        ref = Ref(RefKind.BRANCH, "main")
        await refs.release(connection, 7, ref, head_sha="b" * 40, by="delivery", reason="(superseded by bbbbbbb)")
    assert (await story(transitions, run_id))[1:] == [
        "worker w1: attempt 1 is taken",
        "reconciler: attempt 1 lost its worker w1: it is queued again",
        "worker w2: attempt 1 is taken",
        "worker w2: attempt 1 is queued again: its worker stops",
        "worker w3: attempt 1 is taken",
        "worker w3: attempt 1 is queued again: its worker was dead, and is back",
        "delivery: branch main names the commit no more: it names bbbbbbb now",
        "delivery: attempt 1 is to end: cancelled (superseded by bbbbbbb)",
    ]


async def test_a_trusted_event_ends_the_untrusted_attempt_that_waits(transitions: Pool[Any]) -> None:
    run_id = await start(transitions, wanted(1, Trust.UNTRUSTED, RefKind.PULL_REQUEST, "12"))
    await start(transitions, wanted(1))
    assert (await story(transitions, run_id))[1:] == [
        "delivery: attempt 1 finished as cancelled: a trusted event for this commit arrived",
        "delivery: attempt 2 is made: trusted, for branch main",
    ]


async def test_github_was_told_of_an_end_and_could_not_be(pool: Pool[Any]) -> None:
    run_id = await start(pool, wanted(1))
    attempt = (await attempts.of_run(pool, run_id))[0]
    reported = await check_runs.of_attempt(pool, attempt.id, Tier.FAST)
    for _ in range(2):
        await check_runs.failed(pool, reported, retry_seconds=0, error="GitHub answered 502.")
    await check_runs.told(pool, reported, version=1, digest="in_progress::a", annotations=0)
    for digest in ("completed:failure:b", "completed:failure:b"):
        await check_runs.told(pool, reported, version=2, digest=digest, annotations=0)
    assert (await story(pool, run_id))[1:] == [
        "reporter: GitHub could not be told of fast of attempt 1, which is tried again: GitHub answered 502.",
        "reporter: GitHub shows fast of attempt 1 as failure",
    ]


async def test_a_task_that_is_given_up_says_so_once(pool: Pool[Any]) -> None:
    run_id = await start(pool, wanted(1))
    await tasks.add(pool, TaskWanted("rerun", "lane", {"run_id": str(run_id)}), delivery="guid-1")
    await tasks.add(pool, TaskWanted(tasks.START_LATE, runs.late_lane(run_id)), delivery=None)
    task = await tasks.take(pool, lease_seconds=30)
    assert task is not None
    for _ in range(2):
        await tasks.end(pool, task, error="GitHub answered 404.")
    assert await tasks.drop(pool, [tasks.START_LATE], [runs.late_lane(run_id)], reason="cancelled by bob") == 1
    assert (await story(pool, run_id))[1:] == [
        "tasks: the task rerun is given up: GitHub answered 404.",
        "tasks: the task start_late is given up: cancelled by bob",
    ]
    [event] = await audit.of_delivery(pool, "guid-1")
    assert event.run_id == run_id
    done = await tasks.take(pool, lease_seconds=30)
    assert done is None


async def test_installations_and_repositories_come_and_go(pool: Pool[Any]) -> None:
    for _ in range(2):
        await installations.note(pool, 3, account="acme", account_id=9)
        await installations.mark(pool, 3, suspended=True)
    await installations.mark(pool, 3, suspended=False)
    await installations.decide(pool, 3, approved=True, by="alice")
    async with pool.acquire() as connection, connection.transaction():
        await repositories.keep(connection, WIDGETS)
        await repositories.keep(connection, Repository(7, "acme/gadgets", "https://x/y.git", "main", False, 3))
        await repositories.gone(connection, 7)
    await recovery.ask_sync(pool, by="alice")
    now = datetime.now(UTC)
    await recovery.note_gap(pool, now - timedelta(hours=1), now)
    found = [event.action for event in reversed(await audit.recent(pool, AuditFilter(), limit=100))]
    assert found == [
        "installation.added",
        "installation.suspended",
        "installation.back",
        "installation.approved",
        "repository.renamed",
        "repository.gone",
        "recovery.sync_asked",
        "recovery.gap",
    ]


async def test_the_trail_is_searched(pool: Pool[Any]) -> None:
    run_id = await start(pool, wanted(1))
    async with pool.acquire() as connection, connection.transaction():
        await reruns.ask(connection, run_id, by="Alice", cause="asked for", tiers=CHECKED_TIERS)
    await audit.record(pool, actor="delivery", action=audit.RECEIVED, delivery="g", sender="alice", repo="acme/other")
    await audit.record(pool, actor="alice", action="run_of_something.else")

    async def found(**wanted: Any) -> list[str]:
        return [event.action for event in await audit.recent(pool, AuditFilter(**wanted), limit=10)]

    assert await found(repo="ACME/widgets") == ["attempt.joined", "attempt.created"]
    assert await found(repo="acme/other") == ["delivery.received"]
    assert await found(actor="alice") == ["run_of_something.else", "delivery.received", "attempt.joined"]
    assert await found(action="attempt") == ["attempt.joined", "attempt.created"]
    assert await found(action="attempt.created") == ["attempt.created"]
    assert await found(action="run") == []
    assert await found(since=datetime.now(UTC) + timedelta(hours=1)) == []
    newest = (await audit.recent(pool, AuditFilter(), limit=1))[0]
    assert len(await found(before=newest.id)) == 3
    assert (await audit.recent(pool, AuditFilter(repo="acme/widgets"), limit=1))[0].repo == "acme/widgets"


def test_an_action_that_is_not_known_is_told_as_it_is() -> None:
    assert clause("queue.paused", {"reason": "an upgrade", "until": None}) == "queue paused: reason an upgrade"
    assert clause("retention.removed", {"rows": {"log chunks": 3, "runs": 1}}) == (
        "retention removed: rows 3 log chunks, 1 runs"
    )
    assert len(clause("x.y", {"text": "z" * 1000})) == 300
    for action in ("attempt.created", "attempt.finished", "lease.lost", "ref.released", "command.test", "log.purged"):
        assert clause(action, {}), "a detail that lacks everything is told all the same"
