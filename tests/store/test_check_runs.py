"""Which attempt speaks for its commit, and which attempts GitHub is to be told of now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import HEAD, Conclusion, Ref, RefKind, Repository, Trust, merge_subject
from draftsman.store import attempts, check_runs, installations, leases, refs, reruns, runs
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted

WIDGETS = Repository(7, "acme/widgets", "https://github.com/acme/widgets.git", "main", True, 3)
FAST, FULL = CHECKED_TIERS
MERGE = merge_subject("b" * 40)


async def start(
    pool: Pool[Any], *, subject: str = HEAD, number: int = 1, branch: str = "main", trust: Trust = Trust.TRUSTED
) -> UUID:
    """The attempt of a commit's run."""
    wanted = Wanted(WIDGETS, f"{number:040x}", Ref(RefKind.BRANCH, branch), trust, subject=subject)
    async with pool.acquire() as connection, connection.transaction():
        started = await runs.start(connection, wanted, delivery=None)
    assert started.attempt_id is not None
    return started.attempt_id


async def finish(pool: Pool[Any], conclusion: Conclusion = Conclusion.FAILURE) -> UUID:
    attempt = await leases.claim(pool, owner="w", lease_seconds=30, per_repository=9)
    assert attempt is not None
    await attempts.finish(pool, attempt, Outcome(conclusion, "over"), owner="w")
    run_id: UUID = attempt.run.id
    return run_id


async def ask(pool: Pool[Any], run_id: UUID, *tiers: Tier) -> UUID:
    async with pool.acquire() as connection, connection.transaction():
        asked = await reruns.ask(connection, run_id, by="alice", cause="test", tiers=tiers or CHECKED_TIERS)
    assert asked.attempt_id is not None
    return asked.attempt_id


async def speaker(pool: Pool[Any], tier: Tier) -> UUID:
    """The one attempt that speaks for the tier."""
    known: list[UUID] = [row["id"] for row in await pool.fetch("SELECT id FROM attempts")]
    [found] = [one for one in known if await check_runs.speaks(pool, one, tier)]
    return found


async def test_the_newest_attempt_of_all_runs_speaks(pool: Pool[Any]) -> None:
    first = await start(pool)
    assert await speaker(pool, FAST) == first
    merged = await start(pool, subject=MERGE)
    assert await speaker(pool, FAST) == merged
    run_id = await finish(pool)
    again = await ask(pool, run_id)
    assert await speaker(pool, FAST) == await speaker(pool, FULL) == again
    assert (await runs.of_commit(pool, WIDGETS.id, f"{1:040x}"))[0] == run_id


async def test_a_strangers_pull_request_does_not_speak_for_a_commit_of_the_repositorys_own(pool: Pool[Any]) -> None:
    own = await start(pool)
    run_id = await finish(pool)
    stranger = await start(pool, subject=MERGE, trust=Trust.UNTRUSTED)
    assert await speaker(pool, FAST) == own
    await pool.execute("UPDATE run_refs SET is_current = false WHERE run_id = $1", run_id)
    assert await speaker(pool, FAST) == stranger


async def test_a_tier_is_spoken_for_by_the_newest_that_was_asked_for_it_else_by_the_first(pool: Pool[Any]) -> None:
    both = await start(pool)
    run_id = await finish(pool)
    fast = await ask(pool, run_id, FAST)
    assert (await speaker(pool, FAST), await speaker(pool, FULL)) == (fast, both)
    await pool.execute("UPDATE attempts SET tiers = '{fast}'")
    assert (await speaker(pool, FAST), await speaker(pool, FULL)) == (fast, both)


async def test_a_transaction_that_began_early_and_waited_is_not_older_than_what_it_waited_for(pool: Pool[Any]) -> None:
    await start(pool)
    run_id = await finish(pool)
    merged = await start(pool, subject=MERGE)
    again = await ask(pool, run_id)
    await pool.execute("UPDATE attempts SET created_at = created_at - interval '1 hour' WHERE id = $1", again)
    # In its run it is the newest; among the runs, the merge is: one of them speaks, and only one.
    assert await speaker(pool, FAST) == merged


@pytest.mark.parametrize("mark", [{"suspended": True}, {"removed": True}])
async def test_who_cannot_be_reached_is_left_out_until_it_is_back(pool: Pool[Any], mark: dict[str, bool]) -> None:
    attempt_id = await start(pool)
    await installations.note(pool, 3, account="acme", account_id=1)
    assert [item.attempt_id for item in await check_runs.behind(pool)] == [attempt_id]
    await installations.mark(pool, 3, **mark)
    assert await check_runs.behind(pool) == []
    for tier in CHECKED_TIERS:
        reported = await check_runs.of_attempt(pool, attempt_id, tier)
        await check_runs.failed(pool, reported, retry_seconds=3600, error="suspended")
    await installations.mark(pool, 3, **dict.fromkeys(mark, False))
    assert [item.attempt_id for item in await check_runs.behind(pool)] == [attempt_id]
    await pool.execute("UPDATE repositories SET is_gone = true")
    assert await check_runs.behind(pool) == []


async def test_a_thrifty_installation_is_told_of_begin_and_end(pool: Pool[Any]) -> None:
    attempt_id = await start(pool)
    assert len(await check_runs.behind(pool, thrifty=[3])) == 1
    for tier in CHECKED_TIERS:
        assert len(await check_runs.behind(pool, thrifty=[3])) == 1
        reported = await check_runs.of_attempt(pool, attempt_id, tier)
        await check_runs.told(pool, reported, version=1, digest="queued::x", annotations=0)
    attempt = await leases.claim(pool, owner="w", lease_seconds=30, per_repository=9)
    assert attempt is not None
    assert len(await check_runs.behind(pool)) == 1
    assert await check_runs.behind(pool, thrifty=[3]) == []
    await attempts.finish(pool, attempt, Outcome(Conclusion.FAILURE, "over"), owner="w")
    [item] = await check_runs.behind(pool, thrifty=[3])
    assert item.at_rest


async def test_what_a_branch_was_before_a_run_is_older_than_the_run(pool: Pool[Any]) -> None:
    ids = []
    for number in range(1, 4):
        await start(pool, number=number)
        ids.append(await finish(pool, Conclusion.SUCCESS))
    middle = await pool.fetchval("SELECT created_at FROM runs WHERE id = $1", ids[1])
    newest = await refs.last_of_branch(pool, WIDGETS.id, "main", except_run=ids[1])
    before = await refs.last_of_branch(pool, WIDGETS.id, "main", except_run=ids[1], before=middle)
    found = {one: (await attempts.of_run(pool, run_id))[0].id for one, run_id in zip("abc", ids, strict=True)}
    assert (newest, before) == (found["c"], found["a"])
