"""Reads an attempt from the store as its check runs show it."""

from __future__ import annotations

from dataclasses import replace

from bot.check_view import CheckView
from bot.checks import log_sections
from bot.comparison import Base, base_branch
from bot.verdict import may_be_compared, verdict
from draftsman.domain.plan import Tier
from draftsman.domain.run import Attempt, RunState
from draftsman.domain.waiting import Terms, Told, told
from draftsman.store import artifacts, attempts, logs, purge, refs, runs, steps, waiting
from draftsman.store.database import Database

LOG_BYTES = 64 * 1024


async def read_view(
    db: Database, attempt: Attempt, tier: Tier, *, public_url: str, terms: Terms | None = None
) -> CheckView:
    """Return the attempt as it stands in the store, with what the tier's check run needs.

    That is the end of the log that explains it, and the last run of the base branch where a step failed.
    `public_url` is where people reach the pages of runs; `terms` say why a queued one waits, None: nobody asks.
    """
    removal = await purge.removal_of(db, attempt.id)
    view = CheckView(
        attempt=attempt,
        details_url=f"{public_url}/runs/{attempt.run.id}?attempt={attempt.number}",
        plan=await attempts.plan_of(db, attempt.id),
        image=await attempts.image_of(db, attempt.id),
        steps=tuple(await steps.of_attempt(db, attempt.id)),
        findings=tuple(await steps.findings_of(db, attempt.id)),
        namings=tuple(await runs.namings_of(db, attempt.run.id)),
        timings=await attempts.timings_of(db, attempt.id),
        written=await attempts.summary_of(db, attempt.id),
        artifacts=len(await artifacts.of_attempt(db, attempt.id)),
        purged_at=None if removal is None or removal.by is None else removal.at,
        wait=None if terms is None else await wait_told(db, attempt, terms),
    )
    if may_be_compared(view, tier):
        view = replace(view, base=await _base(db, view))
    sections = log_sections(view, tier)
    if verdict(view, tier).status != "completed" or sections == frozenset():
        return view
    tail = await logs.tail(db, attempt.id, limit=LOG_BYTES, sections=sections)
    return replace(view, log_tail=tail.decode("utf-8", "replace"))


async def wait_told(db: Database, attempt: Attempt, terms: Terms) -> Told | None:
    """Return what GitHub is told of why the attempt waits, None for one that is not queued."""
    found = await waiting.wait_of(db, attempt, terms) if attempt.state is RunState.QUEUED else None
    return None if found is None else told(*found)


async def _base(db: Database, view: CheckView) -> Base | None:
    run = view.attempt.run
    branch = base_branch(run, view.namings)
    last = await refs.last_of_branch(
        db, run.repository.id, branch.name, except_run=run.id, before=run.created_at if branch.is_own else None
    )
    found = None if last is None else await attempts.get(db, last)
    if found is None:
        return None
    return Base(
        branch=branch,
        head_sha=found.run.head_sha,
        steps=tuple(await steps.of_attempt(db, found.id)),
        findings=tuple(await steps.findings_of(db, found.id)),
    )
