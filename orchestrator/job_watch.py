"""What has been seen of one job: the step that runs, those that ended, and which of its limits it has met.

The output of a job can be read again from its beginning (after a worker's or an engine's restart): what was told
already is then not told again, since the same frames make the same events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from draftsman.awake import AwakeClock
from draftsman.domain.outcome import StepResult
from draftsman.domain.plan import Step
from draftsman.domain.progress import Output, Sink, StepFinished, StepStarted
from orchestrator.job_output import JobEvent, JobOutput, TimedMarker, TimedOutput
from orchestrator.log_sections import SectionEnded
from orchestrator.masks import Masks
from orchestrator.runners.interface import Job, JobSpec, LogFrame
from orchestrator.verdict import Stop

_LINE_COST = 75
"""Bytes that the engine's log file holds for each line beside the line itself (JSON, time)."""
_FILE_FACTOR = 4
"""How many times the limit of the log its file may take, which the shortest lines would fill soonest."""
_LAST_WORDS = 2000
"""Bytes of the end of the output that are kept, to be shown where a job says nothing any more."""


class JobWatch:
    """Watches the output of one job, and tells the sink of it. `secrets` are hidden in it."""

    def __init__(self, spec: JobSpec, job: Job, sink: Sink, secrets: Iterable[str] = ()) -> None:
        self.running: Step | None = None
        self.finished: list[StepResult] = []
        self.last_words = b""
        self._spec = spec
        self._job = job
        self._steps = {step.id: step for step in spec.steps}
        self._limits = spec.limits
        self._sink = sink
        self._secrets = tuple(secrets)
        self._told_bytes = self._told_markers = 0
        self._clock = AwakeClock()
        now = self._clock.now()
        self._began = now - job.age_seconds
        self._step_began = self._spoke = now
        self.begin()

    def begin(self) -> None:
        """Take the output from its beginning: what was told before is not told again."""
        self._output = JobOutput(self._spec.nonce, self._steps, Masks(self._secrets))
        self._skip_bytes, self._skip_markers = self._told_bytes, self._told_markers
        self._left = self._limits.log_bytes
        self._file_left = self._limits.log_bytes * _FILE_FACTOR

    @property
    def log_is_full(self) -> bool:
        """Return whether the job has written more than it may."""
        return self._left <= 0 or self._file_left <= 0

    @property
    def workspace_bytes(self) -> int:
        """Return how much the job may write into its own layer."""
        return self._limits.workspace_bytes

    @property
    def shortest_limit(self) -> float:
        """Return the seconds of the limit that is met first."""
        return min(self._limits.total_seconds, self._limits.step_seconds, self._limits.silent_seconds)

    def limit_reached(self) -> Stop | None:
        """Return the limit that the job has met by now. Ask every second or so: time asleep does not count."""
        now = self._clock.now()
        if now - self._began >= self._limits.total_seconds:
            return Stop.TOTAL_TIME
        if self.running is not None and now - self._step_began >= self._limits.step_seconds:
            return Stop.STEP_TIME
        if now - self._spoke >= self._limits.silent_seconds:
            return Stop.SILENCE
        return None

    async def take(self, frames: Sequence[LogFrame]) -> None:
        """Tell the sink what these frames mean, up to the limit of the log."""
        self._spoke = self._clock.now()
        kept = []
        for frame in frames:
            if self.log_is_full:
                break
            kept.append(frame)
            self._left -= len(frame.content)
            self._file_left -= len(frame.content) + _LINE_COST
        await self._tell(self._output.feed(kept))

    async def end(self) -> None:
        """Tell the sink what was held back: no more comes."""
        await self._tell(self._output.finish())

    async def _tell(self, events: Iterable[JobEvent]) -> None:
        for event in events:
            if isinstance(event, TimedOutput):
                await self._tell_output(event)
            else:
                await self._tell_marker(event)

    async def _tell_output(self, event: TimedOutput) -> None:
        skipped = min(self._skip_bytes, len(event.content))
        self._skip_bytes -= skipped
        content = event.content[skipped:]
        if content:
            self._told_bytes += len(content)
            self.last_words = (self.last_words + content)[-_LAST_WORDS:]
            await self._sink(Output(event.section, content, str(event.stream), event.at))

    async def _tell_marker(self, event: TimedMarker) -> None:
        if self._skip_markers:
            self._skip_markers -= 1
            return
        self._told_markers += 1
        step = self._steps[event.event.id]
        if isinstance(event.event, SectionEnded):
            ended = event.event
            result = StepResult(step.id, step.tier, step.command, ended.exit_code, ended.seconds, step.may_fail)
            self.running = None
            self.finished.append(result)
            await self._sink(StepFinished(result))
        else:
            self.running, self._step_began = step, self._clock.now() - self._seconds_ago(event.at)
            self.last_words = b""
            await self._sink(StepStarted(step))

    def _seconds_ago(self, at: int) -> float:
        """Return how long ago something was, by the backend's own clock; what is told live was just now."""
        return max(self._job.adopted_at - at, 0) / 1e9 if at and self._job.adopted_at else 0.0
