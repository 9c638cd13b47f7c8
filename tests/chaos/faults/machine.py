"""What happens to a whole machine: it sleeps, it loses power, its engine restarts, its disk is full."""

from __future__ import annotations

import asyncio

from tests.chaos.engine import OwnEngine
from tests.chaos.fault import Fault, NotProvokedError, Provocation, under_way
from tests.chaos.program import Program
from tests.chaos.server import Server
from tests.chaos.world import LEASE_SECONDS

EVERYTHING = (*["serve"] * 2, *["worker"] * 3, "redis", "postgres", "engine")


def _own(one: Provocation) -> OwnEngine:
    if not isinstance(one.world.engine, OwnEngine):
        raise NotProvokedError("the engine is not ours")
    return one.world.engine


async def frozen(one: Provocation) -> str:
    """The machine sleeps: every process is frozen for longer than a lease, and all wake at once."""
    world = one.world
    await under_way(one, one.variant("running", "preparing"))
    engine = world.engine if isinstance(world.engine, OwnEngine) else None
    sleepers: list[Program | Server | OwnEngine] = [
        *world.programs,
        world.redis,
        world.postgres,
        *([engine] if engine else []),
    ]
    seconds = LEASE_SECONDS * one.luck.uniform(1.5, 3)
    for sleeper in sleepers:
        sleeper.freeze()
    try:
        await asyncio.sleep(seconds)
    finally:
        for sleeper in reversed(sleepers):
            sleeper.thaw()
    return f"{len(sleepers)} programs for {seconds:.0f} s"


async def killed(one: Provocation) -> str:
    """The machine loses power: everything is killed at once, and started again."""
    world = one.world
    await under_way(one, one.variant("running", "preparing"))
    for program in world.programs:
        program.kill(away_seconds=2)
    world.postgres.kill()
    world.redis.kill()
    if isinstance(world.engine, OwnEngine):
        await world.engine.kill()
        await world.engine.start()
        return "with its engine"
    return "without its engine"


async def engine_restarted(one: Provocation) -> str:
    """The Docker engine is stopped or killed with its containers, and started again."""
    engine = _own(one)
    await under_way(one, "running" if one.number % 3 else "building")
    way = one.variant("stopped", "killed")
    await (engine.kill() if way == "killed" else engine.stop())
    await asyncio.sleep(one.luck.uniform(0, 3))
    await engine.start()
    return f"{way} and started"


async def disk_full(one: Provocation) -> str:
    """A disk is full for a while: that of the home folder, of Postgres, or of the engine."""
    which = one.variant(*sorted(one.world.disks))
    disk = one.world.disks[which]
    before = asyncio.create_task(one.people.counted())
    await asyncio.sleep(one.luck.uniform(0, 4))
    disk.fill()
    try:
        await asyncio.gather(before, one.people.built(), one.people.prose())
        await asyncio.sleep(6)
    finally:
        disk.free()
    return f"of the {which}"


FAULTS = (
    Fault("everything frozen", "all processes are frozen for longer than a lease", EVERYTHING, frozen),
    Fault("everything killed", "all processes are killed at once, as when power is lost", EVERYTHING, killed),
    Fault(
        "engine restarted",
        "the Docker engine is stopped or killed, and started",
        ("engine",),
        engine_restarted,
        needs=frozenset({"own engine"}),
    ),
    Fault(
        "disk full",
        "the disk of the home folder, of Postgres or of the engine is full",
        ("engine", "postgres"),
        disk_full,
        needs=frozenset({"disks"}),
    ),
)
