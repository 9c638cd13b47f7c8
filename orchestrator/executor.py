"""Makes an order out of a claimed attempt: where its source is, what its profile says, what is kept afterwards."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from draftsman.domain.errors import DraftsmanError, EngineError
from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import Tier
from draftsman.domain.progress import Sink
from draftsman.domain.renewal import counting
from draftsman.domain.run import Attempt, Conclusion, Naming, Ref, RefKind, Repository, Trust
from draftsman.store import attempts, profiles, refs, repositories, runs, steps
from draftsman.store.database import DATABASE_AWAY, Pool
from orchestrator.cancellation import Cancellation
from orchestrator.claims import Execute, Leave, Release
from orchestrator.limits import limits_of
from orchestrator.order import Earlier, KeptPlan, Order, Tools
from orchestrator.pipeline import execute, leave, release
from orchestrator.source import Remote

log = logging.getLogger(__name__)

ContentsToken = Callable[[Repository], Awaitable[str | None]]
"""Returns a token that may read this one repository and nothing else, or None where none is needed."""


ReadyTools = Callable[[], Awaitable[Tools]]
"""Returns the tools; raises EngineError while the engine is away."""


def executor(
    pool: Pool[Any], ready_tools: ReadyTools, contents_token: ContentsToken, *, skip_markers: tuple[str, ...] = ()
) -> Execute:
    """Return the function that executes a claimed attempt. While the engine is away, attempts end as `error`.

    An event's attempt runs nothing where the commit's message has one of the `skip_markers`.
    """

    async def execute_attempt(attempt: Attempt, sink: Sink, cancel: Cancellation) -> Outcome:
        repository = attempt.run.repository

        async def remote() -> Remote:
            # It may have got another name since the attempt was taken.
            now = await repositories.get(pool, repository.id) or repository
            return Remote(now.full_name, now.clone_url, await contents_token(now))

        order = Order(
            id=str(attempt.id),
            repo=repository.full_name,
            sha=attempt.run.head_sha,
            identity=_identity(repository),
            cache_owner=repository.full_name.partition("/")[0],
            remote=remote,
            epoch=attempt.epoch,
            tiers=attempt.tiers,
            rebuild=attempt.rebuild,
            overrides=await profiles.overrides_for(pool, repository.full_name),
            trusted=attempt.trust is Trust.TRUSTED,
            on_base=await _is_on_default_branch(pool, attempt),
            private=repository.private,
            earlier=await _earlier(pool, attempt),
            kept=await _kept(pool, attempt),
            default_branch=repository.default_branch,
        )
        order = seen_from(order, attempt, await runs.namings_of(pool, attempt.run.id), skip_markers)
        await attempts.keep_base(pool, attempt, _pull_base(order))
        order = replace(order, base_tiers=await _base_tiers(pool, attempt, order))
        try:
            tools = await ready_tools()
        except EngineError as error:
            return Outcome(Conclusion.ERROR, str(error), error.detail, cause=error.cause)
        outcome = await execute(order, tools, sink, cancel)
        try:
            await _keep_inferred(pool, attempt, order, outcome)
        except Exception:
            # The outcome is what counts; the next run of the default branch writes the profile.
            log.exception("attempt %s: the inferred profile was not kept", attempt.id)
        return outcome

    return execute_attempt


def releaser(ready_tools: ReadyTools) -> Release:
    """Return the function that removes what the execution of an attempt used."""

    async def release_attempt(attempt: Attempt) -> None:
        try:
            await release(str(attempt.id), _identity(attempt.run.repository), await ready_tools(), epoch=attempt.epoch)
        except DraftsmanError as error:
            log.warning("attempt %s: what it left is for upkeep: %s", attempt.id, error)

    return release_attempt


def successor(pool: Pool[Any], ready_tools: ReadyTools) -> Leave:
    """Return the function that leaves an attempt's job to the next worker of this engine, where this one stops.

    A stranger's is removed: nobody would see to what it writes and sends meanwhile.
    """
    release_attempt = releaser(ready_tools)

    async def leave_attempt(attempt: Attempt) -> bool:
        try:
            if attempt.trust is Trust.TRUSTED:
                tools, plan = await ready_tools(), await attempts.plan_of(pool, attempt.id)
                limits = limits_of(() if plan is None else plan.profile.limits, tools.limits, tools.most)
                # An adopted job has the epoch of the claim that started it.
                epoch = await attempts.job_epoch_of(pool, attempt.id)
                if await leave(str(attempt.id), tools, epoch=epoch or attempt.epoch, seconds=limits.total_seconds):
                    log.info("attempt %s: its job goes on, for the next worker", attempt.id)
                    return True
        except (DraftsmanError, *DATABASE_AWAY) as error:
            log.warning("attempt %s: its job is not handed over: %s", attempt.id, error)
        await release_attempt(attempt)
        return False

    return leave_attempt


def _identity(repository: Repository) -> str:
    return f"github:{repository.id}"


async def _earlier(pool: Pool[Any], attempt: Attempt) -> Earlier | None:
    """Return what an earlier claim came to, where it came as far as an image."""
    if attempt.epoch < 2:
        return None
    plan, image = await attempts.plan_of(pool, attempt.id), await attempts.image_of(pool, attempt.id)
    epoch = await attempts.job_epoch_of(pool, attempt.id)
    if plan is None or image is None or epoch is None or (attempt.rebuild and image.cached):
        return None
    # More may be asked of the attempt by now than its job was given.
    given = [step.id for step in await steps.of_attempt(pool, attempt.id)]
    wanted = [step.id for step in plan.limited_to(attempt.tiers).steps]
    return Earlier(plan, image, epoch) if given == wanted else None


async def _kept(pool: Pool[Any], attempt: Attempt) -> KeptPlan | None:
    found = await attempts.kept_plan_of(pool, attempt)
    return None if found is None else KeptPlan(*found)


def seen_from(order: Order, attempt: Attempt, namings: Sequence[Naming], skip_markers: tuple[str, ...]) -> Order:
    """Return the order with what the commit is seen against and what may leave it out, from the refs that name it.

    Only an event's attempt is left out, and no entry of a merge queue. A stranger's message turns no check off, and
    what their change is seen against is a commit of the base's.
    """
    current = [naming for naming in namings if naming.is_current] or list(namings)
    kinds = {naming.ref.kind for naming in current}
    is_event = attempt.asked_by is None and RefKind.MERGE_GROUP not in kinds
    trusted = attempt.trust is Trust.TRUSTED
    # A push says nothing of trust.
    kinds_of_base = (RefKind.PULL_REQUEST, RefKind.MERGE_GROUP, RefKind.BRANCH) if trusted else (RefKind.PULL_REQUEST,)
    base = counting(current, kinds_of_base, order.default_branch)
    merge_into = attempt.run.merge_base_sha
    return replace(
        order,
        base_sha=merge_into or (None if base is None else base.base_sha),
        base_branch=None if base is None else base.base_branch,
        merge_into=merge_into,
        filtered=is_event and RefKind.TAG not in kinds,
        namings=tuple(current),
        skip_markers=skip_markers if is_event and trusted else (),
    )


def _pull_base(order: Order) -> str | None:
    pull = counting(order.namings, (RefKind.PULL_REQUEST,), order.default_branch)
    return None if pull is None else pull.base_branch


async def _base_tiers(pool: Pool[Any], attempt: Attempt, order: Order) -> frozenset[Tier]:
    """Return the tiers that the branches check which the commit is to be merged into."""
    own = {one.ref.name for one in order.namings if one.ref.kind is RefKind.BRANCH}
    bases = {one.base_branch for one in order.namings if one.base_branch} - own
    run = attempt.run
    found = [await refs.tiers_of_branch(pool, run.repository.id, base, except_run=run.id) for base in sorted(bases)]
    return frozenset().union(*found)


async def _keep_inferred(pool: Pool[Any], attempt: Attempt, order: Order, outcome: Outcome) -> None:
    """Write the inferred profile, from the default branch only: a pull request changes its own plan, nobody else's."""
    repository = attempt.run.repository
    if outcome.plan is None or outcome.image is None or not await _is_on_default_branch(pool, attempt):
        return
    await profiles.keep_inferred(pool, repository.full_name, outcome.plan, outcome.image.key, overrides=order.overrides)


async def _is_on_default_branch(pool: Pool[Any], attempt: Attempt) -> bool:
    return await runs.is_named_by(pool, attempt.run.id, Ref(RefKind.BRANCH, attempt.run.repository.default_branch))
