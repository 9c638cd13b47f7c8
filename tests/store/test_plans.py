"""What Postgres does for what is asked of a store that was used for a year: it looks at little, and at no whole table.

No time is measured here (`make bench` does): the number of blocks that a statement touches is the same on any machine.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from draftsman.store import database, tasks
from draftsman.store.database import Pool
from tests.conftest import TEMPLATE, database_at
from tests.store.filled import REPOSITORIES, fill
from tests.store.looks import LOOKS, Looks

RUNS = 40_000
QUEUED = 4_000
BLOCKS = 600
"""Blocks (8 KB) that one statement may touch. To read the smallest of the big tables takes more."""
CLAIM_BLOCKS = 200 + 3 * REPOSITORIES
"""Those of a claim, which looks at the head of the line of each repository, whose turn it may be."""

BLOCKS_IN_LINE = 6
"""Blocks that a claim may touch beyond them for each repository that has something in line: it compares their turns."""

_BIG = frozenset(
    ("attempts", "audit_events", "check_runs", "deliveries", "log_chunks", "run_refs", "runs", "steps", "tasks")
)
_PLANNED = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "(SELECT")


@dataclass
class Explaining:
    """A pool that has every statement explained before it is executed, planned for its values and for any values."""

    connection: Any
    blocks: int = BLOCKS
    faults: list[str] = field(default_factory=list)
    most: int = 0
    """Blocks that one statement touched."""
    rows: int = 0
    """Rows that all parts of one statement had in hand."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self.connection.transaction():
            yield

    async def execute(self, query: str, *args: Any, **_: Any) -> Any:
        await self._explain(query, args)
        return await self.connection.execute(query, *args)

    async def executemany(self, command: str, args: Any) -> Any:
        await self._explain(command, next(iter(args)))
        return await self.connection.executemany(command, args)

    async def fetch(self, query: str, *args: Any) -> Any:
        await self._explain(query, args)
        return await self.connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        await self._explain(query, args)
        return await self.connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        await self._explain(query, args)
        return await self.connection.fetchval(query, *args)

    async def _explain(self, query: str, args: Any) -> None:
        if not query.lstrip().upper().startswith(_PLANNED):
            return
        # Prepared, as the driver does it: an EXPLAIN of the statement itself is planned for its values in any mode.
        types = [one.name for one in (await self.connection.prepare(query)).get_parameters()]
        values = [
            await self.connection.fetchval(f"SELECT quote_nullable(($1::{kind})::text)", value)
            for kind, value in zip(types, args, strict=True)
        ]
        await self.connection.execute(f"PREPARE looked_at AS {query}")
        for mode in ("force_custom_plan", "force_generic_plan"):
            transaction = self.connection.transaction()
            await transaction.start()
            await self.connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
            call = f"looked_at({', '.join(values)})" if values else "looked_at"
            found = await self.connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {call}")
            await transaction.rollback()
            [explained] = json.loads(found)
            self._judge(explained["Plan"], " ".join(query.split()), mode)
        await self.connection.execute("DEALLOCATE looked_at")

    def _judge(self, plan: Any, query: str, mode: str) -> None:
        blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self.most = max(self.most, blocks)
        nodes = list(_nodes(plan))
        allowed = BLOCKS + (BLOCKS_IN_LINE * REPOSITORIES if "lanes AS" in query else 0)
        self.rows = max(self.rows, sum(_rows(node) for node in nodes))
        whole = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & _BIG
        if whole or blocks > allowed:
            shape = " > ".join(f"{node['Node Type']} {node.get('Index Name', '')}".strip() for node in nodes)
            self.faults.append(f"{mode}: {blocks} blocks, reads all of {sorted(whole) or 'none'}: {query}\n    {shape}")


def _nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _rows(node: Any) -> int:
    """The rows that a part of a plan gave on or left out."""
    found = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    return int(found * node["Actual Loops"])


@pytest.fixture(scope="module")
async def full(postgres_url: str) -> AsyncIterator[Pool[Any]]:
    """A pool on a database of a year's use, which all of these tests look at."""
    bare = await database.connect(postgres_url, size=1)
    await bare.execute(f"CREATE DATABASE full_store TEMPLATE {TEMPLATE}")
    opened = await database.connect(database_at(postgres_url, "full_store"), size=2)
    await fill(opened, runs=RUNS, queued=QUEUED)
    yield opened
    opened.terminate()
    await bare.execute("DROP DATABASE full_store WITH (FORCE)")
    await bare.close()


@pytest.mark.parametrize("name", LOOKS)
async def test_nothing_reads_a_whole_table(full: Pool[Any], name: str) -> None:
    async with full.acquire() as connection:
        explaining = Explaining(connection, CLAIM_BLOCKS if name in ("claim", "renew") else BLOCKS)
        looks = Looks(explaining)
        await LOOKS[name](looks)
        print(f"{name}: at most {explaining.most} blocks a statement")
        assert explaining.faults == []
        await looks.finish_claimed()


async def test_many_tasks_that_postgres_did_not_hear_of_are_not_compared_with_each_other(full: Pool[Any]) -> None:
    """GitHub is away for an hour: nothing was counted anew since there were none."""
    number = 2_000
    async with full.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO tasks (kind, lane) SELECT 'follow', 'lane ' || n FROM generate_series(1, $1::int) n", number
        )
        explaining = Explaining(connection)
        await tasks.seconds_to_next(explaining)
        assert await tasks.take(explaining, lease_seconds=60) is not None
        assert explaining.rows < 10 * number
        await transaction.rollback()


async def test_a_whole_table_that_is_read_is_seen(full: Pool[Any]) -> None:
    """The control: what these tests are to find, they find."""
    async with full.acquire() as connection:
        explaining = Explaining(connection)
        await explaining.fetch("SELECT count(*) FROM runs WHERE head_sha LIKE '%' || $1", "abc")
        assert "reads all of ['runs']" in explaining.faults[0]
        await explaining.fetch("SELECT id FROM runs WHERE subject = $1 ORDER BY created_at DESC", "none")
        assert len(explaining.faults) == 4
