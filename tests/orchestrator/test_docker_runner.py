"""The Docker backend keeps what the `Runner` interface guarantees."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from draftsman.domain.errors import EngineError, HostError
from orchestrator.engine import Engine
from orchestrator.runners.container import container_name
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import Job, JobSpec, JobStatus, Limits, Source
from tests.orchestrator.engine_fixtures import WITH_USER
from tests.orchestrator.sandbox_parts import Commit, make_commit

pytestmark = pytest.mark.engine

SpecOf = Callable[..., JobSpec]


async def _log(runner: DockerRunner, job: Job) -> str:
    frames = [frame async for batch in runner.logs(job) for frame in batch]
    return b"".join(frame.content for frame in frames).decode()


async def test_a_job_from_start_to_removal(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(fast=("echo said; exit 4",), epoch=2)
    job = await runner.start(spec, commit.source)
    assert "said\n" in await _log(runner, job)
    result = await runner.result(job)
    assert (result.exit_code, result.out_of_memory, result.fault) == (11, False, "")
    assert result.report is not None
    assert [(step.id, step.exit_code) for step in result.report.steps] == [("fast-1", 4)]
    assert await runner.status(job) is JobStatus.EXITED
    assert "said\n" in await _log(runner, job), "the log can be read again"
    assert await runner.adopt(spec.id) == job
    for _ in range(2):
        await runner.remove(job)
    assert await runner.status(job) is JobStatus.GONE
    assert await runner.adopt(spec.id) is None
    await runner.cancel(job)


async def test_the_container_is_locked_down(
    engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf
) -> None:
    look = (
        "grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; ulimit -n; cat /proc/1/comm; "
        "ls -d /var/run/docker.sock /run/docker.sock 2>/dev/null; "
        "python -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)' 2>&1 | tail -n 1; "
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
    )
    spec = spec_of(fast=(look,), limits=Limits(memory_bytes=300 * 2**20))
    job = await runner.start(spec, commit.source)
    text = await _log(runner, job)
    # CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, KILL 5, SETGID 6, SETUID 7
    assert re.search(r"CapBnd:\s+00000000000000fb\n", text)
    assert re.search(r"NoNewPrivs:\s+1\n", text)
    assert re.search(r"Seccomp:\s+2\n", text)
    assert "\n16384\n" in text
    assert "docker-init" in text or "tini" in text
    assert "docker.sock" not in text
    assert "PermissionError" in text
    assert f"\n{300 * 2**20}\n" in text
    found = await engine.call("GET", f"containers/{container_name(spec.id)}/json")
    assert found["HostConfig"]["LogConfig"]["Type"] == "json-file"
    assert found["Name"] == f"/draftsman-job-{spec.id}"


async def test_a_name_that_is_taken(engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    earlier = spec_of(fast=("sleep 100",), epoch=1)
    stray = await runner.start(earlier, commit.source)
    job = await runner.start(replace(earlier, epoch=2, nonce="0" * 32), commit.source)
    assert await runner.status(stray) is JobStatus.GONE
    assert await runner.adopt(earlier.id) == job
    with pytest.raises(HostError, match="Another worker"):
        await runner.start(earlier, commit.source)
    assert await runner.status(job) is JobStatus.RUNNING


async def test_a_start_that_fails_leaves_nothing(runner: DockerRunner, tmp_path: Path, spec_of: SpecOf) -> None:
    spec = spec_of(fast=("true",))
    with pytest.raises(FileNotFoundError):
        await runner.start(spec, Source(tmp_path / "absent"))
    assert await runner.adopt(spec.id) is None


async def test_a_cancelled_start_leaves_nothing(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    for delay in (0.02, 0.05, 0.1, 0.3):
        spec = spec_of(fast=("sleep 100",))
        task = asyncio.create_task(runner.start(spec, commit.source))
        await asyncio.sleep(delay)
        task.cancel()
        if isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError):
            await asyncio.sleep(1)
            assert await runner.adopt(spec.id) is None


async def test_an_image_that_is_gone(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    with pytest.raises(EngineError, match="No such image"):
        await runner.start(spec_of(fast=("true",), image="draftsman-runner/absent/absent:1"), commit.source)


@pytest.mark.parametrize(
    "attack",
    [
        "ln -s /etc/passwd /draftsman/result/result.json",
        "rm -rf /draftsman/result; ln -s /etc /draftsman/result",
        "mkdir /draftsman/result/result.json",
        "mkfifo /draftsman/result/result.json",
        "head -c 3000000 /dev/zero > /draftsman/result/result.json",
        "echo '{\"version\":1}' > /draftsman/result/result.json",
    ],
)
async def test_a_result_file_is_never_trusted(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, attack: str
) -> None:
    # The entrypoint is killed after the attack, so that its own result does not replace it.
    job = await runner.start(spec_of(fast=(f"{attack}; kill -9 $PPID",)), commit.source)
    result = await runner.result(job)
    assert (result.exit_code, result.report) == (137, None)


async def test_a_large_source_is_streamed(runner: DockerRunner, tmp_path: Path, spec_of: SpecOf) -> None:
    large = make_commit(tmp_path, {"large": secrets.token_hex(8 * 2**20)})
    assert large.bundle.stat().st_size > 8 * 2**20
    job = await runner.start(spec_of(fast=("wc -c < large",), sha=large.sha), large.source)
    assert f"{16 * 2**20}\n" in await _log(runner, job)
    assert (await runner.result(job)).exit_code == 0


async def test_an_engine_that_takes_too_long_over_the_source(engine: Engine, tmp_path: Path, spec_of: SpecOf) -> None:
    source = tmp_path / "source.bundle"
    with source.open("wb") as file:
        file.truncate(2**30)
    spec = spec_of(fast=("true",))
    runner = DockerRunner(engine, put_seconds=0.2)
    with pytest.raises(EngineError, match="did not take the job's source within"):
        await runner.start(spec, Source(source))
    assert await runner.adopt(spec.id) is None


async def test_a_source_that_is_none(runner: DockerRunner, tmp_path: Path, spec_of: SpecOf) -> None:
    source = tmp_path / "source.bundle"
    source.write_bytes(b"no bundle\n")
    job = await runner.start(spec_of(fast=("true",)), Source(source))
    assert (await runner.result(job)).exit_code == 20


async def test_an_image_of_another_user(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, image_of: Callable[[str], Awaitable[str]]
) -> None:
    spec = spec_of(fast=("id -un; touch /workspace/x && echo ok",), image=await image_of(WITH_USER))
    job = await runner.start(spec, commit.source)
    assert "app\nok\n" in await _log(runner, job)
    assert (await runner.result(job)).report is not None


async def test_a_job_that_is_left_goes_on_for_a_while_and_no_longer(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, image_of: Callable[[str], Awaitable[str]]
) -> None:
    spec = spec_of(fast=("trap '' TERM; while :; do sleep 1; done",), image=await image_of(WITH_USER))
    job = await runner.start(spec, commit.source)
    await runner.leave(job, 2)
    assert await runner.status(job) is JobStatus.RUNNING
    result = await runner.result(job)
    assert result.report is not None
    assert (result.exit_code, result.report.phase) == (143, "fast")


async def test_a_job_that_is_left_ends_sooner_unless_it_is_taken_up(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, image_of: Callable[[str], Awaitable[str]]
) -> None:
    image = await image_of(WITH_USER)
    jobs = []
    for _ in range(2):
        job = await runner.start(spec_of(fast=("sleep 600",), image=image), commit.source)
        await runner.leave(job, 300, untaken_seconds=3)
        jobs.append(job)
    taken, untaken = jobs
    await runner.take_up(taken)
    assert (await runner.result(untaken)).exit_code == 143
    await runner.take_up(untaken)
    # It was left before the other one. A job that is left a second time is left anew.
    assert await runner.status(taken) is JobStatus.RUNNING
    await runner.leave(taken, 300, untaken_seconds=1)
    assert (await runner.result(taken)).exit_code == 143


async def test_a_following_reader_can_leave(
    engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf
) -> None:
    job = await runner.start(spec_of(fast=("while :; do echo x; sleep 0.1; done",)), commit.source)
    logs = runner.logs(job)
    await anext(logs)
    await logs.aclose()
    assert not engine._streams.connector._acquired
    assert await runner.status(job) is JobStatus.RUNNING
