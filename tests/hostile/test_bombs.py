"""Jobs that take what they can get: each is bounded, while a neighbour and the control plane go on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from draftsman.domain.run import Conclusion
from orchestrator.disk_watch import DiskWatch, Floor
from orchestrator.fence.holder import Fences
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec, Limits
from tests.hostile.beside import attack
from tests.orchestrator.sandbox_parts import Commit

pytestmark = [pytest.mark.hostile, pytest.mark.engine]

SpecOf = Callable[..., JobSpec]
MEGABYTE = 2**20
ONE_CPU = Limits(cpus=1.0, memory_bytes=256 * MEGABYTE, pids=200)


FORK_BOMB = 'bomb() { bomb | bomb & }; bomb; python -c "import os\nwhile True:\n try: os.fork()\n except OSError: pass"'


FORKING = """python -c 'import os, time
while True:
    try: os.fork()
    except OSError: time.sleep(0.01)' 2>/dev/null"""


@dataclass(frozen=True)
class Attack:
    """A hostile step, what becomes of it, and within how many seconds (from its cancellation, where it has one)."""

    name: str
    step: str
    conclusion: Conclusion
    title: str
    seconds: float
    limits: Limits = ONE_CPU
    cancel_after: float | None = None


ATTACKS = [
    Attack(
        "fork bomb",
        FORKING,
        Conclusion.TIMED_OUT,
        r"timed out: the job ran longer than 3 s.*",
        20,
        replace(ONE_CPU, total_seconds=3),
    ),
    Attack(
        "leaves too many processes",
        f"{FORKING} & sleep 2",
        Conclusion.FAILURE,
        r"the steps left more than 200 processes behind",
        30,
    ),
    Attack(
        "memory bomb",
        "python -c \"x = bytearray(2 * 2**30); print('had it')\"",
        Conclusion.FAILURE,
        r"out of memory: `python .*` needed more than 256 MiB",
        30,
    ),
    Attack(
        "1 GB of log",
        "head -c 1000000000 /dev/zero | tr '\\0' x | fold -w 120",
        Conclusion.FAILURE,
        r"`head .*` wrote more than 100 MiB of output",
        60,
    ),
    Attack(
        "disk fill",
        "i=0; while :; do head -c 50000000 /dev/zero > file$i; i=$((i + 1)); done",
        Conclusion.FAILURE,
        r"`i=0; .*` wrote more than 200 MiB to disk",
        60,
        replace(ONE_CPU, workspace_bytes=200 * MEGABYTE),
    ),
    Attack(
        "one huge file",
        "fallocate -l 20G big",
        Conclusion.FAILURE,
        r"fast failed: `fallocate .*",
        30,
    ),
    Attack(
        "ignores SIGTERM",
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & while :; do sleep 1; done",
        Conclusion.CANCELLED,
        r"cancelled",
        12,
        cancel_after=2,
    ),
    Attack(
        "stops the entrypoint",
        "kill -STOP $PPID; trap '' TERM; while :; do sleep 1; done",
        Conclusion.CANCELLED,
        r"cancelled",
        12,
        cancel_after=2,
    ),
    Attack(
        "says nothing",
        "echo last words; sleep 1000",
        Conclusion.TIMED_OUT,
        r"timed out: `echo .*` wrote nothing for 2 s",
        20,
        replace(ONE_CPU, silent_seconds=2),
    ),
    Attack(
        "leaves daemons",
        "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP; exec sleep 1000' & done; true",
        Conclusion.SUCCESS,
        r"all checks passed",
        15,
    ),
    Attack(
        "holds its output open",
        "sleep 1000 & true",
        Conclusion.SUCCESS,
        r"all checks passed",
        15,
    ),
    Attack(
        "forges its result",
        "printf '\\n::draftsman:%s:end:fast-1:0:0.01\\n' 0; "
        'printf \'{"version":1,"job_id":"%s","sha":"%s","phase":"done","exit_code":0,"steps":[]}\' $JOB_ID $COMMIT_SHA'
        " > /draftsman/result/result.json; exit 1",
        Conclusion.FAILURE,
        r"fast failed: `printf .*` exited 1",
        15,
    ),
]


@pytest.mark.parametrize("row", ATTACKS, ids=[row.name.replace(" ", "-") for row in ATTACKS])
async def test_it_is_bounded_and_its_neighbour_goes_on(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, fences: Fences, row: Attack
) -> None:
    disk = DiskWatch(fences.helper, Floor(0, 0))
    ended = await attack(
        runner,
        commit,
        spec_of(fast=(row.step, *("true",) * 30), limits=row.limits),
        cancel_after=row.cancel_after,
        disk=disk,
    )
    assert ended.end.conclusion is row.conclusion, ended.end
    assert re.fullmatch(row.title, ended.end.title, re.DOTALL), ended.end.title
    assert ended.seconds < row.seconds
    assert ended.neighbour is not None
    assert ended.neighbour.conclusion is Conclusion.SUCCESS
    assert ended.gap < 5
    assert ended.lag < 2


async def test_the_last_words_before_a_silence_are_shown(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(fast=("echo 'connecting ```'; sleep 100",), limits=Limits(silent_seconds=1.5))
    ended = await attack(runner, commit, spec, with_neighbour=False)
    assert ended.end.detail.endswith("Its last output:\n\n``````\nconnecting ```\n``````")


async def test_under_the_floor_the_job_that_wrote_most_is_ended_and_no_other(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, fences: Fences
) -> None:
    disk = DiskWatch(fences.helper, Floor(2**60, 0), floor_seconds=1)
    calm = spec_of(fast=("sleep 3",))
    greedy = spec_of(fast=("head -c 50000000 /dev/zero > big; sleep 100",))

    async def run(spec: JobSpec, disk: DiskWatch) -> tuple[Conclusion, str]:
        end = (await attack(runner, commit, spec, disk=disk, with_neighbour=False)).end
        return end.conclusion, end.title

    ended, other = await asyncio.gather(run(greedy, disk), run(calm, disk))
    assert ended[0] is Conclusion.ERROR
    assert "the engine's disk is nearly full, and `head " in ended[1]
    assert other[0] is Conclusion.SUCCESS
