"""`python -m tests.chaos` (`make chaos`): the whole fault matrix, with an engine and small disks of its own.

Exit code 0 where nothing was lost, doubled or stuck, and every fault was provoked as often as was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.chaos.disk import Disk, DiskError, small_disk
from tests.chaos.engine import Engine, EngineAbsentError, OwnEngine, shared_engine
from tests.chaos.faults import FAULTS
from tests.chaos.gather import gather
from tests.chaos.oracle import Wrong, judge
from tests.chaos.report import lines
from tests.chaos.suite import Script, play
from tests.chaos.world import TRIES_AGAIN, World, opened
from tests.product import scratch_folder

SIZES = {"home": 400, "database": 1200, "engine": 8000}
"""Megabytes of the small disks."""

STRAYS_SECONDS = 200.0
"""A stray is removed within three minutes (`housekeeping`: 120 s of grace, a look every minute)."""


def main() -> int:
    """Play, judge, and say how it ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="plays the same again")
    parser.add_argument("--each", type=int, default=10, help="how often every fault is provoked")
    parser.add_argument("--at-once", type=int, default=7, help="how many faults there are in a round")
    parser.add_argument("--minutes", type=float, default=54, help="after these, no new round begins")
    parser.add_argument("--only", action="append", help="only the faults whose name contains this; repeatable")
    parser.add_argument("--shared-engine", action="store_true", help="use the engine that is there, and leave it alone")
    parser.add_argument("--logs", type=Path, help="keep the programs' logs in this folder")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)  # servers that are killed on purpose are no news
    return asyncio.run(_until_told(_run(chosen)))


async def _until_told(work: Coroutine[Any, Any, int]) -> int:
    """Return what the work returns. On SIGTERM it is ended: mounts, a namespace and an engine are to go."""
    task = asyncio.create_task(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel, "SIGTERM")
    return await task


async def _run(chosen: argparse.Namespace) -> int:
    began = time.monotonic()
    again = f"python -m tests.chaos --seed {chosen.seed} --each {chosen.each} --at-once {chosen.at_once}"
    again += "".join(f" --only {name!r}" for name in chosen.only or ())
    say(f"chaos: seed {chosen.seed}; to play it again: {again}")
    faults = [one for one in FAULTS if not chosen.only or any(word in one.name for word in chosen.only)]
    async with _world(own=not chosen.shared_engine) as (world, has):
        lacking = [(one.name, sorted(one.needs - has)) for one in faults if one.needs - has]
        absent = [f"{name}: there is no {' and no '.join(what)}" for name, what in lacking]
        for what in absent:
            say(f"left out: {what}")
        script = Script(
            chosen.seed,
            [fault for fault in faults if fault.needs <= has],
            each=chosen.each,
            at_once=chosen.at_once,
            minutes=chosen.minutes,
        )
        kinds = f"{len(script.faults)} kinds of faults, {chosen.each} each"
        say(f"chaos: up after {time.monotonic() - began:.0f} s; {kinds}")
        played = await play(world, script, say)
        facts, removed = await gather(world, patience=0 if played.stuck else STRAYS_SECONDS)
        wrongs = [*judge(facts, tries_again=TRIES_AGAIN), *([Wrong("stuck", played.stuck)] if played.stuck else ())]
        if chosen.logs is not None:
            _keep_logs(world, chosen.logs)
        say(f"chaos: {removed} things were left to upkeep; {_tracebacks(world)} tracebacks in the logs")
    minutes = (time.monotonic() - began) / 60
    failed = bool(wrongs or played.left_out)
    if failed:
        say(f"chaos: to play it again: {again}")
    for what in absent:
        say(f"left out: {what}")
    for line in lines(wrongs, facts, played, minutes=minutes, people=world.people_asked):
        say(line)
    return int(failed)


@asynccontextmanager
async def _world(*, own: bool) -> AsyncIterator[tuple[World, frozenset[str]]]:
    """Yield a world and the names of what it has beyond every machine's: `own engine`, `disks`."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(scratch_folder())
        disks: dict[str, Disk] = {}
        try:
            for name, where in (("home", "home"), ("database", "pg"), ("engine", "e/data")):
                if name != "engine" or own:
                    disks[name] = stack.enter_context(small_disk(folder / where, SIZES[name]))
        except DiskError as error:
            say(f"chaos: no small disks: {error}")
            disks = {}
        engine = await _engine(stack, folder) if own else await shared_engine()
        has = {"own engine"} if engine.is_own else set()
        if not engine.is_own:
            disks.pop("engine", None)
        world = await stack.enter_async_context(opened(folder, engine, disks=disks))
        yield world, frozenset(has | ({"disks"} if disks else set()))


async def _engine(stack: AsyncExitStack, folder: Path) -> Engine:
    """Return an engine of our own, else the shared one, saying why."""
    shared = await shared_engine()
    engine = OwnEngine(folder / "e", folder / "e" / "data")
    try:
        stack.push_async_callback(engine.remove)
        await engine.start()
        await engine.take_over(shared)
    except EngineAbsentError as error:
        say(f"chaos: no engine of our own: {error}")
        return shared
    return engine


def _keep_logs(world: World, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for program in world.programs:
        (folder / f"{program.name}.log").write_text(program.said())


def _tracebacks(world: World) -> int:
    return sum(program.said().count("Traceback (most recent call last)") for program in world.programs)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
