"""One attempt, top to bottom: fetch the source, make the plan, get the image, run the sandbox, keep the result.

It knows nothing of GitHub or of the store: progress goes to a sink, and what it needs is passed in. So the same
lines run an attempt of a pull request and `draftsman run` in a folder.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from draftsman.domain.errors import AuthorError, DiskFullError, DraftsmanError, LeaseLostError
from draftsman.domain.finding import Finding
from draftsman.domain.outcome import ImageUsed, Outcome
from draftsman.domain.plan import Evidence, Plan, Tier, Tree
from draftsman.domain.progress import Entered, ImageReady, Output, Planned, Sink
from draftsman.domain.run import Conclusion, RunState
from orchestrator.artifacts import choose_files, is_report
from orchestrator.caches import cache_mounts, cache_scope
from orchestrator.cancellation import Cancellation
from orchestrator.fence.gate import UNFENCED, choose_network
from orchestrator.findings import ChangedLines, ReportFile, find
from orchestrator.gathered import Gathered
from orchestrator.git import GitError
from orchestrator.head_lines import on_head
from orchestrator.images.ensure import Ready, ensure_image
from orchestrator.images.ensure import Wanted as WantedImage
from orchestrator.images.image_user import image_uid
from orchestrator.limits import limits_of
from orchestrator.order import KeptPlan, Order, Timings, Tools
from orchestrator.outages import disk_cause, outage_in
from orchestrator.removal import judged, removed_tiers
from orchestrator.runners.container import LABEL_INSTANCE
from orchestrator.runners.interface import JobSpec, JobStatus, Wanted
from orchestrator.sandbox import JobEnd, Watching, follow_job, run_job, secrets_of
from orchestrator.source import Mirror
from orchestrator.source_extras import whole_source
from orchestrator.tested import Tested, fetch_tested, lines_changed, of_merge, skipped_by_filters, skipped_by_marker
from orchestrator.tree_objects import Commit
from orchestrator.verdict import SETUP_FAILED

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class _StoppedError(Exception):
    """The attempt was cancelled while it was still being prepared."""


async def execute(order: Order, tools: Tools, sink: Sink, cancel: Cancellation) -> Outcome:
    """Return how the attempt ended. Faults of author and host are outcomes; only a lost lease is raised.

    What it used stays until `release`, so that nothing is lost where this worker dies before the outcome is kept.
    """
    timings = Timings()
    try:
        with timings.of("total"):
            outcome = await _resume(order, tools, sink, cancel, timings)
            if outcome is None:
                outcome = await _execute(order, tools, sink, cancel, timings)
    except LeaseLostError:
        raise
    except _StoppedError:
        outcome = Outcome(Conclusion.CANCELLED, f"{cancel.title} before the job started")
    except DraftsmanError as error:
        outcome = _outcome_of(error)
    except Exception as error:
        log.exception("attempt %s", order.id)
        outcome = _outcome_of_ours(error, tools.scratch.parent)
    return replace(judged(outcome, order.tiers), timings=timings.seconds)


async def release(order_id: str, identity: str, tools: Tools, *, epoch: int = 0) -> None:
    """Remove what an attempt used: its job, fence and scratch volumes, and its refs in the mirror.

    Where a later claim than `epoch` has a job of it by now, all of it is that one's.
    """
    job = await tools.runner.adopt(order_id)
    if job is not None and job.epoch > epoch:
        return
    if job is not None:
        await tools.runner.remove(job)
    await tools.caches.close(order_id)
    await tools.mirrors.of(identity).release(order_id)


async def leave(order_id: str, tools: Tools, *, epoch: int, seconds: float) -> bool:
    """Leave the job of this claim to the next worker, for so long at most. Returns whether there is one that began."""
    job = await tools.runner.adopt(order_id)
    if job is None or job.epoch != epoch:
        return False
    status = await tools.runner.status(job)
    if status is JobStatus.RUNNING:
        await tools.runner.leave(job, seconds, untaken_seconds=tools.leave_seconds)
    return status in (JobStatus.RUNNING, JobStatus.EXITED)


async def _resume(order: Order, tools: Tools, sink: Sink, cancel: Cancellation, timings: Timings) -> Outcome | None:
    """Go on with the job that an earlier claim started, and return how it ended; None where there is none.

    A job that was killed with its engine or its machine tells nothing about the code: it starts again.
    """
    job = None if order.earlier is None else await tools.runner.adopt(order.id)
    if job is None or order.earlier is None or job.epoch != order.earlier.epoch:
        return None
    if await tools.runner.status(job) is JobStatus.CREATED:
        return None
    plan, image = order.earlier.plan, order.earlier.image
    log.info("attempt %s: its job is there already and goes on", order.id)
    await tools.runner.take_up(job)
    await sink(Entered(RunState.RUNNING))
    gathered = Gathered(sink)
    spec = _spec(order, tools, plan, image)
    with timings.of("job"):
        spec = replace(spec, nonce=job.nonce)
        end = await follow_job(tools.runner, job, spec, gathered, _watching(tools, plan, cancel), is_adopted=True)
    if end.was_killed:
        await tools.runner.remove(job)
        return None
    mirror = tools.mirrors.of(order.identity)
    try:
        tested = order.sha if order.merge_into is None else await mirror.held(order.id)
        paths = (await mirror.tree(tested, lambda _: [])).paths
    except (GitError, OSError) as error:
        log.warning("attempt %s: no findings, since its tree is gone: %s", order.id, error)
        tested, paths = order.sha, frozenset()
    changed = await lines_changed(order, mirror, tested)
    outcome = await _judged(plan, image, end, gathered, paths, changed)
    return await _shown(order, mirror, tested, outcome)


async def _execute(order: Order, tools: Tools, sink: Sink, cancel: Cancellation, timings: Timings) -> Outcome:
    await sink(Entered(RunState.PREPARING))
    mirror = tools.mirrors.of(order.identity)
    if tools.network != "none":
        tools.gate.begin()  # it takes as long as a plan does
    with timings.of("source"):
        tested = await _unless(cancel, fetch_tested(order, mirror))
        why = await skipped_by_marker(order, mirror)
    if why is not None:
        return Outcome(Conclusion.SKIPPED, why)
    with timings.of("plan"):
        plan = of_merge(order, tested.sha, await _unless(cancel, _plan(order, tools, tested.tree)))
        why = await _unless(cancel, skipped_by_filters(order, mirror, plan))
    plan = replace(plan, removed=() if why else removed_tiers(plan, order.base_tiers, order.overrides))
    await sink(Planned(plan))
    if why is not None:
        return Outcome(Conclusion.SKIPPED, why, plan=plan)
    limited = plan.limited_to(order.tiers).profile
    if not limited.fast and not limited.full:
        return _nothing_to_run(plan)
    async with _beside(lines_changed(order, mirror, tested.sha)) as changing:
        outcome = await _checked(order, tools, mirror, tested, plan, sink, cancel, timings, changing)
    return await _shown(order, mirror, tested.sha, outcome)


async def _checked(
    order: Order,
    tools: Tools,
    mirror: Mirror,
    tested: Tested,
    plan: Plan,
    sink: Sink,
    cancel: Cancellation,
    timings: Timings,
    changing: asyncio.Task[ChangedLines | None],
) -> Outcome:
    """Get the image, run the job and return how it ended; findings are at their lines of what was tested."""
    with timings.of("image"):
        ready = await _unless(cancel, _image(order, tools, Commit(mirror.folder, tested.sha), plan, sink))
    image = ready.image
    if ready.plan != plan:
        plan = ready.plan
        await sink(Planned(plan))
    await sink(ImageReady(image))
    fault = "" if tools.network == "none" else (await _unless(cancel, tools.gate.proof())).fault
    await sink(Entered(RunState.RUNNING))
    gathered = Gathered(sink)
    with timings.of("job"):
        end, plan = await _run(order, tools, mirror, tested.sha, plan, image, fault, gathered, cancel)
    return await _judged(plan, image, end, gathered, tested.tree.paths, await changing)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, _T]) -> AsyncIterator[asyncio.Task[_T]]:
    """Have the work done beside what is inside; it ends with that."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _shown(order: Order, mirror: Mirror, tested: str, outcome: Outcome) -> Outcome:
    """Return the outcome with its findings at their lines of the commit that GitHub shows, where a merge was tested."""
    if tested == order.sha or not outcome.findings:
        return outcome
    try:
        return replace(outcome, findings=await on_head(outcome.findings, mirror, merge=tested, head=order.sha))
    except (DraftsmanError, OSError) as error:
        log.warning("attempt %s: no findings, since they are not found in its head: %s", order.id, error)
        return replace(outcome, findings=())


