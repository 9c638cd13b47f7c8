"""`draftsman runs rerun | approve | cancel`: what a person has done to a run."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from draftsman.cli import person, services, terminal
from draftsman.cli.runs import find_run
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import DraftsmanError, HostError
from draftsman.domain.plan import Tier
from draftsman.domain.run import Attempt, RunState
from draftsman.settings import Settings
from draftsman.steering import Steering
from draftsman.store import attempts
from draftsman.store.reruns import Asked, Rerun
from draftsman.store.run_document import summary

_POLL_SECONDS = 1.0
_SHORTEST_SHA = 7


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Steering]:
    """Yield what steers the Draftsman of the settings, or the one that `draftsman up` runs. Raises HostError."""
    urls = services.found(settings)
    async with services.opened(urls.database_url, size=2) as pool, services.wake_ups(urls.redis_url) as wake_ups:
        yield Steering(pool, wake_ups.wake, settings.policy, settings.admission, settings.queue_per_repository)


async def rerun(
    settings: Settings, run_id: str, *, tiers: Sequence[Tier], rebuild: bool, patience: float, as_json: bool
) -> int:
    """Have a run executed again and say what comes of it.

    Where an attempt is under way that does less, its end is waited for, at most `patience` seconds.
    """
    async with opened(settings) as steering:
        run = await find_run(steering.pool, run_id)
        asked = await _ask(steering, run, tiers, rebuild, patience)
        newest = (await attempts.of_run(steering.pool, run))[0]
    if asked.asked is Asked.WAITING:
        raise DraftsmanError(
            f"The run {_short(newest)} waits for approval, which a re-run never is: look at the commit, then "
            f"`draftsman runs approve {_short(newest)}`."
        )
    if as_json:
        print(json.dumps({"asked": asked.asked, "attempt": summary(newest)}, indent=2))
        return 0
    did = "is queued" if asked.asked is Asked.CREATED else "does this already"
    terminal.console().print(
        f"Attempt {newest.number} of {_named(newest)} {did}: `draftsman runs watch {_short(newest)}` follows it."
    )
    return 0


async def _ask(steering: Steering, run: UUID, tiers: Sequence[Tier], rebuild: bool, patience: float) -> Rerun:
    shown = terminal.console(to_stderr=True)
    deadline = time.monotonic() + patience
    told: tuple[int, str] | None = None
    while True:
        asked = await steering.rerun(run, by=person.actor(), tiers=tiers, rebuild=rebuild)
        while asked.asked is Asked.BUSY:
            newest = (await attempts.of_run(steering.pool, run))[0]
            if newest.state is RunState.FINISHED:
                break
            if time.monotonic() > deadline:
                raise HostError(
                    f"Attempt {newest.number} of the run {_short(newest)} is still {newest.state}: ask again when it "
                    "has ended, or `draftsman runs cancel` it."
                )
            if told != (newest.number, newest.state):
                told = (newest.number, newest.state)
                shown.print(f"waiting for the end of attempt {newest.number}, which does less: {newest.state}")
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return asked


async def approve(settings: Settings, run_id: str, *, sha: str | None, as_json: bool) -> int:
    """Let the commit of a run be executed though it comes from a fork. `sha` may be its beginning."""
    async with opened(settings) as steering:
        run = await find_run(steering.pool, run_id)
        head = (await attempts.of_run(steering.pool, run))[0].run.head_sha
        if sha is not None and (len(sha) < _SHORTEST_SHA or not head.startswith(sha.lower())):
            raise DraftsmanError(f"The run {str(run)[:8]} is of {head}, not of {sha!r}: nothing was approved.")
        newest = await steering.approve(run, sha=head, by=person.actor())
    if as_json:
        print(json.dumps({"attempt": summary(newest)}, indent=2))
    elif newest.state is RunState.FINISHED:
        terminal.console().print(
            f"{head} of {_named(newest)} is approved and has run: `draftsman runs rerun {_short(newest)}` repeats it."
        )
    else:
        terminal.console().print(f"{head} of {_named(newest)} is approved: attempt {newest.number} is {newest.state}.")
    return 0


async def cancel(settings: Settings, run_id: str, *, as_json: bool) -> int:
    """Have the newest attempt end. Raises DraftsmanError where it has ended already."""
    async with opened(settings) as steering:
        run = await find_run(steering.pool, run_id)
        ended = await steering.cancel(run, by=person.actor(), reason=f"by {person.user()}")
    if as_json:
        print(json.dumps({"attempt": summary(ended)}, indent=2))
    else:
        terminal.console().print(f"The run {_short(ended)} of {_named(ended)} ends.")
    return 0


def _named(attempt: Attempt) -> str:
    return quoted(attempt.run.repository.full_name)


def _short(attempt: Attempt) -> str:
    return str(attempt.run.id)[:8]
