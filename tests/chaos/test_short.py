"""The chaos suite in short: some faults of each sort, on the engine that is there, in one or two rounds.

The whole is `make chaos`. `CHAOS_SEED` plays another one than the usual: which variant of each fault is provoked, and
which meet, depends on it.
"""

from __future__ import annotations

import os

import pytest

from tests.chaos.engine import shared_engine
from tests.chaos.faults import FAULTS
from tests.chaos.gather import gather
from tests.chaos.oracle import judge
from tests.chaos.suite import Script, play
from tests.chaos.world import TRIES_AGAIN, opened
from tests.product import scratch_folder

SEED = int(os.environ.get("CHAOS_SEED", "7"))

# Without `scenario`: its rounds have no time for what runs beside those.
pytestmark = [pytest.mark.chaos, pytest.mark.engine, pytest.mark.linux_root]

SHORT = [fault for fault in FAULTS if fault.is_short and not fault.needs]


@pytest.mark.timeout(400)
async def test_faults_of_every_sort_lose_double_and_stick_nothing() -> None:
    said: list[str] = [f"CHAOS_SEED={SEED}"]
    with scratch_folder() as folder:
        async with opened(folder, await shared_engine()) as world:
            played = await play(world, Script(SEED, SHORT, each=1, at_once=9), said.append)
            facts, _ = await gather(world, patience=0)
            wrongs = judge(facts, tries_again=TRIES_AGAIN)
            assert (wrongs, played.stuck, played.left_out) == ([], "", []), "\n".join(said)
            assert set(played.happened) == {fault.name for fault in SHORT}
            assert len(facts.delivered) > 30, "\n".join(said)
            assert len({attempt.run for attempt in facts.attempts}) > 20
