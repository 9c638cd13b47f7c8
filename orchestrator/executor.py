"""Makes an order out of a claimed attempt: where its source is, what its profile says, what is kept afterwards."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from draftsman.domain.errors import DraftsmanError, EngineError
from draftsman.domain.outcome import Outcome
from draftsman.domain.progress import Sink
from draftsman.domain.run import Attempt, Conclusion, Ref, RefKind, Repository, Trust
from draftsman.store import attempts, profiles, runs
from draftsman.store.database import Pool
from orchestrator.cancellation import Cancellation
from orchestrator.claims import Execute, Release
from orchestrator.order import Earlier, Order, Tools
from orchestrator.pipeline import execute, release
from orchestrator.source import Remote

log = logging.getLogger(__name__)

ContentsToken = Callable[[Repository], Awaitable[str | None]]
"""Returns a token that may read this one repository and nothing else, or None where none is needed."""


ReadyTools = Callable[[], Awaitable[Tools]]
"""Returns the tools; raises EngineError while the engine is away."""


def executor(pool: Pool[Any], ready_tools: ReadyTools, contents_token: ContentsToken) -> Execute:
    """Return the function that executes a claimed attempt. While the engine is away, attempts end as `error`."""

    async def execute_attempt(attempt: Attempt, sink: Sink, cancel: Cancellation) -> Outcome:
        repository = attempt.run.repository

        async def remote() -> Remote:
            return Remote(repository.full_name, repository.clone_url, await contents_token(repository))

        order = Order(
            id=str(attempt.id),
            repo=repository.full_name,
            sha=attempt.run.head_sha,
            identity=_identity(repository),
            cache_owner=repository.full_name.partition("/")[0],
            remote=remote,
            epoch=attempt.epoch,
            overrides=await profiles.overrides_for(pool, repository.full_name),
            trusted=attempt.trust is Trust.TRUSTED,
            on_base=await _is_on_default_branch(pool, attempt),
            private=repository.private,
            earlier=await _earlier(pool, attempt),
        )
        try:
            tools = await ready_tools()
        except EngineError as error:
            return Outcome(Conclusion.ERROR, str(error), error.detail)
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


def _identity(repository: Repository) -> str:
    return f"github:{repository.id}"


async def _earlier(pool: Pool[Any], attempt: Attempt) -> Earlier | None:
    """Return what an earlier claim came to, where it came as far as an image."""
    if attempt.epoch < 2:
        return None
    plan, image = await attempts.plan_of(pool, attempt.id), await attempts.image_of(pool, attempt.id)
    epoch = await attempts.job_epoch_of(pool, attempt.id)
    return None if plan is None or image is None or epoch is None else Earlier(plan, image, epoch)


async def _keep_inferred(pool: Pool[Any], attempt: Attempt, order: Order, outcome: Outcome) -> None:
    """Write the inferred profile, from the default branch only: a pull request changes its own plan, nobody else's."""
    repository = attempt.run.repository
    if outcome.plan is None or outcome.image is None or not await _is_on_default_branch(pool, attempt):
        return
    await profiles.keep_inferred(pool, repository.full_name, outcome.plan, outcome.image.key, overrides=order.overrides)


async def _is_on_default_branch(pool: Pool[Any], attempt: Attempt) -> bool:
    return Ref(RefKind.BRANCH, attempt.run.repository.default_branch) in await runs.refs_of(pool, attempt.run.id)
