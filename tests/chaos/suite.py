"""Plays rounds: people push, faults happen, everything comes to rest."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.fault import Fault, NotProvokedError, Provocation
from tests.chaos.load import put_on
from tests.chaos.rounds import deal
from tests.chaos.world import StuckError, World

Say = Callable[[str], None]
TRIES = 3
"""Times that a fault is tried whose moment does not come, for each time that it is to happen."""

LOAD_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Script:
    """What is played: the same seed plays the same. `each` is how often every fault happens, `at_once` how many in a
    round, `amount` how much people do in one; `minutes` is when no new round begins."""

    seed: int
    faults: Sequence[Fault]
    each: int = 10
    at_once: int = 5
    amount: int = 1
    minutes: float = 55.0
    rest_seconds: float = 150.0
    with_person: bool = True
    """Whether somebody presses Re-run where an attempt ended by our own fault."""


@dataclass
class Played:
    """What was done. `stuck` says what did not come to rest; `left_out` which faults were not provoked, and why."""

    happened: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    stuck: str = ""
    left_out: list[str] = field(default_factory=list)


async def play(world: World, script: Script, say: Say) -> Played:
    """Play all rounds; it ends early where something gets stuck, or time is up."""
    began = time.monotonic()
    faults = {fault.name: fault for fault in script.faults}
    cards = [fault.card for fault in script.faults]
    rounds = deal(cards, each=script.each, at_once=script.at_once, seed=script.seed)
    played = Played()
    tries: Counter[str] = Counter()
    while rounds:
        if time.monotonic() - began > script.minutes * 60:
            names = Counter(name for one in rounds for name in one)
            played.left_out += [f"{name}: {number} times, time was up" for name, number in sorted(names.items())]
            break
        names_now = rounds.pop(0)
        played.rounds += 1
        begin = time.monotonic()
        happened = await _round(world, script, [faults[name] for name in names_now], played)
        for name, what in happened.items():
            if isinstance(what, NotProvokedError):
                tries[name] += 1
                if tries[name] < TRIES * script.each:
                    rounds.append([name])
                else:
                    played.left_out.append(f"{name}: {what}")
        told = "; ".join(_told(name, what) for name, what in happened.items())
        took = time.monotonic() - begin
        number = f"round {played.rounds}/{played.rounds + len(rounds)}"
        say(f"{number}: {told} | {await _standing(world)} | {took:.0f} s, {(time.monotonic() - began) / 60:.1f} min")
        if played.stuck:
            break
    return played


def _told(name: str, what: str | NotProvokedError) -> str:
    return f"{name} did not happen, {what}" if isinstance(what, NotProvokedError) else f"{name} ({what})"


async def _round(
    world: World, script: Script, faults: Sequence[Fault], played: Played
) -> dict[str, str | NotProvokedError]:
    """Provoke the faults while people push, and wait until all is at rest. Returns what came of each."""
    luck = random.Random(f"round {script.seed} {played.rounds}")
    people = world.people(f"r{played.rounds}")

    async def provoke(fault: Fault, number: int, pause: float) -> str | NotProvokedError:
        # Its variant depends on the seed, so that a short version meets another one each time.
        one = Provocation(world, people, random.Random(f"{script.seed} {fault.name} {number}"), number + script.seed)
        await asyncio.sleep(pause)
        try:
            return await fault.provoke(one)
        except NotProvokedError as error:
            return error

    load = asyncio.create_task(put_on(people, luck, seconds=LOAD_SECONDS, amount=script.amount))
    pauses = [luck.uniform(0, LOAD_SECONDS / 2) for _ in faults]
    came = await asyncio.gather(
        *(provoke(fault, played.happened[fault.name], pause) for fault, pause in zip(faults, pauses, strict=True))
    )
    await load
    happened = {fault.name: what for fault, what in zip(faults, came, strict=True)}
    played.happened.update(name for name, what in happened.items() if isinstance(what, str))
    try:
        await world.at_rest(seconds=script.rest_seconds)
        if script.with_person and await world.person_reruns_errors():
            await world.at_rest(seconds=script.rest_seconds)
    except StuckError as error:
        played.stuck = str(error)
    return happened


async def _standing(world: World) -> str:
    [row] = await world.rows(
        "SELECT count(*) AS attempts, count(DISTINCT run_id) AS runs, coalesce(sum(epoch), 0) AS claims, "
        "count(*) FILTER (WHERE conclusion = 'error') AS errors FROM attempts"
    )
    return f"{row['runs']} runs, {row['attempts']} attempts, {row['claims']} claims, {row['errors']} errors"
