"""Clients of one database that take turns, statement by statement, in an order that a test chooses.

Each has a connection of its own, so their transactions overlap as those of several processes do. The order decides
which statement, or which COMMIT, is next: a history that went wrong goes wrong again. A client whose statement waits
for a lock is passed over until it has it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK_SECONDS = 0.003
"""After this it is looked whether a statement waits for a lock."""
_STUCK_SECONDS = 20


class Client:
    """A connection that waits for its turn before each statement; it can stand for a pool as well."""

    def __init__(self, turns: Turns, connection: Any) -> None:
        self._turns = turns
        self._connection = connection
        self._is_inside = False
        self.pid: int = connection.get_server_pid()

    async def tag(self, operation: Mapping[str, Any]) -> None:
        """Have the database note who makes the next statements."""
        await self._connection.execute("SELECT set_config('model.operation', $1, false)", json.dumps(operation))

    async def execute(self, query: str, *args: Any) -> Any:
        return await self._statement(lambda: self._connection.execute(query, *args))

    async def executemany(self, command: str, args: Any) -> Any:
        return await self._statement(lambda: self._connection.executemany(command, args))

    async def fetch(self, query: str, *args: Any) -> Any:
        return await self._statement(lambda: self._connection.fetch(query, *args))

    async def fetchrow(self, query: str, *args: Any) -> Any:
        return await self._statement(lambda: self._connection.fetchrow(query, *args))

    async def fetchval(self, query: str, *args: Any) -> Any:
        return await self._statement(lambda: self._connection.fetchval(query, *args))

    async def _statement(self, statement: Callable[[], Awaitable[T]]) -> T:
        if not self._is_inside:
            # A statement alone is a transaction, and others may come between it and its end.
            async with self.transaction():
                return await self._statement(statement)
        await self._turns.mine(self)
        return await statement()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """Stand for a pool: the only connection."""
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Begin with the first statement, and wait for a turn of its own to commit."""
        assert not self._is_inside, "no transaction of ours is inside another one"
        self._is_inside = True
        await self._turns.mine(self)
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            yield
            await self._turns.mine(self)
            number = await self._connection.fetchval("SELECT pg_current_xact_id_if_assigned()::text::bigint")
        except BaseException:
            await transaction.rollback()
            raise
        else:
            await transaction.commit()
            self._turns.committed(number)
        finally:
            self._is_inside = False


class Turns:
    """Whose turn it is. `commits` has the transactions that wrote something, in the order in which they were kept.

    With `are_free` nobody waits for a turn, and the order of the commits is not known for sure.
    """

    def __init__(self, monitor: Any, *, are_free: bool = False) -> None:
        self._monitor = monitor
        self.are_free = are_free
        self._asking: dict[Client, asyncio.Future[None]] = {}
        self._changed = asyncio.Event()
        self.commits: list[int] = []

    def committed(self, number: int | None) -> None:
        """Note that the transaction is kept."""
        if number is not None:
            self.commits.append(number)

    async def mine(self, client: Client) -> None:
        """Return once it is the client's turn."""
        if self.are_free:
            return
        turn = self._asking[client] = asyncio.get_running_loop().create_future()
        self._changed.set()
        await turn

    async def play(
        self, works: Sequence[tuple[Client, Coroutine[Any, Any, T]]], order: Sequence[int]
    ) -> list[T | BaseException]:
        """Do the works, each of a client of its own, and return what each returned or raised.

        `order` has a number a turn, that says which of the clients that could go on does; then the first one goes on.
        """
        tasks = {client: asyncio.create_task(work) for client, work in works}
        for task in tasks.values():
            task.add_done_callback(lambda _: self._changed.set())
        left = list(order)
        try:
            async with asyncio.timeout(_STUCK_SECONDS):
                while not all(task.done() for task in tasks.values()):
                    await self._settle(tasks)
                    ready = [client for client in tasks if client in self._asking]
                    if ready:
                        which = left.pop(0) if left else 0
                        self._asking.pop(ready[which % len(ready)]).set_result(None)
                    else:
                        await asyncio.sleep(_LOOK_SECONDS)
        finally:
            for task in tasks.values():
                task.cancel()
            found = await asyncio.gather(*tasks.values(), return_exceptions=True)
            self._asking.clear()
        return found

    async def _settle(self, tasks: Mapping[Client, asyncio.Task[Any]]) -> None:
        """Wait until every client has ended, asks for a turn, or waits for a lock."""
        while True:
            self._changed.clear()
            busy = [client.pid for client, task in tasks.items() if not task.done() and client not in self._asking]
            if not busy:
                return
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                blocked = await self._monitor.fetchval(
                    "SELECT count(*) FROM unnest($1::int[]) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0", busy
                )
                if blocked == len(busy):
                    return
