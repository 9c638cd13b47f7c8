"""When a lease counts as lost: not while nobody could renew it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from draftsman.awake import Vigil
from draftsman.store.database import Pool
from orchestrator.upkeep import reconcile_regularly
from tests.draftsman.test_awake import Hands
from tests.orchestrator.test_claims import claim, queue_run


async def wake() -> None:
    """Wake nobody."""


class Counted(Hands):
    """A clock that is set by hand and counts how often it was read: once a look."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return super().__call__()


@asynccontextmanager
async def reconciling(pool: Pool[Any], hands: Callable[[], float]) -> AsyncIterator[None]:
    vigil = Vigil(lease_seconds=30, every_seconds=0.05, read=hands)
    task = asyncio.create_task(reconcile_regularly(pool, wake, vigil=vigil, max_claims=9))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def state_after(pool: Pool[Any], hands: Counted, looks: int) -> str:
    """Return the only attempt's state once somebody has looked so often again, the last time to its end."""
    until = hands.looks + looks + 1
    async with asyncio.timeout(30):
        while hands.looks < until:
            await asyncio.sleep(0.01)
    state: str = await pool.fetchval("SELECT state FROM attempts")
    return state


async def test_a_lease_that_ran_out_before_the_first_look_is_taken_back(pool: Pool[Any]) -> None:
    await queue_run(pool, "a")
    await claim(pool, lease_seconds=0)
    hands = Counted()
    async with reconciling(pool, hands):
        assert await state_after(pool, hands, 1) == "queued"


async def test_after_the_machine_slept_no_lease_is_lost_for_as_long_as_one_lasts(pool: Pool[Any]) -> None:
    await queue_run(pool, "a")
    hands = Counted()
    async with reconciling(pool, hands):
        assert await state_after(pool, hands, 1) == "queued"
        hands.at += 8 * 3600
        assert await state_after(pool, hands, 1) == "queued"
        await claim(pool, lease_seconds=0)
        assert await state_after(pool, hands, 3) == "preparing"
        for _ in range(4):
            hands.at += 8
            state = await state_after(pool, hands, 1)
        assert state == "queued"
