"""What an attempt tells while it goes on. The pipeline emits these; a store, or a terminal, takes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from draftsman.domain.outcome import ImageUsed, StepResult
from draftsman.domain.plan import Plan, Step
from draftsman.domain.run import RunState


@dataclass(frozen=True, slots=True)
class Entered:
    """The attempt entered a state. Entering `preparing` begins it anew: what an earlier claim told is void."""

    state: RunState


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan is made and will not change."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class ImageReady:
    """The image is there: built just now, or cached."""

    image: ImageUsed


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step's command started."""

    step: Step


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step's command ended."""

    result: StepResult


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes of log. `section` is `prepare`, `image`, `checkout`, or a step's id.

    `stream` is `stdout` or `stderr`; `at` is nanoseconds since the epoch, 0 where nobody took the time.
    """

    section: str
    content: bytes
    stream: str = "stdout"
    at: int = 0


Progress = Entered | Planned | ImageReady | StepStarted | StepFinished | Output
Sink = Callable[[Progress], Awaitable[None]]
"""Takes progress in order. It may raise to end the attempt (a lost lease does)."""
