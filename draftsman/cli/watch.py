"""`draftsman runs watch`: a run as it goes on, until it has ended."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from rich.live import Live

from draftsman.cli import services, target, terminal
from draftsman.cli.runs import find_run
from draftsman.cli.watch_view import Seen, news, picture
from draftsman.domain.errors import DraftsmanError, HostError, SettingsError
from draftsman.domain.run import Conclusion, RunState
from draftsman.domain.waiting import Terms
from draftsman.settings import Settings
from draftsman.store import attempts, steps, waiting
from draftsman.store.database import Pool
from draftsman.store.run_document import run_document

EXIT_CODES = {Conclusion.SUCCESS: 0, Conclusion.NEUTRAL: 0, Conclusion.SKIPPED: 0, Conclusion.ERROR: 3}
"""Of every other conclusion, and of a run that waits for approval, it is 1."""

_POLL_SECONDS = 0.5
_MOST_RUNS = 50
"""Runs of one commit that are looked at: one as it is, and one for each base that it was merged into."""


async def watch(
    settings: Settings,
    run_id: str | None,
    *,
    repo: str | None,
    sha: str | None,
    patience: float,
    as_json: bool,
) -> int:
    """Follow a run until it has ended, or waits for approval; return the exit code that says how.

    Without `run_id` it is the run of a commit: `sha` of `repo`, by default those of the checkout that the command is
    called in. It is waited for, `patience` seconds. Raises HostError where it does not come.
    """
    if run_id is not None and (repo or sha):
        raise SettingsError("Give the id of a run, or --repo and --sha.")
    async with services.opened(services.found(settings).database_url, size=2) as pool:
        if run_id is not None:
            run = await find_run(pool, run_id)
        else:
            run = await _run_of_commit(pool, *await _commit(repo, sha), patience)
        seen = await _follow(pool, run, settings.terms, to_stderr=as_json)
        if as_json:
            print(json.dumps(await run_document(pool, run, terms=settings.terms), indent=2))
    conclusion = seen.attempt.conclusion
    return 1 if conclusion is None else EXIT_CODES.get(conclusion, 1)


async def _commit(repo: str | None, sha: str | None) -> tuple[str, str]:
    """Return the repository and the commit that are meant. Raises DraftsmanError where the checkout names none."""
    if repo is not None and sha is not None:
        return repo, sha.lower()
    meant = await target.resolve(".", sha)
    if repo is not None:
        return repo, meant.sha
    if meant.repo.startswith("local/"):
        raise DraftsmanError("This checkout has no remote `origin`: give the id of a run, or --repo and --sha.")
    return meant.repo, meant.sha


async def _run_of_commit(pool: Pool[Any], repo: str, sha: str, patience: float) -> UUID:
    """Return the run of the commit with the newest attempt, once there is one."""
    deadline = time.monotonic() + patience
    told = False
    while True:
        found = await attempts.recent(pool, limit=_MOST_RUNS, repo=repo, sha=sha)
        if found:
            return max(found, key=lambda attempt: attempt.created_at).run.id
        if time.monotonic() > deadline:
            raise HostError(
                f"There is no run of {sha[:12]} in {repo}: was it pushed, and does the App reach the repository?"
            )
        if not told:
            terminal.console(to_stderr=True).print(f"waiting for a run of {sha[:12]} in {terminal.quoted(repo)}")
            told = True
        await asyncio.sleep(_POLL_SECONDS)


async def _follow(pool: Pool[Any], run: UUID, terms: Terms, *, to_stderr: bool) -> Seen:
    """Show the newest attempt until it has ended and no newer one came, and return it as it is then."""
    shown = terminal.console(to_stderr=to_stderr)
    live = Live(console=shown, refresh_per_second=4) if shown.is_terminal else None
    before: Seen | None = None
    with live or nullcontext():
        while True:
            seen = await _look(pool, run, terms)
            if live is not None:
                live.update(picture(seen))
            else:
                for line in news(before, seen):
                    shown.print(line)
            if seen.has_ended:
                return seen
            before = seen
            await asyncio.sleep(_POLL_SECONDS)


async def _look(pool: Pool[Any], run: UUID, terms: Terms) -> Seen:
    newest = (await attempts.of_run(pool, run))[0]
    told = newest.state is not RunState.WAITING or newest.title is not None
    wait = await waiting.wait_of(pool, newest, terms) if newest.state is RunState.QUEUED else None
    waits = "" if wait is None else wait[0].says
    return Seen(newest, tuple(await steps.of_attempt(pool, newest.id)), is_told=told, waits=waits)
