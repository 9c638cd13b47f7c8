"""The entrypoint in real containers, under the three shells that images have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from draftsman.domain.run import Conclusion
from orchestrator.engine import Engine
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec
from orchestrator.sandbox import JobEnd, Watching, run_job
from tests.orchestrator.engine_fixtures import WITH_BASH, WITH_BUSYBOX, WITH_GIT, WITH_USER
from tests.orchestrator.sandbox_parts import Commit, Remembered

pytestmark = pytest.mark.engine

SpecOf = Callable[..., JobSpec]


@pytest.fixture(params=[WITH_GIT, WITH_BASH, WITH_BUSYBOX, WITH_USER], ids=["dash", "bash", "busybox", "user"])
async def image(request: pytest.FixtureRequest, image_of: Callable[[str], Awaitable[str]]) -> str:
    """The runner image, with each shell, and with a user that is not root."""
    return await image_of(request.param)


async def _run(runner: DockerRunner, commit: Commit, spec: JobSpec) -> tuple[JobEnd, Remembered]:
    seen = Remembered()
    return await run_job(runner, spec, commit.source, seen, Watching()), seen


async def test_runs_every_tier_in_the_checked_out_commit(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(
        setup="echo made > by-setup",
        fast=("git describe --tags --exact-match; git rev-parse HEAD; git status --short", "cat by-setup hello.py"),
        full=("pwd; cat 'folder/file name.txt'; test -w \"$HOME\" && echo home; git remote | wc -l",),
    )
    end, seen = await _run(runner, commit, spec)
    assert (end.conclusion, end.exit_code) == (Conclusion.SUCCESS, 0)
    assert seen.started == ["setup-1", "fast-1", "fast-2", "full-1"]
    assert seen.text("checkout") == f"Checked out {commit.sha}\nFirst\n"
    assert seen.text("fast-1") == f"v1.0\n{commit.sha}\n?? by-setup\n"
    assert seen.text("fast-2") == "made\nprint('hello')\n"
    assert seen.text("full-1") == "/workspace\ntext\nhome\n0\n"
    assert all(0 <= step.seconds < 30 for step in end.steps)


async def test_a_failing_setup_ends_the_job(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    end, seen = await _run(runner, commit, spec_of(setup="exit 3", fast=("true",), full=("true",)))
    assert (end.conclusion, end.exit_code) == (Conclusion.FAILURE, 10)
    assert end.title == "setup failed: `exit 3` exited 3"
    assert seen.ended == {"setup-1": 3}


async def test_all_fast_steps_run_and_full_ones_only_after_they_pass(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf
) -> None:
    end, seen = await _run(runner, commit, spec_of(fast=("false", "true", "exit 7"), full=("true",)))
    assert (end.exit_code, end.title) == (11, "fast failed: `false` exited 1, and 1 more")
    assert seen.ended == {"fast-1": 1, "fast-2": 0, "fast-3": 7}


async def test_a_failing_full_step(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    end, seen = await _run(runner, commit, spec_of(fast=("true",), full=("kill -9 $$", "true")))
    assert (end.conclusion, end.exit_code) == (Conclusion.FAILURE, 12)
    assert seen.ended == {"fast-1": 0, "full-1": 137, "full-2": 0}


async def test_output_comes_out_as_it_went_in(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    spec = spec_of(
        fast=("printf 'no newline'", "echo out; sleep 0.1; echo err >&2; sleep 0.1; echo out", "printf '\\n\\n'", "cat")
    )
    end, seen = await _run(runner, commit, spec)
    assert end.conclusion is Conclusion.SUCCESS
    assert [seen.text(f"fast-{number}") for number in (1, 2, 3, 4)] == ["no newline\n", "out\nerr\nout\n", "\n\n", ""]


async def test_the_nonce_is_not_to_be_found(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    search = "ls /draftsman/job; env; cat /proc/1/environ /proc/$PPID/environ | tr '\\0' '\\n'"
    spec = spec_of(fast=(search,))
    _, seen = await _run(runner, commit, spec)
    assert "JOB_ID=" in seen.text("fast-1")
    assert spec.nonce not in seen.text("fast-1")
    assert "nonce" not in seen.text("fast-1")
    assert "source.bundle" not in seen.text("fast-1")


async def test_a_commit_that_is_not_in_the_bundle(runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
    end, seen = await _run(runner, commit, spec_of(fast=("true",), sha="0" * 40))
    assert (end.conclusion, end.exit_code, seen.started) == (Conclusion.ERROR, 20, [])
    assert "could not be checked out" in seen.text("checkout")


@pytest.mark.parametrize(
    ("step", "longest"),
    [
        ("sleep 100", 4),
        ("trap 'sleep 0.5; echo cleaned up; exit 9' TERM; while :; do sleep 0.1; done", 4),
        ("trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & while :; do sleep 1; done", 9),
        ("setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & sleep 100", 9),
    ],
    ids=["polite", "cleans-up", "ignores", "daemon"],
)
async def test_a_stopped_job_reports(
    engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf, step: str, longest: float
) -> None:
    spec = spec_of(fast=("true", step))
    job = await runner.start(spec, commit.source)
    await _until_step_runs(engine, job.handle, "fast-2")
    begin = asyncio.get_running_loop().time()
    await runner.cancel(job)
    took = asyncio.get_running_loop().time() - begin
    result = await runner.result(job)
    log = await _log(engine, job.handle)
    await runner.remove(job)
    assert result.exit_code == 143
    assert result.report is not None
    assert (result.report.phase, [step.id for step in result.report.steps]) == ("fast", ["fast-1"])
    assert took < longest
    assert ("cleaned up" in log) == ("cleaned up" in step)


async def test_ctrl_c_reaches_the_programs_of_a_step(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, request: pytest.FixtureRequest
) -> None:
    interrupts = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(1); print('ignored')"
    _, seen = await _run(runner, commit, spec_of(fast=(f'python -c "{interrupts}"',)))
    if "busybox" in request.node.callspec.id:
        assert seen.text("fast-1") == "ignored\n", "busybox has no way to undo it: the contract says so"
    else:
        assert "KeyboardInterrupt" in seen.text("fast-1")


async def test_a_broken_environment_is_a_violation(engine: Engine, image: str) -> None:
    body = {"Image": image, "Entrypoint": ["/draftsman/entrypoint"], "Env": ["JOB_ID=../x"], "Cmd": []}
    made = await engine.call("POST", "containers/create", body=body | {"HostConfig": {"Init": True}})
    await engine.call("POST", f"containers/{made['Id']}/start")
    ended = await engine.call("POST", f"containers/{made['Id']}/wait")
    await engine.call("DELETE", f"containers/{made['Id']}", params={"force": "1", "v": "1"})
    assert ended["StatusCode"] == 21


async def _until_step_runs(engine: Engine, handle: str, step: str) -> None:
    async with asyncio.timeout(20):
        while f":start:{step}" not in await _log(engine, handle):
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)


async def _log(engine: Engine, handle: str) -> str:
    params = {"stdout": "1", "stderr": "1"}
    async with engine.stream("GET", f"containers/{handle}/logs", params=params) as answer:
        return (await answer.read()).decode("utf-8", "replace")
