"""One attempt, top to bottom: fetch the source, make the plan, get the image, run the sandbox, keep the result.

It knows nothing of GitHub or of the store: progress goes to a sink, and what it needs is passed in. So the same
lines run an attempt of a pull request and `draftsman run` in a folder.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from draftsman.domain.errors import AuthorError, DraftsmanError, LeaseLostError
from draftsman.domain.finding import Finding
from draftsman.domain.outcome import ImageUsed, Outcome
from draftsman.domain.plan import Plan, ProfileOverrides, Tier, Tree
from draftsman.domain.progress import Entered, ImageReady, Output, Planned, Progress, Sink
from draftsman.domain.run import Conclusion, RunState
from orchestrator.caches import cache_mounts, ensure_volumes
from orchestrator.engine import Engine
from orchestrator.findings import find
from orchestrator.git import GitError
from orchestrator.hinted_tree import read_tree
from orchestrator.images.build import BuildSettings
from orchestrator.images.ensure import Ready, Shop, Wanted, ensure_image
from orchestrator.images.records import BuildRecords, NoRecords
from orchestrator.planner import Planner
from orchestrator.runners.interface import JobSpec, Limits, Network, Runner
from orchestrator.sandbox import JobEnd, run_job
from orchestrator.source import Mirror, Mirrors, Remote
from orchestrator.tree_objects import Commit

log = logging.getLogger(__name__)

_FINDINGS_BYTES = 8 * 2**20
_T = TypeVar("_T")


class _StoppedError(Exception):
    """The attempt was cancelled while it was still being prepared."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be executed: one commit of one repository.

    `identity` is what the mirror is kept under, `cache_owner` whose dependency caches the job sees; `tiers` limits
    which checks run (`draftsman run --tier`). A commit that is not `trusted` has no say in how it is checked: the
    `.draftsman.toml` of the commit `base_sha` counts, none where that is not known. `on_base` says that the commit is
    the default branch's own: what is not trusted runs in its image. `rebuild` builds the image anew.
    """

    id: str
    repo: str
    sha: str
    identity: str
    cache_owner: str
    remote: Callable[[], Awaitable[Remote]]
    overrides: ProfileOverrides = field(default_factory=ProfileOverrides)
    tiers: frozenset[Tier] = frozenset((Tier.FAST, Tier.FULL))
    epoch: int = 0
    trusted: bool = True
    base_sha: str | None = None
    on_base: bool = False
    rebuild: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """What every attempt of this worker is executed with."""

    mirrors: Mirrors
    engine: Engine
    runner: Runner
    templates: Mapping[str, str]
    planner: Planner
    build: BuildSettings
    build_lock: Callable[[str], AbstractAsyncContextManager[None]]
    limits: Limits
    network: Network
    image_prefix: str = ""
    cache_scope: Literal["owner", "instance"] = "owner"
    build_records: BuildRecords = field(default_factory=NoRecords)


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


async def execute(order: Order, tools: Tools, sink: Sink, cancel: asyncio.Event) -> Outcome:
    """Return how the attempt ended. Faults of author and host are outcomes; only a lost lease is raised."""
    timings = Timings()
    try:
        with timings.of("total"):
            outcome = await _execute(order, tools, sink, cancel, timings)
    except LeaseLostError:
        raise
    except _StoppedError:
        outcome = Outcome(Conclusion.CANCELLED, "cancelled before the job started")
    except DraftsmanError as error:
        outcome = _outcome_of(error)
    except Exception as error:
        log.exception("attempt %s", order.id)
        sentence = f"Draftsman met an error of its own: {type(error).__name__}: {error}"
        outcome = Outcome(Conclusion.ERROR, sentence[:500], "The log of the worker has the details.")
    return replace(outcome, timings=timings.seconds)


async def _execute(order: Order, tools: Tools, sink: Sink, cancel: asyncio.Event, timings: Timings) -> Outcome:
    await sink(Entered(RunState.PREPARING))
    mirror = tools.mirrors.of(order.identity)
    try:
        with timings.of("source"):
            tree = await _unless(cancel, _source(order, mirror))
        with timings.of("plan"):
            plan = await _unless(cancel, _plan(order, tools, tree))
        await sink(Planned(plan))
        if not plan.profile.fast and not plan.profile.full:
            return _nothing_to_run(plan)
        with timings.of("image"):
            ready = await _unless(cancel, _image(order, tools, mirror, plan, sink))
        image = ready.image
        if ready.plan != plan:
            plan = ready.plan
            await sink(Planned(plan))
        await sink(ImageReady(image))
        await sink(Entered(RunState.RUNNING))
        gathered = _Gathered(sink)
        with timings.of("job"):
            end = await _run(order, tools, mirror, plan, image, gathered, cancel)
        findings = await asyncio.to_thread(find, gathered.outputs(), tree.paths)
        return _outcome(plan, image, end, findings)
    finally:
        await mirror.release(order.id)
        if not order.trusted:
            await mirror.release(_base_of(order))


async def _source(order: Order, mirror: Mirror) -> Tree:
    """Fetch the commit and return its tree. A damaged mirror is made anew, once."""
    try:
        return await _fetch(order, mirror)
    except GitError as error:
        log.warning("the mirror of %s is damaged and made anew: %s %s", order.repo, error, error.detail)
    await mirror.set_aside()
    return await _fetch(order, mirror)


async def _fetch(order: Order, mirror: Mirror) -> Tree:
    remote = await order.remote()
    await mirror.fetch(remote, order.sha, order.id)
    decides = order.sha if order.trusted else order.base_sha
    if decides not in (None, order.sha):
        await mirror.fetch(remote, decides, _base_of(order))
    return await read_tree(mirror, order.sha, repo_file_from=decides, dockerfile=order.overrides.dockerfile)


def _base_of(order: Order) -> str:
    """Return the name under which the mirror keeps the base's commit for this run."""
    return f"{order.id}-base"


