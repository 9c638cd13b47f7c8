"""Several clients on one database, driven from a test, and what must be so once all is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from draftsman.domain.errors import LeaseLostError
from draftsman.domain.plan import CHECKED_TIERS
from draftsman.store import approvals, database, leases
from tests.store.model import recording
from tests.store.model.operations import (
    LEASE_SECONDS,
    MAX_CLAIMS,
    OTHERS,
    PER_REPOSITORY,
    Held,
    Operation,
    World,
    do_late,
)
from tests.store.model.oracle import Oracle, demand
from tests.store.model.turns import Client, Turns

CLIENTS = 4
_DRAIN_ROUNDS = 5000
"""Each ends one attempt and one task at most; long histories leave hundreds."""


class Harness:
    """Clients on one database, and a loop to drive them from a test that is none."""

    def __init__(self, url: str, *, are_free: bool) -> None:
        self._runner = asyncio.Runner()
        self.run(self._open(url, are_free))

    async def _open(self, url: str, are_free: bool) -> None:
        self._pool = await database.connect(url, size=CLIENTS + 1)
        self.monitor: Any = await self._pool.acquire()
        await recording.record(self.monitor)
        self.turns = Turns(self.monitor, are_free=are_free)
        self.clients = [Client(self.turns, await self._pool.acquire()) for _ in range(CLIENTS)]

    def run(self, work: Any) -> Any:
        """Do it, and return what it returns."""
        return self._runner.run(work)

    def close(self) -> None:
        """Break the connections."""
        self._pool.terminate()
        self._runner.close()

    async def do(self, operations: Sequence[Operation], world: World, order: Sequence[int] = ()) -> list[Any]:
        """Have each client do one of them, in this order of turns; the world grows by what they find."""
        known = list(world.claims)
        return await self.together([_of(one, world, known) for one in operations], order)

    async def begin(self) -> Oracle:
        """Begin with an empty database."""
        await recording.forget(self.monitor)
        self.turns.commits.clear()
        return Oracle(self.monitor, None if self.turns.are_free else self.turns.commits)

    async def together(self, works: Sequence[Callable[[Client], Awaitable[Any]]], order: Sequence[int]) -> list[Any]:
        """Have each client do one of the works, in this order of turns. Raises what none of them may raise."""

        async def one(client: Client, work: Callable[[Client], Awaitable[Any]]) -> Any:
            return await work(client)

        pairs = list(zip(self.clients, works, strict=False))
        found = await self.turns.play([(client, one(client, work)) for client, work in pairs], order)
        for answer in found:
            if isinstance(answer, BaseException) and not isinstance(answer, LeaseLostError):
                raise answer
        return found

    async def drain(self, oracle: Oracle) -> None:
        """Do all that is left, and judge what came of it: all has ended, and what is named still was checked."""
        for _ in range(_DRAIN_ROUNDS):
            came = await self.together([self._drain_one], ())
            await oracle.look()
            if not came[0]:
                break
        else:
            demand(False, "it never comes to an end")
        await self._judge_end()

    async def _drain_one(self, client: Client) -> bool:
        """Do what a healthy instance does until there is nothing to do; return whether there was anything."""
        await client.tag({"kind": "drain"})
        await client.execute(
            "UPDATE attempts SET lease_expires = now() - interval '1 s' WHERE lease_expires IS NOT NULL"
        )
        came = bool(await leases.give_back_lost(client, max_claims=MAX_CLAIMS))
        for row in await client.fetch("SELECT run_id FROM attempts WHERE state = 'waiting'"):
            async with client.transaction():
                await approvals.approve(client, row["run_id"], by="alice", reason="the end")
            came = True
        came |= await do_late(client)
        # Workers of its engine did not come back.
        await client.execute("UPDATE attempts SET kept_until = NULL WHERE state = 'queued' AND kept_until IS NOT NULL")
        await client.tag({"kind": "claim"})
        pool: Any = client
        attempt = await leases.claim(pool, owner="last", lease_seconds=LEASE_SECONDS, per_repository=PER_REPOSITORY)
        if attempt is not None:
            await Operation("finish").do(client, World([Held(attempt, "last")]))
        return came or attempt is not None

    async def _judge_end(self) -> None:
        db = self.monitor
        left = await db.fetch("SELECT id, state, cancel_asked FROM attempts WHERE state <> 'finished'")
        demand(not left, "these are not finished", *left)
        waiting = await db.fetch("SELECT id, kind, detail FROM tasks WHERE state = 'open'")
        demand(not waiting, "tasks are left", *waiting)
        lost = await db.fetch(
            """
            SELECT n.run_id, n.kind, n.name, a.number, a.title, a.is_unwanted FROM run_refs n
            JOIN attempts a ON a.run_id = n.run_id
                AND a.number = (SELECT max(number) FROM attempts WHERE run_id = n.run_id)
            WHERE n.is_current AND a.is_unwanted
            """
        )
        demand(not lost, "a ref names a commit that was ended because nothing named it", *lost)
        partly = await db.fetch(
            """
            SELECT n.run_id, n.kind, n.name FROM run_refs n WHERE n.is_current AND n.delivery IS NOT NULL
            AND NOT $1 <@ (SELECT array_agg(tier) FROM attempts a, unnest(a.tiers) tier WHERE a.run_id = n.run_id)
            """,
            [str(tier) for tier in CHECKED_TIERS],
        )
        demand(not partly, "an event called for all checks, and some were never asked for", *partly)
        distrusted = await db.fetch(
            """
            SELECT n.run_id, n.kind, n.name FROM run_refs n WHERE n.is_current AND (n.kind = 'branch' OR n.name = '2')
            AND NOT EXISTS (SELECT FROM attempts a WHERE a.run_id = n.run_id AND a.trust = 'trusted')
            """
        )
        demand(not distrusted, "a trusted event named a commit that only ran untrusted", *distrusted)


def _of(operation: Operation, world: World, known: list[Any]) -> Callable[[Client], Awaitable[Any]]:
    """Return the work of one client. It knows the claims of before: whose claim comes meanwhile changes nothing."""
    seen = World(known, world.runs) if operation.kind not in OTHERS or operation.kind in ("expire", "lose") else world

    async def work(client: Client) -> Any:
        return await operation.do(client, seen)

    return work
