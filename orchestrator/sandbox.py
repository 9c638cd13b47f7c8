"""One job, from its start to its end: output told as it comes, limits kept, the end judged.

What ends a job, and what becomes of its container:

- it ends by itself, is cancelled, or meets a limit: result and files read, `JobEnd` returned. The container stays until
  whoever asked has kept the result (`pipeline.release`), so that the death of the worker in between costs nothing;
- the sink raises because the lease is lost: nothing more is done here, the job is another worker's now;
- the sink raises otherwise, or the engine fails for longer than it may: container removed, the error raised;
- this task is cancelled (the worker shuts down): nothing more is done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from draftsman.domain.errors import EngineError, LeaseLostError
from draftsman.domain.outcome import Artifact
from draftsman.domain.progress import Sink
from orchestrator.cancellation import Cancellation
from orchestrator.disk_watch import DiskWatch
from orchestrator.job_watch import JobWatch
from orchestrator.runners.interface import Job, JobResult, JobSpec, JobStatus, Runner, Source, Wanted
from orchestrator.verdict import JobEnd, Stop, cancelled_before_start, judge

log = logging.getLogger(__name__)

__all__ = ["JobEnd", "Watching", "follow_job", "run_job"]

STOP_SECONDS = 9
"""How long a job has between SIGTERM and SIGKILL. The entrypoint needs 5 of them for a step that will not end."""
_DRAIN_SECONDS = 30.0
"""How long the rest of the output may take once the job was stopped."""
_EXIT_SECONDS = 60.0
"""How long a job may take to be gone once its output has ended."""
_AWAY_SECONDS = 60.0
"""How long the engine may be away under a running job: a restart of it, no more."""
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Watching:
    """What is kept an eye on beside the output: who wants the end, which words are secret, the disk, files to keep."""

    cancel: Cancellation = field(default_factory=Cancellation)
    secrets: tuple[str, ...] = ()
    disk: DiskWatch | None = None
    wanted: Wanted | None = None


async def run_job(runner: Runner, spec: JobSpec, source: Source, sink: Sink, watching: Watching) -> JobEnd:
    """Start the job and return how it ended. The container is left for `Runner.remove`.

    Raises EngineError where the engine fails, and whatever the sink raises.
    """
    if watching.cancel.is_set():
        return cancelled_before_start(watching.cancel.title)
    job = await runner.start(spec, source)
    return await follow_job(runner, job, spec, sink, watching)


async def follow_job(
    runner: Runner, job: Job, spec: JobSpec, sink: Sink, watching: Watching, *, is_adopted: bool = False
) -> JobEnd:
    """Follow a job that was started, here or by an earlier worker, to its end. Raises as `run_job`.

    While an adopted one had no worker, the engine may have been away: the machine was started again, say.
    """
    watch = JobWatch(spec, job, sink, watching.secrets)
    engine = _Presence(was_away=is_adopted)
    try:
        stop = await _follow(runner, job, watch, watching, engine)
        result = await _result(runner, job)
        files = await _files(runner, job, watching.wanted)
    except (asyncio.CancelledError, LeaseLostError):
        raise
    except BaseException:
        await runner.remove(job)
        raise
    end = judge(
        spec,
        result,
        watch.finished,
        stop,
        watch.running,
        words=watch.last_words,
        cancelled=watching.cancel.title,
        engine_was_away=engine.was_away,
    )
    return replace(end, files=files, summary=result.summary)


@dataclass(slots=True)
class _Presence:
    """Whether the engine was away while the job ran, as far as anybody can tell."""

    was_away: bool = False


async def _follow(runner: Runner, job: Job, watch: JobWatch, watching: Watching, engine: _Presence) -> Stop | None:
    """Pass the output on until the job ended, or was ended for the reason returned."""
    output = asyncio.create_task(_pass_on(runner, job, watch, engine))
    guards = [asyncio.create_task(_guard(watch, watching.cancel)), asyncio.create_task(_fault(runner, job))]
    if watching.disk is not None:
        guards.append(asyncio.create_task(watching.disk.guard(runner, job, watch.workspace_bytes)))
    try:
        await asyncio.wait((output, *guards), return_when=asyncio.FIRST_COMPLETED)
        if output.done():
            stop = await output
            if stop is not None:
                await runner.cancel(job, STOP_SECONDS)
            return stop
        stop = next(guard for guard in guards if guard.done()).result()
        await runner.cancel(job, STOP_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await output
        return stop
    finally:
        for task in (output, *guards):
            task.cancel()
        await asyncio.gather(output, *guards, return_exceptions=True)


async def _pass_on(runner: Runner, job: Job, watch: JobWatch, engine: _Presence) -> Stop | None:
    """Tell the output. Where the engine goes away under it, wait for its return and go on where it was."""
    while True:
        try:
            async with aclosing(runner.logs(job)) as batches:
                async for batch in batches:
                    await watch.take(batch)
                    if watch.log_is_full:
                        return Stop.LOG_SIZE
            if await _has_ended(runner, job):
                await watch.end()
                return None
        except EngineError as error:
            log.warning("job %s: the engine went away: %s", job.id, error)
            engine.was_away = True
            await _until_back(runner, job, error)
        watch.begin()


async def _has_ended(runner: Runner, job: Job) -> bool:
    """Return whether a job whose output ended is over: an engine that stops ends the output first."""
    for _ in range(20):
        if await runner.status(job) is not JobStatus.RUNNING:
            return True
        await asyncio.sleep(0.1)
    return False


async def _until_back(runner: Runner, job: Job, error: EngineError) -> None:
    deadline = time.monotonic() + _AWAY_SECONDS
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            await runner.status(job)
        except EngineError:
            if time.monotonic() > deadline:
                raise error from None
        else:
            return


async def _guard(watch: JobWatch, cancel: Cancellation) -> Stop:
    """Return why the job must end, once it must."""
    while True:
        if cancel.is_set():
            return Stop.CANCELLED
        stop = watch.limit_reached()
        if stop is not None:
            return stop
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_LOOK_SECONDS, watch.shortest_limit / 4)):
                await cancel.wait()


async def _fault(runner: Runner, job: Job) -> Stop:
    """Return once what the job stands on is gone. While the engine is away, nothing can be said of it."""
    while True:
        try:
            await runner.fault(job)
        except EngineError:
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return Stop.FAULT


async def _result(runner: Runner, job: Job) -> JobResult:
    try:
        async with asyncio.timeout(_EXIT_SECONDS):
            return await runner.result(job)
    except TimeoutError as error:
        raise EngineError(
            "The Docker engine ended the job's output while the job still runs: restart the engine, then push again."
        ) from error


async def _files(runner: Runner, job: Job, wanted: Wanted | None) -> tuple[Artifact, ...]:
    if wanted is None:
        return ()
    async with aclosing(runner.files(job, wanted)) as files:
        return tuple([file async for file in files])


def secrets_of(proxies: Iterable[str]) -> tuple[str, ...]:
    """Return the passwords in these URLs: a job is given them, and its log must not show them."""
    found = []
    for url in proxies:
        login, at, _ = url.rpartition("@")
        if at:
            found.append(login.rpartition("//")[2].partition(":")[2])
    return tuple(word for word in dict.fromkeys(found) if word)
