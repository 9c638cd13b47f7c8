"""What is to be executed, and what with: the values that the pipeline is given."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from draftsman.domain.outcome import ImageUsed
from draftsman.domain.plan import CHECKED_TIERS, Plan, ProfileOverrides, Tier
from draftsman.domain.run import Naming
from orchestrator.cache_views import CacheViews
from orchestrator.disk_watch import DiskWatch
from orchestrator.engine import Engine
from orchestrator.fence.gate import FenceGate, Policy
from orchestrator.helper import Helper
from orchestrator.images.build import BuildSettings
from orchestrator.images.builder import Output
from orchestrator.images.ensure import Shop
from orchestrator.images.records import BuildRecords, NoRecords
from orchestrator.images.registry import Registry
from orchestrator.planner import Planner
from orchestrator.runners.interface import Limits, Runner
from orchestrator.source import Mirrors, Remote


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier claim of the attempt kept: its plan, and its job's image. `epoch` is that of the job."""

    plan: Plan
    image: ImageUsed
    epoch: int


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """The plan of an earlier attempt of the run, and that attempt's number."""

    plan: Plan
    number: int


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be executed: one commit of one repository.

    `identity` is what the mirror is kept under, `cache_owner` whose dependency caches the job sees; `tiers` limits
    which checks run (`draftsman run --tier`). A commit that is not `trusted` has no say in how it is checked: the
    `.draftsman.toml` of the commit `base_sha` counts, none where that is not known. For one that is, `base_sha` is what
    its change is seen against. `merge_into` is the commit of `base_branch` that it is merged into for the test.
    `on_base` says that the commit is the default branch's own: what is not trusted runs in its image. `rebuild` builds
    the image anew. `private` says that strangers may not read the repository. `earlier` is what an earlier claim of the
    attempt had come to, `kept` the plan that is taken instead of a new one. Path filters count where it is `filtered`,
    for the refs `namings`; with one of the `skip_markers` in the commit's message nothing is run. `base_tiers` are
    those that the branch checks which the change is to be merged into: one for which the commit has nothing fails.
    """

    id: str
    repo: str
    sha: str
    identity: str
    cache_owner: str
    remote: Callable[[], Awaitable[Remote]]
    overrides: ProfileOverrides = field(default_factory=ProfileOverrides)
    tiers: frozenset[Tier] = frozenset(CHECKED_TIERS)
    epoch: int = 0
    trusted: bool = True
    base_sha: str | None = None
    base_branch: str | None = None
    merge_into: str | None = None
    on_base: bool = False
    rebuild: bool = False
    private: bool = False
    earlier: Earlier | None = None
    kept: KeptPlan | None = None
    filtered: bool = False
    namings: tuple[Naming, ...] = ()
    default_branch: str = ""
    skip_markers: tuple[str, ...] = ()
    base_tiers: frozenset[Tier] = frozenset()


@dataclass(frozen=True, slots=True)
class Tools:
    """What every attempt of this worker is executed with.

    `instance` is whose containers and volumes they are; `most` bounds what a profile may raise limits to. A job whose
    worker stopped goes on for `leave_seconds` unless one takes it up; None is for as long as it may run.
    """

    mirrors: Mirrors
    engine: Engine
    runner: Runner
    templates: Mapping[str, str]
    planner: Planner
    build: BuildSettings
    build_lock: Callable[[str, str], AbstractAsyncContextManager[None]]
    limits: Limits
    most: Limits
    network: Policy
    gate: FenceGate
    helper: Helper
    caches: CacheViews
    instance: str
    scratch: Path
    fence_required: bool = False
    runtime: str = ""
    disk: DiskWatch | None = None
    image_prefix: str = ""
    cache_scope: Literal["owner", "instance"] = "owner"
    build_records: BuildRecords = field(default_factory=NoRecords)
    registry: Registry | None = None
    leave_seconds: float | None = None

    def shop(self, entered_building: Callable[[], Awaitable[None]], output: Output) -> Shop:
        """Return what images are made with; it tells these of it."""
        return Shop(
            self.engine,
            self.build,
            self.build_lock,
            entered_building,
            output,
            self.build_records,
            registry=self.registry,
        )


class Timings:
    """Seconds by phase, in the order in which they happened."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        """Count the time inside towards `phase`, also when it fails."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] = round(time.monotonic() - begin, 3)
