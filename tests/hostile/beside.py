"""A hostile job with a neighbour beside it: how both ended, and how long the neighbour and the control plane waited."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

from draftsman.domain.progress import Output, Progress
from orchestrator.cancellation import Cancellation
from orchestrator.disk_watch import DiskWatch
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec, Limits, Wanted
from orchestrator.sandbox import JobEnd, Watching, run_job
from tests.orchestrator.sandbox_parts import Commit, Remembered

TICKING = "i=0; while [ $i -lt 40 ]; do echo tick $i; i=$((i + 1)); sleep 0.1; done"


@dataclass
class Ticks:
    """A sink that remembers when each tick of the neighbour came, by the engine's clock and by ours."""

    at: list[float] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)

    async def __call__(self, progress: Progress) -> None:
        if isinstance(progress, Output) and b"tick" in progress.content:
            self.at.append(progress.at / 1e9)
            self.heard.append(time.monotonic())

    @property
    def longest_gap(self) -> float:
        """Return the longest time between two ticks, in seconds: a tenth where nothing is in its way."""
        return max((later - earlier for earlier, later in itertools.pairwise(self.at)), default=0.0)


@dataclass
class Ended:
    """How it ended. `lag` is the longest that the control plane's own loop was held up, in seconds."""

    end: JobEnd
    seen: Remembered
    neighbour: JobEnd | None
    gap: float
    lag: float
    seconds: float


async def attack(
    runner: DockerRunner,
    commit: Commit,
    spec: JobSpec,
    *,
    cancel_after: float | None = None,
    disk: DiskWatch | None = None,
    wanted: Wanted | None = None,
    with_neighbour: bool = True,
) -> Ended:
    """Run a job, and a neighbour beside it. `seconds` count from the start, or from the cancellation, to the end."""
    seen, ticks, cancel = Remembered(), Ticks(), Cancellation()
    neighbour: asyncio.Task[JobEnd] | None = None
    if with_neighbour:
        steps = (replace(spec.steps[0], command=TICKING),)
        calm = replace(spec, id=f"{spec.id}-beside", steps=steps, limits=Limits(cpus=1), nonce="0" * 32)
        neighbour = asyncio.create_task(_run_calm(runner, calm, commit, ticks))
        async with asyncio.timeout(30):
            while not ticks.at:
                await asyncio.sleep(0.05)
    lagging = asyncio.create_task(_lag())
    begin = time.monotonic()
    if cancel_after is not None:
        begin += cancel_after
        asyncio.get_running_loop().call_later(cancel_after, cancel.ask)
    end = await run_job(runner, spec, commit.source, seen, Watching(cancel, disk=disk, wanted=wanted))
    seconds = time.monotonic() - begin
    lagging.cancel()
    beside = await neighbour if neighbour is not None else None
    lag = 0.0
    with suppress(asyncio.CancelledError):
        lag = await lagging
    return Ended(end, seen, beside, ticks.longest_gap, lag, seconds)


async def _run_calm(runner: DockerRunner, spec: JobSpec, commit: Commit, ticks: Ticks) -> JobEnd:
    end = await run_job(runner, spec, commit.source, ticks, Watching())
    job = await runner.adopt(spec.id)
    if job is not None:
        await runner.remove(job)
    return end


async def _lag() -> float:
    """Return, once cancelled, by how much a sleep of the event loop was late at most."""
    worst = 0.0
    try:
        while True:
            begin = time.monotonic()
            await asyncio.sleep(0.05)
            worst = max(worst, time.monotonic() - begin - 0.05)
    except asyncio.CancelledError:
        return worst