async def _judged(
    plan: Plan,
    image: ImageUsed,
    end: JobEnd,
    gathered: Gathered,
    paths: frozenset[str],
    changed: ChangedLines | None,
) -> Outcome:
    """Return the outcome, with what output and reports say of lines. A report is taken to be of the last tier."""
    tier = Tier.FULL if any(step.tier is Tier.FULL for step in end.steps) else Tier.FAST
    reports = [ReportFile(tier, file.path, file.content) for file in end.files if file.content and is_report(file.path)]
    findings = await asyncio.to_thread(
        partial(find, gathered.outputs(), paths, reports=reports, changed=changed or ChangedLines())
    )
    return _outcome(plan, image, _blameless(end, gathered), findings)


def _blameless(end: JobEnd, gathered: Gathered) -> JobEnd:
    """Return the end as our error where a registry or the network failed the setup. Checks are never looked at."""
    failed = next((step for step in end.steps if step.is_red), None)
    if end.conclusion is not Conclusion.FAILURE or end.exit_code != SETUP_FAILED or failed is None:
        return end
    outage = outage_in(gathered.tail(failed.id)) if failed.tier is Tier.SETUP else None
    if outage is None:
        return end
    title = f"{outage.cause.phrase}: {end.title}"
    return replace(end, conclusion=Conclusion.ERROR, title=title, detail=outage.evidence, cause=outage.cause)


