"""What runs a job. One interface, so that another backend can take Docker's place.

Execution flow, one job after its start:

    start   makes the job from its spec, gives it its source and steps, and starts it
    logs    yields its output until it ended; may be called again, from an instant on
    status  tells whether it runs
    cancel  stops it: politely first, then by force
    result  tells how it ended: exit code, the backend's own verdict, and the result file
    files   yields what it left: artifacts, reports, its summary
    remove  removes all that is left of it

and beside these, while it runs: `fault` returns once something that the job stands on is gone, `usage` tells how much
disk it takes.

Guarantees that every backend keeps:

1.  A job is addressed by the `Job` that `start` or `adopt` returned. All it needs is in the backend, so a
    worker that starts anew can `adopt` a job by its id, read its logs and its result, and remove it.
2.  A job never outlives a `remove`, and its result is there until then, however the job or the worker ended.
3.  `start` replaces a job of the same id with the same or a lower epoch, and refuses where a newer one is.
    When it raises, nothing runs and nothing is left. A job whose network is `fenced` starts behind its fence or
    not at all.
4.  `cancel`, `remove` and `status` may be called in any state, also twice; a job that is gone is no error.
5.  What `result` returns of the result file is checked for size and form. It is the word of code under
    test all the same: it may tell of this job's steps and of nothing else.
6.  Each method may be cancelled; none goes on in the backend, but `cancel` and `remove` which complete there.
7.  `logs` yields the same frames in the same order each time: what is made of them can be made again.

Calls for different jobs may run at the same time. Calls for one job come from one task, except `cancel`.
Every method raises EngineError where the backend is away or refuses.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from draftsman.domain.outcome import Artifact
from draftsman.domain.plan import Step
from orchestrator.caches import CacheMount

Network = Literal["fenced", "open", "none"]
"""`fenced`: the internet and nothing private; `open`: whatever the backend's machine reaches; `none`: no names even."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use. Memory comes without swap; the seconds count wall clock.

    `open_files` must not be more than the engine's own hard limit, which is 20,000 and less in places.
    """

    memory_bytes: int = 4 * 2**30
    cpus: float = 2.0
    pids: int = 1024
    open_files: int = 16384
    file_bytes: int = 4 * 2**30
    total_seconds: float = 1800
    step_seconds: float = 1800
    silent_seconds: float = 1200
    log_bytes: int = 100 * 2**20
    workspace_bytes: int = 10 * 2**30


class Submodule(NamedTuple):
    """A submodule: its path from the top of the checkout, its commit, and a git bundle that holds it."""

    path: str
    sha: str
    bundle: Path


class LfsFile(NamedTuple):
    """A file of Git LFS: its path, the SHA-256 of its content, and the file that holds that."""

    path: str
    oid: str
    file: Path


@dataclass(frozen=True, slots=True)
class Source:
    """What a job checks out: a git bundle of the commit and its tags, and what the profile asks for beside it.

    A submodule stands behind the one that it lies in.
    """

    bundle: Path
    submodules: tuple[Submodule, ...] = ()
    lfs: tuple[LfsFile, ...] = ()


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job. `id` is that of the attempt; `epoch` grows with each claim of it.

    `image` carries the runner layer (with `ca_bundle`: and the user's certificates). `nonce` marks the
    entrypoint's own lines in the output; the code under test does not get to know it. `runtime` is the engine's name
    of another one than its default; `labels` say whose the job is.
    """

    id: str
    repo: str
    sha: str
    image: str
    steps: tuple[Step, ...]
    caches: tuple[CacheMount, ...] = ()
    limits: Limits = field(default_factory=Limits)
    network: Network = "fenced"
    runtime: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    proxies: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 0
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was started: its id and epoch, what the backend calls it, and the nonce of its markers.

    Of one that was adopted, `age_seconds` is how long ago it started, and `adopted_at` the backend's clock at the
    adoption, in nanoseconds since the epoch; both are 0 for one that was started just now.
    """

    id: str
    handle: str
    epoch: int
    nonce: str
    is_fenced: bool = False
    age_seconds: float = field(default=0.0, compare=False)
    adopted_at: int = field(default=0, compare=False)


class JobStatus(StrEnum):
    """Where a job stands."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    GONE = "gone"


class Stream(StrEnum):
    """Which of the two outputs a frame came from."""

    OUT = "stdout"
    ERR = "stderr"


@dataclass(frozen=True, slots=True)
class LogFrame:
    """Output of a job. `at` is nanoseconds since the epoch by the backend's clock; frames may share it."""

    at: int
    stream: Stream
    content: bytes


@dataclass(frozen=True, slots=True)
class ReportedStep:
    """What the result file says of a step."""

    id: str
    exit_code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """The result file, checked. `phase` is the last one that began."""

    phase: str
    exit_code: int
    steps: tuple[ReportedStep, ...]


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended, by the backend; `report` is None where there is no valid result file.

    `fault` says why the backend could not run it, and is empty otherwise. `summary` is the Markdown that the job wrote
    for people, empty where it wrote none.
    """

    exit_code: int
    out_of_memory: bool
    report: Report | None
    fault: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files of a job are asked for. `choose` gets paths below the workspace and returns those it wants, in order.

    A file of more than `file_bytes`, and what is beyond `total_bytes` or `most` files, comes without its content.
    """

    choose: Callable[[Iterable[str]], list[str]]
    file_bytes: int = 20 * 2**20
    total_bytes: int = 50 * 2**20
    most: int = 100


class Runner(Protocol):
    """A backend. The module's text has the flow and the guarantees."""

    async def start(self, spec: JobSpec, source: Source) -> Job:
        """Return the started job."""
        ...

    async def adopt(self, job_id: str) -> Job | None:
        """Return the job of that id that the backend has, whoever started it, else None."""
        ...

    async def status(self, job: Job) -> JobStatus:
        """Return where the job stands."""
        ...

    def logs(self, job: Job) -> AsyncGenerator[Sequence[LogFrame], None]:
        """Yield the output from its beginning, in batches, until the job ended."""
        ...

    async def cancel(self, job: Job, grace_seconds: int = 10) -> None:
        """Stop the job: SIGTERM, then SIGKILL after `grace_seconds`. Returns when it has ended."""
        ...

    async def leave(self, job: Job, seconds: float, *, untaken_seconds: float | None = None) -> None:
        """Leave a running job to whoever adopts it: it goes on, and is stopped by itself after `seconds`.

        It is stopped after `untaken_seconds` already where nobody has taken it up until then.
        """
        ...

    async def take_up(self, job: Job) -> None:
        """Have a job that was left, and adopted, go on for as long as any other."""
        ...

    async def result(self, job: Job) -> JobResult:
        """Return how the job ended; waits for its end."""
        ...

    async def fault(self, job: Job) -> str:
        """Return why the job cannot go on, once that is so; a backend that sees no such thing waits for ever."""
        ...

    async def usage(self, job: Job) -> int:
        """Return the bytes that the job has written into its own layer; 0 where it is gone."""
        ...

    def files(self, job: Job, wanted: Wanted) -> AsyncGenerator[Artifact, None]:
        """Yield the files that a job which has ended left and that are wanted."""
        ...

    async def remove(self, job: Job) -> None:
        """Remove the job, running or not."""
        ...
