"""Brings GitHub to the state that the store says: a reconcile loop, not a callback.

For every attempt that changed, the body of each check run is computed from the store, compared with what was
last sent, and sent. GitHub being away delays a report; it never loses one. It never doubles one either: a
create whose answer was lost is looked for by its `external_id` first, and annotations, which GitHub appends,
are counted at GitHub before more are sent. A notification of Postgres is a hint; the poll is the guarantee.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg

from bot.annotations import PER_REQUEST
from bot.check_view import CheckView
from bot.checks import CheckBody, check_run_body, log_sections, shown_conclusion
from bot.github import CHECKS, GitHub
from bot.github_error import GitHubError
from bot.verdict import stands, verdict
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import Attempt
from draftsman.store import artifacts, attempts, check_runs, logs, runs, steps
from draftsman.store.check_runs import Behind, Reported
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool

log = logging.getLogger(__name__)

CHANNEL = "draftsman_attempts"
POLL_SECONDS = 2.0
BETWEEN_UPDATES = 2.0
"""Seconds between two updates of an attempt in progress. Its end is told at once."""

GATHERED_FOR = 0.05
"""Seconds that a notification waits for others: a step's end and the next one's start come together."""

AT_ONCE = 8
"""Runs that are reported at the same time."""

LONGEST_BACK_OFF = 60.0
HOPELESS_FOR = 3600.0
"""Seconds until a refusal that repeats itself (an App that was removed, a lost permission) is tried again."""

CREDENTIALS_REFUSED_FOR = 300.0
STOPPED_WITHIN = 10.0
LOG_BYTES = 64 * 1024


class Reporter:
    """Tells GitHub. `public_url` is where people reach the pages of runs; `database_url` is listened on."""

    def __init__(self, pool: Pool[Any], github: GitHub, *, public_url: str, database_url: str) -> None:
        self._pool = pool
        self._github = github
        self._public_url = public_url.rstrip("/")
        self._database_url = database_url
        self._woken = asyncio.Event()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._updated: dict[UUID, float] = {}
        self._paused: dict[int, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Report until `stop` is set; what is being sent then is finished."""
        watchers = [asyncio.create_task(self._listen()), asyncio.create_task(self._wake_when(stop))]
        try:
            while not stop.is_set():
                self._woken.clear()
                try:
                    pause = await self._start_due()
                except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
                    log.warning("reporting waits for Postgres: %r", error)
                    pause = POLL_SECONDS
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), pause)
                await asyncio.sleep(GATHERED_FOR)
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await self._finish()

    async def _finish(self) -> None:
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks.values(), timeout=STOPPED_WITHIN)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _wake_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()

    async def _listen(self) -> None:
        """Wake the loop at each notification, on a connection of its own that is made again when it dies."""
        while True:
            try:
                connection = await asyncpg.connect(self._database_url, timeout=10)
            except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
                log.debug("listening waits for Postgres: %r", error)
                await asyncio.sleep(POLL_SECONDS)
                continue
            try:
                await self._until_dead(connection)
            except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
                log.debug("listening again: %r", error)
            finally:
                connection.terminate()

    async def _until_dead(self, connection: Any) -> None:
        died = asyncio.Event()
        connection.add_termination_listener(lambda _: died.set())
        await connection.add_listener(CHANNEL, lambda *_: self._woken.set())
        self._woken.set()
        await died.wait()

    async def _start_due(self) -> float:
        """Start reporting what is behind and may be told now. Returns the seconds until more may be."""
        now = asyncio.get_running_loop().time()
        self._paused = {key: until for key, until in self._paused.items() if until > now}
        self._updated = {key: at for key, at in self._updated.items() if at + BETWEEN_UPDATES > now}
        pause = min([POLL_SECONDS, *(until - now for until in self._paused.values())])
        for item in await check_runs.behind(self._pool, paused=list(self._paused)):
            updated = self._updated.get(item.attempt_id)
            if updated is not None and not item.finished:
                pause = min(pause, updated + BETWEEN_UPDATES - now)
            elif item.run_id not in self._tasks and len(self._tasks) < AT_ONCE:
                # One task a run: of two check runs with one name GitHub shows the one created last.
                task = asyncio.create_task(self._report(item))
                self._tasks[item.run_id] = task
                task.add_done_callback(partial(self._done, item.run_id))
        return max(pause, 0.0)

    def _done(self, run_id: UUID, _: asyncio.Task[None]) -> None:
        del self._tasks[run_id]
        self._woken.set()

    async def _report(self, item: Behind) -> None:
        try:
            attempt = await attempts.get(self._pool, item.attempt_id)
            if attempt is None:
                return
            for tier in CHECKED_TIERS:
                if item.installation_id in self._paused:
                    break
                reported = await check_runs.of_attempt(self._pool, attempt.id, tier)
                if reported.due and reported.version < attempt.version:
                    await self._report_tier(item, attempt, reported)
            await check_runs.settle(self._pool, attempt.id)
            self._updated[attempt.id] = asyncio.get_running_loop().time()
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.warning("reporting attempt %s waits for Postgres: %r", item.attempt_id, error)
            await asyncio.sleep(1)

    async def _report_tier(self, item: Behind, attempt: Attempt, reported: Reported) -> None:
        try:
            await self._tell(item, attempt, reported)
        except DATABASE_AWAY:
            raise
        except GitHubError as error:
            wait = seconds_to_wait(error, reported.failures)
            if error.limited:
                self._paused[item.installation_id] = asyncio.get_running_loop().time() + wait
            log.warning("%s of attempt %s is told in %.0f s: %s", reported.tier, attempt.id, wait, error)
            await check_runs.failed(self._pool, reported, retry_seconds=wait, error=str(error))
        except Exception as error:
            # A defect of ours with this one attempt must not end the reports of all others.
            log.exception("the check run %s of attempt %s could not be made", reported.tier, attempt.id)
            await check_runs.failed(self._pool, reported, retry_seconds=HOPELESS_FOR, error=repr(error))

    async def _tell(self, item: Behind, attempt: Attempt, reported: Reported) -> None:
        """Bring one check run up to date. Raises GitHubError."""
        view = await self._view(attempt, reported.tier)
        body = check_run_body(view, reported.tier)
        github_id, sent, digest = reported.github_id, reported.annotations_sent, reported.digest
        if github_id is None and reported.creating:
            github_id, sent = await self._find(attempt, body)
        if github_id is None and not item.newer:
            await check_runs.creating(self._pool, reported)
            github_id, sent, digest = (
                await self._create(attempt, body),
                len(body.annotations[:PER_REQUEST]),
                body.digest,
            )
        if github_id is not None:
            await check_runs.created(self._pool, reported, github_id)
            left = stands(view, reported.tier, shown_conclusion(digest))
            if not left and not _is_shown(body, digest, sent):
                sent, digest = await self._update(attempt, github_id, body, sent), body.digest
        await check_runs.told(self._pool, reported, version=attempt.version, digest=digest, annotations=sent)

    async def _create(self, attempt: Attempt, body: CheckBody) -> int:
        request = body.request(body.annotations[:PER_REQUEST]) | {"head_sha": attempt.run.head_sha}
        answer = await self._github.request(
            attempt.run.repository, CHECKS, "POST", f"{_repository_path(attempt)}/check-runs", body=request
        )
        return _whole_number(answer.body, "id")

    async def _update(self, attempt: Attempt, github_id: int, body: CheckBody, sent: int) -> int:
        """Send the body, with the annotations that GitHub has not got. Returns how many it has."""
        path = f"{_repository_path(attempt)}/check-runs/{github_id}"
        repository = attempt.run.repository
        if sent < len(body.annotations):
            # An update whose answer was lost may have added some.
            known = await self._github.request(repository, CHECKS, "GET", path)
            sent = max(sent, _whole_number(known.body, "output", "annotations_count"))
        while True:
            more = body.annotations[sent : sent + PER_REQUEST]
            await self._github.request(repository, CHECKS, "PATCH", path, body=body.request(more))
            sent += len(more)
            if sent >= len(body.annotations):
                return sent

    async def _find(self, attempt: Attempt, body: CheckBody) -> tuple[int | None, int]:
        """Return id and annotation count of the check run whose create was not answered; None where it is not there."""
        path = f"{_repository_path(attempt)}/commits/{attempt.run.head_sha}/check-runs"
        page = 1
        while True:
            query = {"check_name": body.name, "filter": "all", "per_page": "100", "page": str(page)}
            answer = await self._github.request(attempt.run.repository, CHECKS, "GET", path, query=query)
            found = answer.body.get("check_runs") if isinstance(answer.body, dict) else None
            if not isinstance(found, list):
                raise GitHubError("GitHub answered a list of check runs with something else.", status=502)
            for run in found:
                if run.get("external_id") == body.external_id:
                    return _whole_number(run, "id"), _whole_number(run, "output", "annotations_count")
            if len(found) < 100:
                return None, 0
            page += 1

    async def _view(self, attempt: Attempt, tier: Tier) -> CheckView:
        """Return the attempt as it stands in the store, with the end of the log that explains the tier."""
        view = CheckView(
            attempt=attempt,
            details_url=f"{self._public_url}/runs/{attempt.run.id}?attempt={attempt.number}",
            plan=await attempts.plan_of(self._pool, attempt.id),
            image=await attempts.image_of(self._pool, attempt.id),
            steps=tuple(await steps.of_attempt(self._pool, attempt.id)),
            findings=tuple(await steps.findings_of(self._pool, attempt.id)),
            refs=tuple(await runs.refs_of(self._pool, attempt.run.id)),
            timings=await attempts.timings_of(self._pool, attempt.id),
            written=await attempts.summary_of(self._pool, attempt.id),
            artifacts=len(await artifacts.of_attempt(self._pool, attempt.id)),
        )
        sections = log_sections(view, tier)
        if verdict(view, tier).status != "completed" or sections == frozenset():
            return view
        tail = await logs.tail(self._pool, attempt.id, limit=LOG_BYTES, sections=sections)
        return replace(view, log_tail=tail.decode("utf-8", "replace"))


def _is_shown(body: CheckBody, digest: str | None, sent: int) -> bool:
    # A check run that was completed stays so: the fast one is told early, and the attempt may start again.
    went_back = shown_conclusion(digest) is not None and body.status != "completed"
    return went_back or (digest == body.digest and sent >= len(body.annotations))


def seconds_to_wait(error: GitHubError, failures: int) -> float:
    """Return when to try again after the error, which is the `failures`-th in a row (from 0)."""
    if error.transient:
        back_off = min(LONGEST_BACK_OFF, 2.0 ** min(failures, 10)) * random.uniform(0.5, 1)  # noqa: S311
        return max(error.retry_after or 0, back_off)
    if error.status == 401:
        return CREDENTIALS_REFUSED_FOR
    return HOPELESS_FOR if failures < 24 else 24 * HOPELESS_FOR


def _repository_path(attempt: Attempt) -> str:
    return f"/repos/{attempt.run.repository.full_name}"


def _whole_number(body: Any, *path: str) -> int:
    found = body
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, int):
        raise GitHubError(f"GitHub answered without a check run's {path[-1]}.", status=502)
    return found
