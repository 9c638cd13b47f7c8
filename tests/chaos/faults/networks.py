"""Networks that are cut between a program and what it stands on, or that swallow what is sent."""

from __future__ import annotations

import asyncio

from tests.chaos.fault import Fault, Provocation, under_way
from tests.chaos.line import Line
from tests.chaos.world import LEASE_SECONDS


async def _broken(line: Line, way: str, seconds: float) -> None:
    if way == "cut":
        line.cut()
    else:
        line.hold()
    try:
        await asyncio.sleep(seconds)
    finally:
        if way == "swallowed":
            line.cut()  # what was on its way meanwhile never arrives
        line.mend()


async def worker_without_postgres(one: Provocation) -> str:
    """One worker loses Postgres for longer than its leases, and its jobs go on: another worker has them then."""
    _, owner = await under_way(one, "running")
    worker = one.world.worker_called(owner)
    name = one.luck.choice(sorted(one.world.workers)) if worker is None else worker.name
    way = one.variant("cut", "held", "swallowed")
    await _broken(one.world.lines[name].postgres, way, LEASE_SECONDS * one.luck.uniform(1.5, 2.5))
    return f"{name}, {way}"


async def worker_without_engine(one: Provocation) -> str:
    """One worker loses its engine for some seconds, in the midst of a job."""
    _, owner = await under_way(one, "running")
    worker = one.world.worker_called(owner)
    name = one.luck.choice(sorted(one.world.workers)) if worker is None else worker.name
    way = one.variant("cut", "held", "swallowed")
    await _broken(one.world.lines[name].engine, way, one.luck.uniform(2, 6))
    return f"{name}, {way}"


async def api_without_postgres(one: Provocation) -> str:
    """The API loses Postgres: GitHub is told 503 or nothing, and the deliveries are fetched later."""
    way = one.variant("cut", "held", "swallowed")
    breaking = asyncio.create_task(_broken(one.world.lines["serve"].postgres, way, one.luck.uniform(3, 9)))
    await asyncio.gather(one.people.prose(), one.people.prose(), one.people.asks(), breaking)
    return way


FAULTS = (
    Fault(
        "worker cut off from Postgres",
        "one worker loses Postgres for longer than its leases",
        ("worker",),
        worker_without_postgres,
        True,
    ),
    Fault("worker cut off from the engine", "one worker loses its engine", ("worker",), worker_without_engine),
    Fault("API cut off from Postgres", "the API loses Postgres", ("serve",), api_without_postgres),
)
