"""What refs name, and what becomes of runs that they leave, in a real Postgres."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import Tier
from draftsman.domain.renewal import When
from draftsman.domain.run import Attempt, Conclusion, Ref, RefKind, Trust
from draftsman.store import attempts, leases, refs, runs
from draftsman.store.database import Pool
from draftsman.store.refs import Released
from draftsman.store.runs import Started, Wanted
from tests.bot.work import make_plan
from tests.store.test_runs import WIDGETS

MAIN, TOPIC = Ref(RefKind.BRANCH, "main"), Ref(RefKind.BRANCH, "topic")
OLD, NEW = "a" * 40, "b" * 40


async def start(
    pool: Pool[Any], sha: str, ref: Ref = TOPIC, trust: Trust = Trust.TRUSTED, base: str | None = None
) -> Started:
    wanted = Wanted(WIDGETS, sha, ref, trust, base_sha="c" * 40 if base else None, base_branch=base)
    async with pool.acquire() as connection, connection.transaction():
        return await runs.start(connection, wanted, delivery=None)


async def release(pool: Pool[Any], head_sha: str | None, ref: Ref = TOPIC, *, is_sure: bool = False) -> Released:
    since = None if is_sure else await refs.now(pool) - timedelta(seconds=4)
    async with pool.acquire() as connection, connection.transaction():
        return await refs.release(
            connection,
            WIDGETS.id,
            ref,
            head_sha=head_sha,
            by="test",
            reason="(superseded)",
            doubtful_since=since,
        )


async def claimed(pool: Pool[Any]) -> Attempt:
    attempt = await leases.claim(pool, owner="w", lease_seconds=30, per_repository=9)
    assert attempt is not None
    return attempt


async def late(pool: Pool[Any]) -> list[When]:
    """Do the tasks that wait for the end of an attempt, and return what came of each."""
    rows = await pool.fetch("SELECT detail FROM tasks WHERE kind = 'start_late' AND state = 'open' ORDER BY id")
    found = []
    for detail in (row["detail"] for row in rows):
        wanted = Wanted(
            WIDGETS, detail["head_sha"], Ref(RefKind(detail["kind"]), detail["name"]), Trust(detail["trust"])
        )
        async with pool.acquire() as connection, connection.transaction():
            found.append(await runs.start_late(connection, wanted, delivery=None))
    return found


async def test_a_newer_commit_ends_the_older_ones_run_at_once(pool: Pool[Any]) -> None:
    old = await start(pool, OLD)
    await start(pool, NEW)
    assert await release(pool, NEW) == Released((old.attempt_id,), False)  # type: ignore[arg-type]


async def test_an_answer_that_is_older_than_the_newest_event_ends_nothing(pool: Pool[Any]) -> None:
    await start(pool, OLD)
    await start(pool, NEW)
    assert await release(pool, OLD) == Released((), True)
    assert await release(pool, None) == Released((), True)
    # Once it stands for a while it is believed: the event came late.
    assert len((await release(pool, OLD, is_sure=True)).ended) == 1


async def test_a_ref_that_comes_back_to_a_commit_is_newer_than_what_was_between(pool: Pool[Any]) -> None:
    first = await start(pool, OLD)
    second = await start(pool, NEW)
    await start(pool, OLD)
    assert await release(pool, OLD) == Released((second.attempt_id,), False)  # type: ignore[arg-type]
    assert (await attempts.of_run(pool, first.run_id))[0].conclusion is None


async def test_a_run_that_another_ref_takes_up_while_one_lets_it_go_is_not_lost(pool: Pool[Any]) -> None:
    started = await start(pool, OLD)
    wanted = Wanted(WIDGETS, OLD, MAIN, Trust.TRUSTED)
    async with pool.acquire() as connection, connection.transaction():
        await runs.start(connection, wanted, delivery=None)
        letting_go = asyncio.create_task(release(pool, None, is_sure=True))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(letting_go), 0.3)
    assert (await letting_go).ended == ()
    assert (await attempts.of_run(pool, started.run_id))[0].conclusion is None


async def test_a_commit_that_is_named_again_while_its_run_is_being_ended_runs_again(pool: Pool[Any]) -> None:
    started = await start(pool, OLD)
    attempt = await claimed(pool)
    assert (await release(pool, None, is_sure=True)).ended == (attempt.id,)
    assert (await start(pool, OLD, MAIN)).attempt_id is None
    assert await late(pool) == [When.LATER]
    await attempts.finish(pool, attempt, Outcome(Conclusion.CANCELLED, "gone"), owner="w")
    assert await late(pool) == [When.NOW]
    assert len(await attempts.of_run(pool, started.run_id)) == 2


async def test_what_is_let_go_meanwhile_is_not_started_late(pool: Pool[Any]) -> None:
    await start(pool, OLD)
    attempt = await claimed(pool)
    await release(pool, None, is_sure=True)
    await start(pool, OLD, MAIN)
    await release(pool, None, MAIN, is_sure=True)
    await attempts.finish(pool, attempt, Outcome(Conclusion.CANCELLED, "gone"), owner="w")
    assert await late(pool) == [When.NEVER]


async def test_a_trusted_event_waits_for_the_untrusted_attempt_under_way(pool: Pool[Any]) -> None:
    started = await start(pool, OLD, Ref(RefKind.PULL_REQUEST, "1"), Trust.UNTRUSTED, "main")
    await pool.execute("INSERT INTO approvals (run_id, approved_by, reason) VALUES ($1, 'a', 'b')", started.run_id)
    await pool.execute("UPDATE attempts SET state = 'queued'")
    attempt = await claimed(pool)
    await start(pool, OLD, MAIN)
    await attempts.finish(pool, attempt, Outcome(Conclusion.SUCCESS, "fine"), owner="w")
    assert await late(pool) == [When.NOW]
    newest = (await attempts.of_run(pool, started.run_id))[0]
    assert (newest.number, newest.trust) == (2, Trust.TRUSTED)


async def test_a_strangers_commit_is_judged_anew_by_another_base(pool: Pool[Any]) -> None:
    request = Ref(RefKind.PULL_REQUEST, "1")
    started = await start(pool, OLD, request, Trust.UNTRUSTED, "weak")
    await pool.execute("INSERT INTO approvals (run_id, approved_by, reason) VALUES ($1, 'a', 'b')", started.run_id)
    await pool.execute("UPDATE attempts SET state = 'queued'")
    first = await claimed(pool)
    await attempts.keep_plan(pool, first, make_plan())
    await attempts.finish(pool, first, Outcome(Conclusion.SUCCESS, "fine"), owner="w")
    assert (await start(pool, OLD, request, Trust.UNTRUSTED, "weak")).attempt_id is None
    assert (await start(pool, OLD, request, Trust.UNTRUSTED, "main")).attempt_id is not None
    second = await claimed(pool)
    assert (second.number, second.trust) == (2, Trust.UNTRUSTED)
    # What was planned by the other base's configuration counts no more, for a re-run neither.
    assert await attempts.kept_plan_of(pool, second) is None
    await attempts.finish(pool, second, Outcome(Conclusion.CANCELLED, "no"), owner="w")
    assert (await start(pool, OLD, request, Trust.UNTRUSTED, "main")).attempt_id is None


async def test_a_pull_request_shows_what_its_base_checks_and_the_commit_does_not(pool: Pool[Any]) -> None:
    await start(pool, NEW, MAIN)
    base = await claimed(pool)
    await attempts.keep_plan(pool, base, make_plan())
    await attempts.finish(pool, base, Outcome(Conclusion.SUCCESS, "fine"), owner="w")
    started = await start(pool, OLD)
    assert await refs.tiers_of_branch(pool, WIDGETS.id, "main", except_run=started.run_id) == {Tier.FAST, Tier.FULL}
    pushed = await claimed(pool)
    await attempts.keep_plan(pool, pushed, make_plan(full=()))
    await attempts.finish(pool, pushed, Outcome(Conclusion.SUCCESS, "fine"), owner="w")
    request = Ref(RefKind.PULL_REQUEST, "1")
    assert (await start(pool, OLD, request, base="main")).attempt_id is not None
    again = await claimed(pool)
    await attempts.finish(pool, again, Outcome(Conclusion.FAILURE, "removed"), owner="w")
    assert (await start(pool, OLD, request, base="main")).attempt_id is None