async def _plan(order: Order, tools: Tools, tree: Tree) -> Plan:
    plan = await tools.planner.plan(
        tree,
        repo=order.repo,
        overrides=order.overrides,
        templates=tools.templates,
        image_prefix=tools.image_prefix,
        ca_bundle=tools.build.ca_bundle is not None,
    )
    fast = plan.profile.fast if Tier.FAST in order.tiers else ()
    full = plan.profile.full if Tier.FULL in order.tiers else ()
    return replace(plan, profile=replace(plan.profile, fast=fast, full=full))


async def _unless(cancel: asyncio.Event, work: Coroutine[Any, Any, _T]) -> _T:
    """Return what the work returns. Where `cancel` is set first, the work is cancelled and _StoppedError raised."""
    task = asyncio.create_task(work)
    told = asyncio.create_task(cancel.wait())
    try:
        await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise _StoppedError
        return task.result()
    finally:
        task.cancel()
        told.cancel()
        await asyncio.gather(task, told, return_exceptions=True)


async def _image(order: Order, tools: Tools, mirror: Mirror, plan: Plan, sink: Sink) -> Ready:
    async def building() -> None:
        await sink(Entered(RunState.BUILDING))

    async def output(content: bytes) -> None:
        await sink(Output("image", content))

    shop = Shop(tools.engine, tools.build, tools.build_lock, building, output, tools.build_records)
    commit = Commit(mirror.folder, order.sha)
    return await ensure_image(
        shop, Wanted(order.repo, plan, commit, order.trusted, on_base=order.on_base, rebuild=order.rebuild)
    )


async def _run(
    order: Order, tools: Tools, mirror: Mirror, plan: Plan, image: ImageUsed, sink: Sink, cancel: asyncio.Event
) -> JobEnd:
    mounts = cache_mounts(plan.caches, order.cache_owner if tools.cache_scope == "owner" else None)
    await ensure_volumes(tools.engine, mounts)
    with tempfile.TemporaryDirectory(prefix="draftsman-") as folder:
        bundle = Path(folder) / "source.bundle"
        await mirror.bundle(order.id, bundle)
        spec = JobSpec(
            id=order.id,
            repo=order.repo,
            sha=order.sha,
            image=image.tag,
            steps=plan.steps,
            caches=mounts,
            limits=tools.limits,
            network=tools.network,
            proxies=tools.build.proxies,
            ca_bundle=tools.build.ca_bundle is not None,
            epoch=order.epoch,
        )
        try:
            return await run_job(tools.runner, spec, bundle, sink, cancel=cancel)
        except asyncio.CancelledError:
            # The worker stops and gives the attempt back: whoever takes it starts a job of its own.
            if (job := await tools.runner.adopt(order.id)) is not None:
                await tools.runner.remove(job)
            raise


class _Gathered:
    """Passes progress on, and keeps the end of each step's output for the search for findings."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._tails: dict[str, bytearray] = {}

    async def __call__(self, progress: Progress) -> None:
        if isinstance(progress, Output):
            tail = self._tails.setdefault(progress.section, bytearray())
            tail += progress.content
            del tail[:-_FINDINGS_BYTES]
        await self._sink(progress)

    def outputs(self) -> list[tuple[Tier, bytes]]:
        """Return the output of the fast and full steps, in order."""
        return [
            (tier, bytes(tail))
            for section, tail in self._tails.items()
            for tier in (Tier.FAST, Tier.FULL)
            if section.startswith(f"{tier}-")
        ]


def _outcome(plan: Plan, image: ImageUsed, end: JobEnd, findings: tuple[Finding, ...]) -> Outcome:
    return Outcome(
        conclusion=end.conclusion,
        title=end.title,
        detail=end.detail,
        plan=plan,
        image=image,
        steps=end.steps,
        findings=findings,
        exit_code=end.exit_code,
    )


def _nothing_to_run(plan: Plan) -> Outcome:
    return Outcome(Conclusion.NEUTRAL, "nothing to run: no checks were found", plan=plan)


def _outcome_of(error: DraftsmanError) -> Outcome:
    conclusion = Conclusion.FAILURE if isinstance(error, AuthorError) else Conclusion.ERROR
    return Outcome(conclusion, str(error), error.detail)
