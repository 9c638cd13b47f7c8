"""One job from its start to its removal, on a real engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from draftsman.domain.run import Conclusion
from orchestrator.cancellation import Cancellation
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec, JobStatus, Limits
from orchestrator.sandbox import JobEnd, Watching, run_job
from tests.orchestrator.sandbox_parts import Commit, Remembered

pytestmark = pytest.mark.engine

SpecOf = Callable[..., JobSpec]


async def _run(
    runner: DockerRunner, commit: Commit, spec: JobSpec, cancel_after: float | None = None
) -> tuple[JobEnd, Remembered]:
    seen, cancel = Remembered(), Cancellation()
    if cancel_after is not None:
        asyncio.get_running_loop().call_later(cancel_after, cancel.ask, "by alice")
    end = await run_job(runner, spec, commit.source, seen, Watching(cancel))
    job = await runner.adopt(spec.id)
    assert job is not None, "the container is there until its result was kept"
    await runner.remove(job)
    return end, seen


async def test_success(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    end, seen = await _run(runner, commit, spec_of(setup="true", fast=("python hello.py",), full=("true",)))
    assert (end.conclusion, end.exit_code) == (Conclusion.SUCCESS, 0)
    assert [(step.id, step.exit_code) for step in end.steps] == [("setup-1", 0), ("fast-1", 0), ("full-1", 0)]
    assert seen.text("fast-1") == "hello\n"


async def test_a_step_that_takes_too_long(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(fast=("true", "echo begins; sleep 100"), limits=Limits(step_seconds=2))
    end, seen = await _run(runner, commit, spec)
    assert (end.conclusion, end.exit_code) == (Conclusion.TIMED_OUT, 30)
    assert end.title == "timed out: `echo begins; sleep 100` ran longer than 2 s"
    assert [step.id for step in end.steps] == ["fast-1"]
    assert seen.text("fast-2") == "begins\n"


async def test_a_job_that_takes_too_long(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(fast=("sleep 1",) * 100, limits=Limits(total_seconds=3))
    end, _ = await _run(runner, commit, spec)
    assert end.conclusion is Conclusion.TIMED_OUT
    assert end.title.startswith("timed out: the job ran longer than 3 s")


async def test_a_step_that_says_nothing(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(fast=("for i in 1 2 3 4; do echo $i; sleep 1; done; sleep 100",), limits=Limits(silent_seconds=3))
    end, seen = await _run(runner, commit, spec)
    assert (end.conclusion, end.exit_code) == (Conclusion.TIMED_OUT, 31)
    assert seen.text("fast-1") == "1\n2\n3\n4\n"


@pytest.mark.parametrize(("word", "least"), [("x" * 200, 2**19), ("y", 0)], ids=["long lines", "short lines"])
async def test_output_without_end(runner: DockerRunner, commit: Commit, spec_of: SpecOf, word: str, least: int) -> None:
    spec = spec_of(fast=(f"yes {word}",), limits=Limits(log_bytes=2**20))
    begin = time.monotonic()
    end, seen = await _run(runner, commit, spec)
    assert time.monotonic() - begin < 30
    assert end.conclusion is Conclusion.FAILURE
    assert end.title.endswith("wrote more than 1 MiB of output")
    assert least < len(seen.text("fast-1")) <= 2**20


async def test_out_of_memory(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(fast=("python -c 'x = bytearray(500 * 2**20)'",), limits=Limits(memory_bytes=64 * 2**20))
    end, _ = await _run(runner, commit, spec)
    assert end.conclusion is Conclusion.FAILURE
    assert end.title.startswith("out of memory: ")
    assert end.title.endswith("needed more than 64 MiB")


async def test_too_many_processes_stay_inside(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spawn = "import subprocess\nfor _ in range(100): subprocess.Popen(['sleep', '30'])"
    spec = spec_of(fast=(f'python -c "{spawn}"',), limits=Limits(pids=40))
    end, seen = await _run(runner, commit, spec)
    assert (end.conclusion, end.exit_code) == (Conclusion.FAILURE, 11)
    assert "BlockingIOError" in seen.text("fast-1")


async def test_cancel(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    begin = time.monotonic()
    end, _ = await _run(runner, commit, spec_of(fast=("sleep 100",)), cancel_after=3)
    assert time.monotonic() - begin < 12
    assert (end.conclusion, end.title) == (Conclusion.CANCELLED, "cancelled by alice")


async def test_cancelled_before_the_start(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    cancel = Cancellation()
    cancel.ask()
    end = await run_job(runner, spec_of(fast=("true",)), commit.source, Remembered(), Watching(cancel))
    assert (end.conclusion, end.exit_code) == (Conclusion.CANCELLED, None)


async def test_killed_from_outside(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    end, _ = await _run(runner, commit, spec_of(fast=("kill -9 $PPID",)))
    assert (end.conclusion, end.title) == (Conclusion.ERROR, "the job was killed from outside")


async def test_a_step_that_forges_success_gets_an_error(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    forge = "sleep 0.2; printf '{}' > /draftsman/result/result.json; kill -TERM $PPID; sleep 20"
    end, _ = await _run(runner, commit, spec_of(fast=(forge,), full=("false",)))
    assert end.conclusion is Conclusion.ERROR


async def test_a_sink_that_raises_ends_the_job(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(fast=("sleep 100",))
    with pytest.raises(RuntimeError, match="as the test wants"):
        await run_job(runner, spec, commit.source, Remembered(fail_at="fast-1"), Watching())
    assert await runner.adopt(spec.id) is None


async def test_a_worker_that_shuts_down_leaves_the_job_for_the_next(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf
) -> None:
    spec, seen = spec_of(fast=("sleep 3; echo done",)), Remembered()
    task = asyncio.create_task(run_job(runner, spec, commit.source, seen, Watching()))
    async with asyncio.timeout(20):
        while not seen.started:
            await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    job = await runner.adopt(spec.id)
    assert job is not None
    assert job.nonce == spec.nonce
    assert await runner.status(job) is JobStatus.RUNNING
    result = await runner.result(job)
    assert result.exit_code == 0
