"""Workers that are killed, stopped or frozen in the midst of an attempt."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.chaos.fault import REACHED_WITHIN, Fault, NotProvokedError, Provocation, under_way
from tests.chaos.program import Program
from tests.chaos.world import LEASE_SECONDS, StuckError


async def _busy(one: Provocation, stage: str) -> Program:
    """Have a run reach this stage, and return the worker that executes it. Raises NotProvokedError."""
    sha, owner = await under_way(one, "running" if stage == "collecting" else stage)
    if stage == "collecting":
        await _until_exited(one, sha)
    elif stage == "running":
        await asyncio.sleep(one.luck.uniform(0, 3))
    worker = one.world.worker_called(owner)
    if worker is None:
        raise NotProvokedError(f"the worker that was {stage} is gone already")
    return worker


async def _until_exited(one: Provocation, sha: str) -> None:
    async def has_exited() -> bool:
        listing = ("ps", "-aq", "--filter", f"label=draftsman.sha={sha}", "--filter", "status=exited")
        return bool(await one.world.engine.docker(*listing))

    try:
        await one.world.until("a job that has ended", has_exited, seconds=REACHED_WITHIN)
    except StuckError as error:
        raise NotProvokedError(str(error)) from None


async def killed(stage: str, one: Provocation) -> str:
    """kill -9 of the worker; it is back at once, or only after its leases have run out."""
    worker = await _busy(one, stage)
    away = one.luck.choice((0.5, LEASE_SECONDS * 2))
    worker.kill(away_seconds=away)
    return f"{worker.name}, away for {away:g} s"


async def stopped(one: Provocation) -> str:
    """SIGTERM, as a deploy does it; the worker is back at once or later."""
    worker = await _busy(one, one.variant("running", "preparing", "building"))
    away = one.luck.choice((0.5, LEASE_SECONDS * 2))
    worker.terminate(away_seconds=away)
    return f"{worker.name}, away for {away:g} s"


async def frozen(one: Provocation) -> str:
    """SIGSTOP for longer than a lease: on waking it must not write into what is another's now."""
    worker = await _busy(one, one.variant("running", "preparing", "building"))
    seconds = LEASE_SECONDS * one.luck.uniform(1.5, 2.5)
    worker.freeze()
    try:
        await asyncio.sleep(seconds)
    finally:
        worker.thaw()
    return f"{worker.name} for {seconds:.0f} s"


FAULTS = (
    *(
        Fault(
            f"worker killed while {stage}",
            f"kill -9 of a worker that is {stage}",
            ("worker",),
            partial(killed, stage),
            stage in ("building", "running"),
        )
        for stage in ("preparing", "building", "running", "collecting")
    ),
    Fault("worker stopped", "SIGTERM to a worker in the midst of an attempt", ("worker",), stopped, True),
    Fault("worker frozen", "SIGSTOP of a worker for longer than its leases", ("worker",), frozen, True),
)
