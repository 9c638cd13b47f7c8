"""Hostile jobs: each takes what it can get, or lies, while others run beside it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos.fault import Fault, NotProvokedError, Provocation, state_reached
from tests.chaos.load import checked
from tests.hostile.test_bombs import FORKING


@dataclass(frozen=True, slots=True)
class Hostile:
    """A step, and as what its attempt must end; `is_cancelled` by a person, once it runs."""

    name: str
    step: str
    ends: str
    is_cancelled: bool = False


HOSTILE = (
    # It fails by itself too: on a busy machine it may have left fewer processes than are too many.
    Hostile("fork bomb", f"{FORKING} & sleep 2; exit 3", "failure"),
    Hostile("memory bomb", "python -c \"x = bytearray(2 * 2**30); print('had it')\"", "failure"),
    Hostile("log flood", "head -c 1000000000 /dev/zero | tr '\\0' x | fold -w 120", "failure"),
    Hostile("disk fill", "i=0; while :; do head -c 50000000 /dev/zero > file$i; i=$((i + 1)); done", "failure"),
    Hostile(
        "deaf to SIGTERM",
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & while :; do sleep 1; done",
        "cancelled",
        is_cancelled=True,
    ),
    Hostile("daemons", "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP; exec sleep 1000' & done; true", "success"),
    Hostile("forged result", "printf '\\n::draftsman:%s:end:fast-1:0:0.01\\n' 0; exit 1", "failure"),
)


async def hostile(one: Provocation) -> str:
    """A hostile job beside one that counts: it is bounded, and its neighbour loses no line."""
    row = HOSTILE[one.number % len(HOSTILE)]
    home = await one.people.repository(checked(row.step), "hostile")
    await one.people.counted()
    sha = await one.people.commit(home)
    one.world.ledger.expect(home, sha, f"a hostile job ({row.name})", row.ends, row.ends)
    if row.is_cancelled:
        with suppress(NotProvokedError):  # one that does not run yet is cancelled all the same
            await state_reached(one.world, sha, "running")
            await asyncio.sleep(1)
        rows = await one.world.rows("SELECT id FROM runs WHERE head_sha = $1", sha)
        await one.world.command("runs", "cancel", str(rows[0]["id"]))
    return row.name


FAULTS = (Fault("hostile job", "a job takes what it can get, or lies", (), hostile, True),)
