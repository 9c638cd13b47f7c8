"""What a store that was used for a year costs: the same calls on it and on one with a page of runs, in turns."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from bench.measure import Figure, milliseconds
from draftsman import embedded
from draftsman.store import database
from draftsman.store.database import Pool
from draftsman.store.migrate import migrate
from tests.conftest import database_at
from tests.store.filled import fill
from tests.store.looks import Looks

FINISHED, QUEUED = 1_000_000, 10_000
"""Runs of the full store."""
FEW_FINISHED, FEW_QUEUED = 50, 25
"""Those of the other one: a page of each kind, so that both answer the same."""
ROUNDS = 200
"""A call takes a millisecond or two: their median is steady after more rounds than that of what takes longer."""

_Call = Callable[[Looks], Awaitable[None]]


async def _after_claim(looks: Looks) -> None:
    """What was claimed ends, and another run takes its place in the queue."""
    await looks.finish_claimed()
    await looks.receive_push()


async def _nothing(_: Looks) -> None:
    """Leave the store as it is."""


_CALLS: Mapping[str, tuple[_Call, _Call]] = {
    "receive: a push": (Looks.receive_push, _nothing),
    "receive: a pull request": (Looks.receive_pull_request, _nothing),
    "claim": (Looks.claim, _after_claim),
    "renewal of a lease": (Looks.renew, _nothing),
    "reconcile": (Looks.reconcile, _nothing),
    "reporter: what GitHub was not told of": (Looks.unreported, _nothing),
    "task: kept, taken, ended, and when the next one is due": (Looks.next_task, _nothing),
    "a ref names another commit": (Looks.follow, _nothing),
    "what a failure is compared with": (Looks.base, _nothing),
    "retention: what is too old": (Looks.retention, _nothing),
    "`runs list`": (Looks.list_all, _nothing),
    "`runs list`, the page behind": (Looks.list_next_page, _nothing),
    "`runs list` of the busiest repository": (Looks.list_repository, _nothing),
    "`runs list --state queued`": (Looks.list_queued, _nothing),
    "`runs list --state finished`": (Looks.list_finished, _nothing),
    "`runs list --state error`": (Looks.list_errors, _nothing),
    "`runs list --sha`": (Looks.list_commit, _nothing),
    "`runs show`": (Looks.show, _nothing),
}
"""Each call, and what sets the store right after it; the time of that does not count."""


async def measure(only: Sequence[str] = ()) -> list[Figure]:
    """Return a figure for each call, or for those in whose name one of `only` is.

    The server keeps its data in a folder of its own, which is removed.
    """
    async with _stores() as (full, little):
        await fill(little, runs=FEW_FINISHED, queued=FEW_QUEUED)
        print(f"bench: a store of {FINISHED:,} runs is being filled", file=sys.stderr)
        await fill(full, runs=FINISHED, queued=QUEUED)
        await full.execute("CHECKPOINT", timeout=600)
        works, floors = Looks(full), Looks(little)
        chosen = [name for name in _CALLS if not only or any(part in name for part in only)]
        return [await _measure(name, works, floors) for name in chosen]


async def _measure(name: str, works: Looks, floors: Looks) -> Figure:
    call, after = _CALLS[name]
    took: dict[int, list[float]] = {id(works): [], id(floors): []}
    for number in range(-10, ROUNDS):
        for looks in (floors, works):
            one = await milliseconds(lambda looks=looks: call(looks))  # type: ignore[misc]
            await after(looks)
            if number >= 0:  # the rounds before get everybody warm
                took[id(looks)].append(one)
    return Figure(
        name,
        f"with {FEW_FINISHED} runs and {FEW_QUEUED} in line",
        statistics.median(took[id(works)]),
        statistics.median(took[id(floors)]),
    )


@asynccontextmanager
async def _stores() -> AsyncIterator[tuple[Pool[Any], Pool[Any]]]:
    """Yield two migrated databases of one server, as it is by default."""
    # Not below the bench's own folder: Postgres is another user where this one is root, and must get there.
    folder = Path(tempfile.mkdtemp(prefix="draftsman-bench-store-"))
    folder.chmod(0o711)
    try:
        async with embedded.postgres(folder / "postgres") as url:
            pools = [await _store(url, name) for name in ("full", "little")]
            yield pools[0], pools[1]
            for pool in pools:
                pool.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _store(url: str, name: str) -> Pool[Any]:
    connection = await asyncpg.connect(url)
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    pool = await database.connect(database_at(url, name), size=2)
    await migrate(pool)
    return pool