async def _plan(order: Order, tools: Tools, tree: Tree) -> Plan:
    """Return the whole plan, of all tiers: the one that was kept, else a new one."""
    if order.kept is not None and not order.rebuild:
        return _taken(order.kept)
    return await tools.planner.plan(
        tree,
        repo=order.repo,
        overrides=order.overrides,
        templates=tools.templates,
        image_prefix=tools.image_prefix,
        ca_bundle=tools.build.ca_bundle is not None,
    )


def _taken(kept: KeptPlan) -> Plan:
    """Return the plan of an earlier attempt, saying whose it is; what was warned of that attempt's network is gone."""
    plan = kept.plan
    evidence = plan.evidence
    if not any(one.decides == "plan" for one in evidence):
        rule = "a re-run takes the plan that was kept; a rebuild makes it anew"
        evidence = (Evidence("plan", None, None, f"as attempt {kept.number} planned it", rule), *evidence)
    warnings = tuple(sentence for sentence in plan.warnings if not sentence.startswith(UNFENCED))
    return replace(plan, evidence=evidence, warnings=warnings)


async def _unless(cancel: Cancellation, work: Coroutine[Any, Any, _T]) -> _T:
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


async def _image(order: Order, tools: Tools, commit: Commit, plan: Plan, sink: Sink) -> Ready:
    async def building() -> None:
        await sink(Entered(RunState.BUILDING))

    async def output(content: bytes) -> None:
        await sink(Output("image", content))

    return await ensure_image(
        tools.shop(building, output),
        WantedImage(order.repo, plan, commit, order.trusted, on_base=order.on_base, rebuild=order.rebuild),
    )


async def _run(
    order: Order,
    tools: Tools,
    mirror: Mirror,
    sha: str,
    plan: Plan,
    image: ImageUsed,
    fault: str,
    sink: Sink,
    cancel: Cancellation,
) -> tuple[JobEnd, Plan]:
    """Run the job. Returns how it ended, and the plan with what is to be said of its network."""
    network, warning = choose_network(tools.network, trusted=order.trusted, fault=fault, required=tools.fence_required)
    if warning:
        plan = replace(plan, warnings=(*plan.warnings, warning))
        await sink(Planned(plan))
    uid = await image_uid(tools.engine, image.tag)
    scope = cache_scope(order.cache_owner if tools.cache_scope == "owner" else None, private=order.private)
    caches = cache_mounts(plan.caches, scope, uid=uid)
    mounts = await _unless(cancel, tools.caches.open(caches, uid=uid, job=order.id, trusted=order.trusted))
    tools.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools.scratch) as folder:
        remote = await order.remote() if plan.profile.submodules or plan.profile.lfs else None
        fetching = whole_source(tools.mirrors, mirror, remote, sha, order.id, plan.profile, Path(folder))
        source = await _unless(cancel, fetching)
        spec = replace(_spec(order, tools, plan, image), sha=sha, caches=mounts, network=network)
        return await run_job(tools.runner, spec, source, sink, _watching(tools, plan, cancel)), plan


def _spec(order: Order, tools: Tools, plan: Plan, image: ImageUsed) -> JobSpec:
    return JobSpec(
        id=order.id,
        repo=order.repo,
        sha=order.sha,
        image=image.tag,
        steps=plan.limited_to(order.tiers).steps,
        limits=limits_of(plan.profile.limits, tools.limits, tools.most),
        runtime=tools.runtime,
        labels={LABEL_INSTANCE: tools.instance},
        proxies=tools.build.proxies,
        ca_bundle=tools.build.ca_bundle is not None,
        epoch=order.epoch,
    )


def _watching(tools: Tools, plan: Plan, cancel: Cancellation) -> Watching:
    def choose(paths: Iterable[str]) -> list[str]:
        return choose_files(paths, plan.profile.artifacts)

    return Watching(cancel, secrets_of(tools.build.proxies.values()), tools.disk, Wanted(choose))


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
        summary=end.summary,
        artifacts=end.files,
        cause=end.cause,
    )


def _nothing_to_run(plan: Plan) -> Outcome:
    return Outcome(Conclusion.NEUTRAL, "nothing to run: no checks were found", plan=plan)


def _outcome_of_ours(error: Exception, folder: Path) -> Outcome:
    """Return the outcome of an error that nobody foresaw, but for a disk that is full: that of our own `folder`."""
    if isinstance(error, OSError) and disk_cause(str(error)) is not None:
        return _outcome_of(DiskFullError(folder))
    sentence = f"Draftsman met an error of its own: {type(error).__name__}: {error}"
    return Outcome(Conclusion.ERROR, sentence[:500], "The log of the worker has the details.")


def _outcome_of(error: DraftsmanError) -> Outcome:
    conclusion = Conclusion.FAILURE if isinstance(error, AuthorError) else Conclusion.ERROR
    cause = None if conclusion is Conclusion.FAILURE else error.cause
    return Outcome(conclusion, str(error), error.detail, cause=cause)
