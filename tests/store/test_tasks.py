"""Tasks in a real Postgres: lanes, leases, and who may write what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from draftsman.domain.errors import LeaseLostError
from draftsman.store import installations, tasks
from draftsman.store.database import Pool
from draftsman.store.tasks import Task, TaskWanted

LANE = "7:pull_request:12"


async def add(pool: Pool[Any], lane: str = LANE, **detail: Any) -> None:
    await tasks.add(pool, TaskWanted("comment", lane, detail), delivery="guid")


async def take(pool: Pool[Any], *, lease_seconds: float = 60) -> Task:
    task = await tasks.take(pool, lease_seconds=lease_seconds)
    assert task is not None
    return task


async def take_none(pool: Pool[Any]) -> bool:
    return await tasks.take(pool, lease_seconds=60) is None


async def row(pool: Pool[Any], task: Task) -> Any:
    return await pool.fetchrow("SELECT state, error, tries, lane, detail FROM tasks WHERE id = $1", task.id)


async def test_a_lane_is_done_in_order_and_others_meanwhile(pool: Pool[Any]) -> None:
    for number, lane in enumerate((LANE, LANE, "other", LANE)):
        await add(pool, lane, number=number)
    first, other = await take(pool), await take(pool)
    assert [task.detail["number"] for task in (first, other)] == [0, 2]
    assert await take_none(pool)
    await tasks.end(pool, first)
    second = await take(pool)
    assert second.detail["number"] == 1
    await tasks.end(pool, second, error="given up")
    assert (await take(pool)).detail["number"] == 3


async def test_a_task_is_taken_once_whoever_asks(pool: Pool[Any]) -> None:
    for number in range(5):
        await add(pool, f"lane {number}")
        await add(pool, f"lane {number}")
    found = await asyncio.gather(*(tasks.take(pool, lease_seconds=60) for _ in range(20)))
    taken = [task for task in found if task is not None]
    assert sorted(task.lane for task in taken) == [f"lane {number}" for number in range(5)]


async def test_the_lease_of_one_that_died_is_taken_over_and_the_late_one_changes_nothing(pool: Pool[Any]) -> None:
    await add(pool)
    dead = await take(pool, lease_seconds=0)
    heir = await take(pool)
    assert (heir.id, heir.tries) == (dead.id, 2)
    with pytest.raises(LeaseLostError):
        await tasks.end(pool, dead)
    with pytest.raises(LeaseLostError):
        await tasks.keep_detail(pool, dead, {"outcomes": ["late"]})
    await tasks.again(pool, dead, seconds=0, error="late")
    found = await row(pool, heir)
    assert (found["state"], found["error"], found["detail"]) == ("open", None, {})
    assert await take_none(pool)
    await tasks.end(pool, heir)
    assert (await row(pool, heir))["state"] == "done"


async def test_what_was_ended_in_a_transaction_may_be_ended_again(pool: Pool[Any]) -> None:
    await add(pool)
    task = await take(pool)
    await tasks.end(pool, task)
    await tasks.end(pool, task, error="too late")
    assert tuple(await row(pool, task))[:2] == ("done", None)
    await tasks.again(pool, task, seconds=0, error="too late")
    assert await take_none(pool)


async def test_a_try_that_failed_comes_again_and_holds_its_lane_until_then(pool: Pool[Any]) -> None:
    await add(pool, number=1)
    await add(pool, number=2)
    await tasks.again(pool, await take(pool), seconds=3600, error="a\x00\ud800b" + "c" * 5_000)
    assert await take_none(pool)
    assert len(await pool.fetchval("SELECT error FROM tasks WHERE error IS NOT NULL")) == 2_000
    wait = await tasks.seconds_to_next(pool)
    assert wait is not None
    assert wait > 3500, "the one behind it is due, and must not have the loop look again and again"
    await pool.execute("UPDATE tasks SET due_at = now()")
    again = await take(pool)
    assert (again.detail["number"], again.tries) == (1, 2)


async def test_one_that_steps_aside_lets_the_others_go_on(pool: Pool[Any]) -> None:
    await add(pool, number=1)
    await add(pool, number=2)
    first = await take(pool)
    await tasks.again(pool, first, seconds=0, error="busy", aside=True)
    taken = [await take(pool), await take(pool)]
    assert [task.detail["number"] for task in taken] == [1, 2]
    await tasks.again(pool, taken[0], seconds=0, error="busy", aside=True)
    assert (await row(pool, first))["lane"] == taken[0].lane, "it stays where it is"


async def test_what_is_dropped_is_given_up_in_its_lanes_alone(pool: Pool[Any]) -> None:
    for lane in (LANE, LANE + "3", LANE):
        await add(pool, lane)
    assert await tasks.drop(pool, ("comment",), (LANE,), reason="cancelled by ada") == 2
    assert await tasks.drop(pool, ("comment",), (LANE,), reason="cancelled by bob") == 0
    assert (await take(pool)).lane == LANE + "3"


async def test_what_waits_for_an_installation_is_due_when_it_is_back(pool: Pool[Any]) -> None:
    await installations.note(pool, 3, account="acme", account_id=1)
    await pool.execute(
        "INSERT INTO repositories (id, full_name, clone_url, default_branch, private, installation_id) "
        "VALUES (7, 'acme/widgets', '', 'main', true, 3), (8, 'other/widgets', '', 'main', true, 4)"
    )
    for number, detail in enumerate(({"repository_id": 7}, {"repository_id": 8}, {"installation_id": 3}, {})):
        await add(pool, str(number), **detail)
    await add(pool, "being done", repository_id=7)
    for _ in range(4):
        await tasks.again(pool, await take(pool), seconds=3600, error="suspended")
    busy = await take(pool)
    await installations.mark(pool, 3, suspended=True)
    assert await take_none(pool)
    await installations.mark(pool, 3, suspended=False)
    assert {(await take(pool)).lane for _ in range(2)} == {"0", "2"}
    assert await take_none(pool), f"nobody else does {busy.lane}"


async def test_the_same_thing_wanted_twice_is_known(pool: Pool[Any]) -> None:
    await add(pool, repository_id=7, comment_id=5)
    await add(pool, repository_id=7, comment_id=5)
    first = await take(pool)
    same = {"repository_id": 7, "comment_id": 5}
    assert not await tasks.was_wanted(pool, first, same)
    await tasks.end(pool, first)
    second = await take(pool)
    assert await tasks.was_wanted(pool, second, same)
    assert not await tasks.was_wanted(pool, second, {"repository_id": 8, "comment_id": 5})
