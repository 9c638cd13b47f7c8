"""What came out of an attempt: step results, image, conclusion."""

from __future__ import annotations

from dataclasses import dataclass, field

from draftsman.domain.finding import Finding
from draftsman.domain.plan import Plan, Tier
from draftsman.domain.retry import Cause
from draftsman.domain.run import Conclusion

PHASES = ("source", "plan", "image", "job", "total")
"""The phases of an attempt that are timed, in their order."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One finished step. `exit_code` is that of its shell; `seconds` is wall clock. See `Step` for `may_fail`."""

    id: str
    tier: Tier
    command: str
    exit_code: int
    seconds: float
    may_fail: bool = False

    @property
    def is_red(self) -> bool:
        """Return whether the step turns its tier red."""
        return self.exit_code != 0 and not self.may_fail


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a job left. `path` is below the workspace; `content` is None where it was too large to be kept."""

    path: str
    content: bytes | None


@dataclass(frozen=True, slots=True)
class ImageUsed:
    """The image that a job ran in. `build_seconds` is 0 when it was cached."""

    tag: str
    key: str
    cached: bool
    build_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an attempt, as a person is told it.

    `title` is one line; `detail` says what to do, in Markdown, and may be empty.
    `timings` maps PHASES, as far as the attempt came, to seconds. `summary` is Markdown that the job wrote itself.
    `cause` says why another try may go better; it is there with `error` alone.
    """

    conclusion: Conclusion
    title: str
    detail: str = ""
    plan: Plan | None = None
    image: ImageUsed | None = None
    steps: tuple[StepResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    exit_code: int | None = None
    timings: dict[str, float] = field(default_factory=dict)
    summary: str = ""
    artifacts: tuple[Artifact, ...] = ()
    cause: Cause | None = None
