"""What a fault is: a name, a sentence, what it touches, and the function that provokes it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.load import COUNTS, People
from tests.chaos.rounds import Card
from tests.chaos.world import StuckError, World

REACHED_WITHIN = 60.0
"""Seconds until a run must be where a fault is to meet it."""

SLOW_SECONDS = 1.5


class NotProvokedError(Exception):
    """The moment did not come in which the fault was to happen; the text says why. It is tried again."""


@dataclass(frozen=True, slots=True)
class Provocation:
    """One time that a fault is provoked. `number` counts the times of this fault, from 0: it chooses the variant."""

    world: World
    people: People
    luck: random.Random
    number: int

    def variant(self, *names: str) -> str:
        """Return one of the names, each in its turn."""
        return names[self.number % len(names)]


Provoke = Callable[[Provocation], Awaitable[str]]
"""Provokes the fault and undoes it; returns a few words on how. Raises NotProvokedError."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the matrix. `needs` names what not every machine has: `own engine`, `disks`.

    One that `is_short` is part of `make test`.
    """

    name: str
    sentence: str
    touches: tuple[str, ...]
    provoke: Provoke
    is_short: bool = False
    needs: frozenset[str] = frozenset()

    @property
    def card(self) -> Card:
        """Return what dealing needs to know."""
        return Card(self.name, self.touches)


async def state_reached(world: World, sha: str, state: str) -> str:
    """Wait until an attempt of the commit is in this state, and return who holds it. Raises NotProvokedError."""

    async def holder() -> str | None:
        rows = await world.rows(
            "SELECT a.state, a.lease_owner FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.head_sha = $1 "
            "ORDER BY a.number DESC LIMIT 1",
            sha,
        )
        if rows and rows[0]["state"] == "finished":
            raise NotProvokedError(f"the run ended before it was {state}")
        return str(rows[0]["lease_owner"]) if rows and rows[0]["state"] == state else None

    try:
        return str(await world.until(f"a run that is {state}", holder, seconds=REACHED_WITHIN))
    except StuckError as error:
        raise NotProvokedError(str(error)) from None


async def under_way(one: Provocation, state: str, *, owner: str = "") -> tuple[str, str]:
    """Push a commit and wait until its run is in this state. Returns the commit, and who holds the attempt.

    `owner` is whose repository it is, by default that of the round's people. Raises NotProvokedError.
    """
    if state == "building":
        sha = await one.people.built()
    else:
        home = await one.people.repository(COUNTS, "counts", owner=owner)
        if state == "preparing":  # a fetch that is slow is a moment that can be met
            one.world.github.faults.delay(SLOW_SECONDS, path=rf"/{home.full_name}\.git/")
        sha = await one.people.counted(home)
    return sha, await state_reached(one.world, sha, state)
