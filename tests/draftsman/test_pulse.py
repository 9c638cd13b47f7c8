"""A service that makes no progress says so and ends; one that only slept, or waits, goes on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

import pytest

from draftsman.pulse import STUCK_EXIT_CODE, Pulse, StuckError
from tests.draftsman.test_awake import Hands


def test_a_part_that_goes_round_its_loop_is_not_silent() -> None:
    hands = Hands()
    pulse = Pulse(silent_seconds=10, read=hands)
    beat = pulse.of("claims")
    for _ in range(5):
        hands.at += 9
        beat()
    assert pulse.silent() == {}


def test_a_part_that_stopped_or_never_began_is_named() -> None:
    hands = Hands()
    pulse = Pulse(silent_seconds=10, read=hands)
    beat = pulse.of("claims")
    pulse.of("tasks")
    hands.at += 8
    beat()
    hands.at += 4
    assert pulse.silent() == {"tasks": 12}


async def test_a_silent_part_ends_the_service_with_a_sentence() -> None:
    hands = Hands()
    pulse = Pulse(silent_seconds=10, read=hands)
    pulse.of("claims")
    hands.at += 11
    with pytest.raises(StuckError, match=r"No progress: claims for 11 s"):
        async with asyncio.timeout(20):
            await pulse.watch()


def _watched(body: str) -> subprocess.CompletedProcess[str]:
    """Run a program whose event loop is watched, with half a second's patience."""
    program = (
        "import asyncio, time\nfrom draftsman.pulse import LoopWatch\n"
        "async def main():\n"
        "    watching = asyncio.create_task(LoopWatch(blocked_seconds=0.5).watch())\n"
        f"{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        "    watching.cancel()\n"
        "asyncio.run(main())\n"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_an_event_loop_that_stands_still_ends_the_process_and_says_where() -> None:
    ended = _watched("await asyncio.sleep(0)\ntime.sleep(30)  # the culprit")
    assert ended.returncode == STUCK_EXIT_CODE
    assert "No progress: the event loop stands still" in ended.stderr
    assert "in main" in ended.stderr


def test_a_call_that_lets_no_other_thread_run_ends_the_process_too() -> None:
    ended = _watched("await asyncio.sleep(0)\nimport re\nre.fullmatch('(a+)+b', 'a' * 40)  # years")
    assert ended.returncode not in (0, None)
    assert "in main" in ended.stderr


def test_an_event_loop_that_turns_goes_on() -> None:
    ended = _watched("await asyncio.sleep(3)\nprint('done')")
    assert (ended.returncode, ended.stdout) == (0, "done\n")
