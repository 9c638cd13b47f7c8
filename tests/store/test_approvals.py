"""Approvals of untrusted runs, in a real Postgres."""

from __future__ import annotations

from typing import Any

import pytest

from draftsman.domain.run import Ref, RefKind, RunState, Trust
from draftsman.store import approvals, attempts, reruns, runs
from draftsman.store.database import Pool
from draftsman.store.reruns import Asked
from draftsman.store.runs import Started, Wanted
from tests.store.test_runs import WIDGETS


async def waiting(pool: Pool[Any]) -> Started:
    wanted = Wanted(WIDGETS, "a" * 40, Ref(RefKind.PULL_REQUEST, "1"), Trust.UNTRUSTED)
    async with pool.acquire() as connection, connection.transaction():
        return await runs.start(connection, wanted, delivery=None)


@pytest.mark.parametrize(
    ("unwanted", "asked", "states"),
    [
        (False, True, [RunState.QUEUED, RunState.FINISHED]),
        (False, False, [RunState.FINISHED]),
        (True, True, [RunState.FINISHED]),
    ],
)
async def test_a_person_who_approves_what_was_cancelled_while_it_waited_has_it_run(
    pool: Pool[Any], unwanted: bool, asked: bool, states: list[RunState]
) -> None:
    started = await waiting(pool)
    assert started.attempt_id is not None
    await attempts.ask_cancel(pool, started.attempt_id, by="bob", reason="by bob", unwanted=unwanted)
    async with pool.acquire() as connection, connection.transaction():
        await approvals.approve(connection, started.run_id, by="ada", reason="test", asked=asked)
    assert [one.state for one in await attempts.of_run(pool, started.run_id)] == states


async def test_a_run_without_attempts_is_nobodys_to_trust(pool: Pool[Any]) -> None:
    started = await waiting(pool)
    await pool.execute("DELETE FROM attempts")
    async with pool.acquire() as connection, connection.transaction():
        assert (await reruns.ask(connection, started.run_id, by="bob", cause="test")).asked is Asked.WAITING
