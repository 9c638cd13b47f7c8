"""Rows whose time is over, in a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import CHECKED_TIERS
from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, Trust
from draftsman.store import (
    attempts,
    audit,
    database,
    deliveries,
    heads,
    leases,
    logs,
    recovery,
    refs,
    repositories,
    reruns,
    runs,
    tasks,
)
from draftsman.store.database import Pool
from draftsman.store.deliveries import Delivery
from draftsman.store.retention import BATCH, Keep, old_rows
from draftsman.store.runs import Wanted
from draftsman.store.tasks import TaskWanted
from tests.bot.work import claim, make_plan
from tests.store import old

WIDGETS = Repository(old.REPOSITORY, "acme/widgets", "https://x/y.git", "main", False, 3)


def sha(number: int) -> str:
    return f"{number:040x}"


async def ran(
    pool: Pool[Any], number: int, *, branch: str = "main", days: int = 400, conclusion: Conclusion = Conclusion.SUCCESS
) -> UUID:
    """A run that a push started, with a log, so many days ago."""
    async with pool.acquire() as connection, connection.transaction():
        wanted = Wanted(WIDGETS, sha(number), Ref(RefKind.BRANCH, branch), Trust.TRUSTED)
        started = await runs.start(connection, wanted, delivery=None)
        ref = Ref(RefKind.BRANCH, branch)
        await refs.release(connection, WIDGETS.id, ref, head_sha=sha(number), by="delivery", reason="(superseded)")
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("fast-1", 0, b"what it printed\n")
    await work.finish(conclusion)
    at = f"now() - interval '{days} days'"
    await pool.execute(f"UPDATE runs SET created_at = {at} WHERE id = $1", started.run_id)
    await pool.execute(f"UPDATE attempts SET finished_at = {at} WHERE run_id = $1", started.run_id)
    await pool.execute(f"UPDATE run_refs SET created_at = {at} WHERE run_id = $1", started.run_id)
    return started.run_id


async def left(pool: Pool[Any]) -> set[UUID]:
    return {row["id"] for row in await pool.fetch("SELECT id FROM runs")}


async def test_deliveries_and_ended_tasks_go_and_open_tasks_stay(pool: Pool[Any]) -> None:
    for number in range(3):
        await deliveries.insert(pool, Delivery(f"guid-{number}", "push", None, 1, 1, b"{}"), "nothing")
        await tasks.add(pool, TaskWanted("follow", f"lane-{number}"), delivery=f"guid-{number}")
    await pool.execute("UPDATE deliveries SET received_at = now() - interval '40 days' WHERE guid <> 'guid-2'")
    await pool.execute("UPDATE tasks SET created_at = now() - interval '40 days'")
    await pool.execute(
        "UPDATE tasks SET state = 'done', ended_at = now() - interval '31 days' WHERE delivery = 'guid-0'"
    )
    await pool.execute("UPDATE tasks SET state = 'given_up', ended_at = now() WHERE delivery = 'guid-1'")
    counted = await old_rows(pool, Keep(), dry_run=True)
    assert (counted["deliveries"], counted["tasks"]) == (2, 1)
    assert await old_rows(pool, Keep(), dry_run=False) == counted
    assert await deliveries.known(pool, ["guid-0", "guid-1", "guid-2"]) == {"guid-2"}
    remaining = await pool.fetch("SELECT delivery FROM tasks ORDER BY id")
    assert [row["delivery"] for row in remaining] == ["guid-1", "guid-2"]


async def test_a_delivery_whose_task_is_not_done_stays(pool: Pool[Any]) -> None:
    await old.deliveries(pool, 2)
    await tasks.add(pool, TaskWanted("follow", "lane"), delivery="old-1")
    await old_rows(pool, Keep(), dry_run=False)
    assert await deliveries.known(pool, ["old-1", "old-2"]) == {"old-1"}


async def test_what_github_may_still_list_is_known_whatever_the_settings_and_the_clock_say(pool: Pool[Any]) -> None:
    await old.deliveries(pool, 1, days=7)
    await old_rows(pool, Keep(delivery_days=0.1), dry_run=False)
    assert await deliveries.known(pool, ["old-1"]) == {"old-1"}
    # The machine's clock jumps 60 days ahead: by it, what GitHub delivered an hour ago is old.
    await pool.execute("UPDATE deliveries SET received_at = now() - interval '60 days'")
    newest = await pool.fetchval("SELECT now() - interval '60 days'")
    await recovery.keep_read(pool, last_delivery_id=1, last_delivered_at=newest)
    await old_rows(pool, Keep(), dry_run=False)
    assert await deliveries.known(pool, ["old-1"]) == {"old-1"}


async def test_a_log_goes_by_age_and_its_run_stays(pool: Pool[Any]) -> None:
    aged, fresh = await ran(pool, 1, days=31), await ran(pool, 2, branch="other", days=29)
    removed = await old_rows(pool, Keep(), dry_run=False)
    assert removed["log chunks"] == 1
    assert await left(pool) == {aged, fresh}
    for run_id, number, is_gone in ((aged, 0, True), (fresh, 1, False)):
        [attempt] = await attempts.of_run(pool, run_id)
        assert len([chunk async for chunk in logs.read(pool, attempt.id)]) == number
        at = await pool.fetchval("SELECT log_removed_at FROM attempts WHERE id = $1", attempt.id)
        assert (at is not None) is is_gone
    assert (await old_rows(pool, Keep(), dry_run=False))["log chunks"] == 0


async def test_old_runs_go_with_all_that_is_theirs(pool: Pool[Any]) -> None:
    gone, kept = await ran(pool, 1), await ran(pool, 2, days=399)
    counted = await old_rows(pool, Keep(), dry_run=True)
    assert counted["runs"] == 1
    assert (await old_rows(pool, Keep(), dry_run=False))["runs"] == 1
    assert await left(pool) == {kept}
    for table in ("attempts", "run_refs"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table} WHERE run_id = $1", gone) == 0
    assert await pool.fetchval("SELECT count(*) FROM steps") == 3  # those of the run that stays


async def test_what_a_ref_names_and_the_last_word_of_a_branch_stay(pool: Pool[Any]) -> None:
    first = await ran(pool, 1, days=500)
    last_word = await ran(pool, 2, days=490)
    current = await ran(pool, 3, days=480, conclusion=Conclusion.ERROR)
    of_deleted_branch = await ran(pool, 4, branch="gone", days=470)
    async with pool.acquire() as connection, connection.transaction():
        ref = Ref(RefKind.BRANCH, "gone")
        await refs.release(connection, WIDGETS.id, ref, head_sha=None, by="delivery", reason="(deleted)")
    await old_rows(pool, Keep(), dry_run=False)
    assert await left(pool) == {last_word, current}
    assert {first, of_deleted_branch}.isdisjoint(await left(pool))
    compared = await refs.last_of_branch(pool, WIDGETS.id, "main", except_run=current)
    assert compared == (await attempts.of_run(pool, last_word))[0].id
    # Of a repository that is gone nothing is compared any more.
    await repositories.gone(pool, WIDGETS.id)
    await old_rows(pool, Keep(), dry_run=False)
    assert await left(pool) == set()


async def test_an_old_run_that_is_asked_for_again_stays(pool: Pool[Any]) -> None:
    run_id = await ran(pool, 1)
    await ran(pool, 2, days=1)
    async with pool.acquire() as connection, connection.transaction():
        await reruns.ask(connection, run_id, by="alice", cause="asked for", tiers=CHECKED_TIERS)
    await old_rows(pool, Keep(), dry_run=False)
    assert run_id in await left(pool)


async def test_a_run_that_is_asked_for_while_runs_are_removed_is_passed_over(pool: Pool[Any]) -> None:
    run_id, current = await ran(pool, 1), await ran(pool, 2, days=1)
    async with pool.acquire() as connection, connection.transaction():
        await reruns.ask(connection, run_id, by="alice", cause="asked for", tiers=CHECKED_TIERS)
        # Not committed yet: what removes runs sees the old run without its new attempt, and does not wait for it.
        async with asyncio.timeout(30):
            removed = await old_rows(pool, Keep(), dry_run=False)
        assert removed["runs"] == 0
    assert await left(pool) == {run_id, current}
    assert (await claim(pool)).attempt.run.id == run_id


async def test_a_repository_is_known_after_its_first_run_is_gone(pool: Pool[Any]) -> None:
    await ran(pool, 1)
    await ran(pool, 2, days=1)
    before = await heads.first_seen(pool, [WIDGETS.id, 99])
    await old_rows(pool, Keep(), dry_run=False)
    assert await heads.first_seen(pool, [WIDGETS.id, 99]) == before
    assert set(before) == {WIDGETS.id}


async def test_the_audit_trail_says_what_was_removed_and_is_removed_itself(pool: Pool[Any]) -> None:
    await audit.record(pool, actor="alice", action="run.approved")
    await pool.execute("UPDATE audit_events SET at = now() - interval '366 days'")
    removed = await old_rows(pool, Keep(), dry_run=False, actor="worker w1")
    assert removed["audit rows"] == 1
    rows = await pool.fetch("SELECT actor, action, detail FROM audit_events")
    assert [tuple(row) for row in rows] == [("worker w1", "retention.removed", {"rows": {"audit rows": 1}})]
    await old_rows(pool, Keep(), dry_run=False)
    assert await pool.fetchval("SELECT count(*) FROM audit_events") == 1, "a pass that removes nothing says nothing"


async def test_one_process_removes_at_a_time(pool: Pool[Any]) -> None:
    await old.deliveries(pool, 3 * BATCH)
    both = await asyncio.gather(*(old_rows(pool, Keep(), dry_run=False, pause_seconds=0.05) for _ in range(2)))
    assert sorted(both, key=len) == [{}, {**dict.fromkeys(both[0] or both[1], 0), "deliveries": 3 * BATCH}]


class Halfway:
    """Work in the midst of a removal: held before it, let go when the first batches are gone."""

    def __init__(self, pool: Pool[Any], table: str) -> None:
        self._pool = pool
        self._table = table

    async def reached(self, below: int) -> int:
        """Wait until fewer rows than this are left, and return how many there are."""
        while (rows := await self._pool.fetchval(f"SELECT count(*) FROM {self._table}")) >= below:
            await asyncio.sleep(0.01)
        return int(rows)


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Pool[Any]]:
    """A pool whose connections wait for no lock: what would have to wait fails."""
    opened = await database.connect(f"{database_url}{'&' if '?' in database_url else '?'}lock_timeout=300ms", size=2)
    yield opened
    opened.terminate()


async def test_who_receives_claims_and_finishes_does_not_wait_for_a_removal(
    pool: Pool[Any], impatient: Pool[Any]
) -> None:
    await old.fill(pool, runs=4 * BATCH)
    await old.deliveries(pool, 4 * BATCH)
    removing = asyncio.create_task(old_rows(pool, Keep(), dry_run=False, pause_seconds=0.05))
    rows = await Halfway(pool, "log_chunks").reached(4 * BATCH)
    done = 0
    while not removing.done():
        done += 1
        guid = f"new-{done}"
        async with impatient.acquire() as connection, connection.transaction():
            await deliveries.insert(connection, Delivery(guid, "push", None, 7, 3, b"{}"), "run")
            wanted = Wanted(WIDGETS, sha(done), Ref(RefKind.BRANCH, "main"), Trust.TRUSTED)
            await runs.start(connection, wanted, delivery=guid)
            ref = Ref(RefKind.BRANCH, "main")
            await refs.release(connection, 7, ref, head_sha=sha(done), by="delivery", reason="(superseded)")
        attempt = await leases.claim(impatient, owner="w1", lease_seconds=30, per_repository=2)
        assert attempt is not None
        await leases.renew(impatient, attempt, lease_seconds=30)
        await logs.append(impatient, attempt, "fast-1", b"line\n")
        await attempts.finish(impatient, attempt, Outcome(Conclusion.SUCCESS, "all checks passed"), owner="w1")
    assert rows > 0
    assert done > 5, "the removal was over before anybody could have been held up"
    removed = await removing
    assert removed["log chunks"] == removed["runs"] == removed["deliveries"] == 4 * BATCH


async def test_the_test_of_waiting_can_fail(pool: Pool[Any], impatient: Pool[Any]) -> None:
    """The control: a removal that goes on for long holds up what one in batches does not."""
    await ran(pool, 1, days=1)

    async def receive() -> None:
        async with impatient.acquire() as connection, connection.transaction():
            wanted = Wanted(WIDGETS, sha(1), Ref(RefKind.BRANCH, "other"), Trust.TRUSTED)
            await runs.start(connection, wanted, delivery=None)

    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM runs")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await receive()


async def test_little_that_is_old_is_found_among_much_that_is_not(database_url: str) -> None:
    """A removal that looked at every row would take longer with every day that Draftsman is used."""
    before = await read_from_end_to_end(database_url, much_and_little)
    removed: dict[str, int] = {}

    async def remove(pool: Pool[Any]) -> None:
        removed.update(await old_rows(pool, Keep(), dry_run=False, pause_seconds=0))

    after = await read_from_end_to_end(database_url, remove)
    assert {kind: number for kind, number in removed.items() if number} == dict.fromkeys(
        ("log chunks", "runs", "deliveries", "audit rows"), 100
    )
    assert {table: rows - before[table] for table, rows in after.items() if rows - before[table] > 5_000} == {}

    async def look_at_all(pool: Pool[Any]) -> None:
        await pool.fetchval("SELECT count(*) FROM deliveries WHERE decision = 'another'")

    control = await read_from_end_to_end(database_url, look_at_all)
    assert control["deliveries"] - after["deliveries"] > 5_000, "nothing would be seen here"


async def much_and_little(pool: Pool[Any]) -> None:
    """40,000 young rows of each kind, and 100 old ones."""
    await old.fill(pool, runs=40_000, days=0, audit=1, content=1)
    await old.deliveries(pool, 40_000, days=0)
    age = "interval '400 days'"
    await pool.execute(f"UPDATE runs SET created_at = created_at - {age} WHERE id IN (SELECT id FROM runs LIMIT 100)")
    await pool.execute(
        f"UPDATE attempts SET finished_at = finished_at - {age} "
        "WHERE run_id IN (SELECT id FROM runs WHERE created_at < now() - interval '399 days')"
    )
    await pool.execute(f"UPDATE audit_events SET at = at - {age} WHERE id <= 100")
    await pool.execute(
        f"UPDATE deliveries SET received_at = received_at - {age} WHERE guid IN (SELECT guid FROM deliveries LIMIT 100)"
    )
    await pool.execute("VACUUM ANALYZE", timeout=300)


async def read_from_end_to_end(database_url: str, work: Callable[[Pool[Any]], Awaitable[None]]) -> dict[str, int]:
    """The rows of each table that sequential scans have read once this work is done."""
    working = await database.connect(database_url, size=2)
    await work(working)
    await working.close()
    connection = await asyncpg.connect(database_url)
    try:
        # A connection's share is in the statistics when it has ended.
        while await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.05)
        rows = await connection.fetch("SELECT relname, seq_tup_read FROM pg_stat_user_tables")
    finally:
        await connection.close()
    return {row["relname"]: row["seq_tup_read"] for row in rows}
