"""Rows whose time is over, in a real Postgres."""

from __future__ import annotations

from typing import Any

from draftsman.store import deliveries, tasks
from draftsman.store.database import Pool
from draftsman.store.deliveries import Delivery
from draftsman.store.retention import Keep, old_rows
from draftsman.store.tasks import TaskWanted


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
    left = await pool.fetch("SELECT delivery FROM tasks ORDER BY id")
    assert [row["delivery"] for row in left] == ["guid-1", "guid-2"]
