"""One job, from its start to its removal: output told as it comes, limits kept, the end judged.

What ends a job, and what becomes of its container:

- it ends by itself, is cancelled, or meets a limit: result read, container removed, `JobEnd` returned;
- the sink raises (a lost lease), or the engine fails: container removed, the error raised;
- this task is cancelled (the worker shuts down): nothing more is done here. The pipeline then removes the
  container and the attempt is given back; where the worker is killed before that, whoever takes the attempt up
  makes room for a job of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import aclosing
from pathlib import Path

from draftsman.domain.errors import EngineError
from draftsman.domain.outcome import StepResult
from draftsman.domain.plan import Step
from draftsman.domain.progress import Output, Sink, StepFinished, StepStarted
from orchestrator.log_sections import LogSections, SectionEnded, SectionEvent, SectionOutput
from orchestrator.runners.interface import Job, JobResult, JobSpec, Limits, Runner
from orchestrator.verdict import JobEnd, Stop, cancelled_before_start, judge

__all__ = ["JobEnd", "run_job"]

_DRAIN_SECONDS = 30.0
"""How long the rest of the output may take once the job was stopped."""
_EXIT_SECONDS = 60.0
"""How long a job may take to be gone once its output has ended."""
_LOOK_SECONDS = 1.0
_LINE_COST = 75
"""Bytes that the engine's log file holds for each line beside the line itself (JSON, time)."""
_FILE_FACTOR = 4
"""How many times the limit of the log its file may take, which the shortest lines would fill soonest."""


async def run_job(runner: Runner, spec: JobSpec, source: Path, sink: Sink, *, cancel: asyncio.Event) -> JobEnd:
    """Return how the job ended. `source` is a git bundle; `cancel` set at any time ends the job.

    Raises EngineError where the engine fails, and whatever the sink raises.
    """
    if cancel.is_set():
        return cancelled_before_start()
    job = await runner.start(spec, source)
    watch = _Watch(spec, sink)
    try:
        stop = await _follow(runner, job, watch, cancel)
        result = await _result(runner, job)
    except asyncio.CancelledError:
        raise
    except BaseException:
        await runner.remove(job)
        raise
    await runner.remove(job)
    return judge(spec, result, watch.finished, stop, watch.running)


async def _follow(runner: Runner, job: Job, watch: _Watch, cancel: asyncio.Event) -> Stop | None:
    """Pass the output on until the job ended, or was ended for the reason returned."""
    output = asyncio.create_task(_pass_on(runner, job, watch))
    guard = asyncio.create_task(_guard(watch, cancel))
    try:
        await asyncio.wait((output, guard), return_when=asyncio.FIRST_COMPLETED)
        if output.done():
            stop = await output
            if stop is not None:
                await runner.cancel(job)
            return stop
        stop = await guard
        await runner.cancel(job)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await output
        return stop
    finally:
        output.cancel()
        guard.cancel()
        await asyncio.gather(output, guard, return_exceptions=True)


async def _pass_on(runner: Runner, job: Job, watch: _Watch) -> Stop | None:
    async with aclosing(runner.logs(job)) as batches:
        async for batch in batches:
            await watch.take(b"".join(frame.content for frame in batch), frames=len(batch))
            if watch.log_is_full:
                return Stop.LOG_SIZE
    await watch.end()
    return None


async def _guard(watch: _Watch, cancel: asyncio.Event) -> Stop:
    """Return why the job must end, once it must."""
    while True:
        if cancel.is_set():
            return Stop.CANCELLED
        stop = watch.limit_reached(time.monotonic())
        if stop is not None:
            return stop
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_LOOK_SECONDS, watch.shortest_limit / 4)):
                await cancel.wait()


async def _result(runner: Runner, job: Job) -> JobResult:
    try:
        async with asyncio.timeout(_EXIT_SECONDS):
            return await runner.result(job)
    except TimeoutError as error:
        raise EngineError(
            "The Docker engine ended the job's output while the job still runs: restart the engine, then push again."
        ) from error


class _Watch:
    """What has been seen of one job: the step that runs, those that ended, and when it last said something."""

    def __init__(self, spec: JobSpec, sink: Sink) -> None:
        self.running: Step | None = None
        self.finished: list[StepResult] = []
        self._steps = {step.id: step for step in spec.steps}
        self._limits: Limits = spec.limits
        self._sink = sink
        self._sections = LogSections(spec.nonce, self._steps)
        self._left = spec.limits.log_bytes
        self._file_left = spec.limits.log_bytes * _FILE_FACTOR
        self._began = self._step_began = self._spoke = time.monotonic()

    @property
    def log_is_full(self) -> bool:
        return self._left <= 0 or self._file_left <= 0

    @property
    def shortest_limit(self) -> float:
        return min(self._limits.total_seconds, self._limits.step_seconds, self._limits.silent_seconds)

    def limit_reached(self, now: float) -> Stop | None:
        if now - self._began >= self._limits.total_seconds:
            return Stop.TOTAL_TIME
        if self.running is not None and now - self._step_began >= self._limits.step_seconds:
            return Stop.STEP_TIME
        if now - self._spoke >= self._limits.silent_seconds:
            return Stop.SILENCE
        return None

    async def take(self, content: bytes, *, frames: int) -> None:
        """Tell the sink what this output means, up to the limit of the log."""
        self._spoke = time.monotonic()
        for event in self._sections.feed(content[: self._left]):
            await self._tell(event)
        self._left -= len(content)
        self._file_left -= len(content) + frames * _LINE_COST

    async def end(self) -> None:
        for event in self._sections.finish():
            await self._tell(event)

    async def _tell(self, event: SectionEvent) -> None:
        if isinstance(event, SectionOutput):
            await self._sink(Output(event.section, event.content))
            return
        step = self._steps[event.id]
        if isinstance(event, SectionEnded):
            result = StepResult(step.id, step.tier, step.command, event.exit_code, event.seconds)
            self.running = None
            self.finished.append(result)
            await self._sink(StepFinished(result))
        else:
            self.running, self._step_began = step, time.monotonic()
            await self._sink(StepStarted(step))
