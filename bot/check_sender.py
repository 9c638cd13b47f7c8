"""Brings one check run at GitHub up to date, exactly once whatever becomes of the answers.

A create whose answer was lost is looked for by its `external_id` first, and annotations, which GitHub appends, are
counted at GitHub before more are sent. A check run that is gone is made again, once for each time of telling.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.annotations import PER_REQUEST
from bot.check_reading import read_view
from bot.checks import CheckBody, check_run_body, shown_conclusion
from bot.github import CHECKS, Answer, GitHub
from bot.github_error import GitHubError
from bot.paging import pages
from bot.verdict import stands
from draftsman.domain.plan import Tier
from draftsman.domain.run import Attempt, RunState
from draftsman.domain.waiting import Terms
from draftsman.store import check_runs, waiting
from draftsman.store.check_runs import Reported
from draftsman.store.database import Pool

log = logging.getLogger(__name__)

GONE = (404, 410)


class TurnLostError(OSError):
    """The right to speak of a commit went with the connection to Postgres that held it; one of DATABASE_AWAY."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A check run as GitHub shows it: how many annotations it has, and the digest of what was sent last.

    The digest of one that was looked for holds no more than status and conclusion.
    """

    github_id: int
    annotations: int
    digest: str


class CheckSender:
    """Tells GitHub of attempts. `public_url` is where people reach the pages of runs; `terms` say why one waits."""

    def __init__(self, pool: Pool[Any], github: GitHub, *, public_url: str, terms: Terms) -> None:
        self._pool = pool
        self._github = github
        self._public_url = public_url
        self._terms = terms

    async def tell(self, attempt: Attempt, tier: Tier, *, may_send: Callable[[], bool]) -> None:
        """Bring the tier's check run up to date, if that is due.

        `may_send` says whether nobody else speaks of the commit; where it does not any more, TurnLostError is raised.
        Raises GitHubError and what the database raises.
        """
        reported = await check_runs.of_attempt(self._pool, attempt.id, tier)
        if not reported.due or reported.version >= attempt.version:
            return
        # Of two check runs with one name GitHub shows the one created last: only the newest attempt makes them.
        speaks = await check_runs.speaks(self._pool, attempt.id, tier)
        shown = None
        told_wait = waiting.TOLD_NOTHING
        if speaks or reported.github_id is not None or reported.creating:
            view = await read_view(self._pool, attempt, tier, public_url=self._public_url, terms=self._terms)
            body = check_run_body(view, tier)
            one = _OneCheckRun(self._github, attempt, body, may_send)
            shown = await self._known(reported, attempt, one)
            # What quotes a log that was removed is replaced, whatever else it says.
            keeps = view.purged_at is None and shown is not None and stands(view, tier, shown_conclusion(shown.digest))
            if shown is not None and not keeps:
                shown = await self._refreshed(reported, one, shown)
            if shown is None and speaks:
                shown = await self._made(reported, one)
            if shown is not None and view.wait is not None:
                told_wait = view.wait.key
        await check_runs.told(
            self._pool,
            reported,
            version=attempt.version,
            digest=None if shown is None else shown.digest,
            annotations=0 if shown is None else shown.annotations,
        )
        if attempt.state is RunState.QUEUED:
            await waiting.keep_told(self._pool, attempt.id, told_wait)

    async def _known(self, reported: Reported, attempt: Attempt, one: _OneCheckRun) -> Shown | None:
        """Return the check run that GitHub has of the attempt, None where one is to be made."""
        if reported.github_id is not None:
            known = Shown(reported.github_id, reported.annotations_sent, reported.digest or "")
            if not _was_not_asked_for(attempt, one.body, known):
                return known
            await check_runs.forgotten(self._pool, reported)
            return None
        found = await one.find() if reported.creating else None
        if found is not None:
            await check_runs.created(self._pool, reported, found.github_id)
        return found

    async def _refreshed(self, reported: Reported, one: _OneCheckRun, shown: Shown) -> Shown | None:
        """Return the check run as it is after an update, None where it is gone."""
        # A check run that was completed stays so: the fast one is told early, and the attempt may start again.
        went_back = shown_conclusion(shown.digest) is not None and one.body.status != "completed"
        same = shown.digest == one.body.digest and shown.annotations >= len(one.body.annotations)
        if went_back or same:
            return shown
        try:
            return await one.update(shown)
        except GitHubError as error:
            if error.status not in GONE:
                raise
            log.info("the check run %s is gone: %s", shown.github_id, error)
            await check_runs.forgotten(self._pool, reported)
            return None

    async def _made(self, reported: Reported, one: _OneCheckRun) -> Shown:
        await check_runs.creating(self._pool, reported)
        shown = await one.create()
        await check_runs.created(self._pool, reported, shown.github_id)
        return shown if shown.annotations >= len(one.body.annotations) else await one.update(shown)


class _OneCheckRun:
    """The requests about one check run. All of them raise GitHubError, and TurnLostError before they are sent."""

    def __init__(self, github: GitHub, attempt: Attempt, body: CheckBody, may_send: Callable[[], bool]) -> None:
        self._github = github
        self._attempt = attempt
        self.body = body
        self._may_send = may_send
        self._path = f"/repos/{attempt.run.repository.full_name}"

    async def create(self) -> Shown:
        """Make the check run with its first annotations."""
        first = self.body.annotations[:PER_REQUEST]
        request = self.body.request(first) | {"head_sha": self._attempt.run.head_sha}
        answer = await self._send("POST", "/check-runs", body=request)
        return Shown(_whole_number(answer.body, "id"), len(first), self.body.digest)

    async def update(self, shown: Shown) -> Shown:
        """Send the body, with the annotations that GitHub has not got."""
        path = f"/check-runs/{shown.github_id}"
        sent = shown.annotations
        if sent < len(self.body.annotations):
            # An update whose answer was lost may have added some.
            known = await self._send("GET", path)
            sent = max(sent, _whole_number(known.body, "output", "annotations_count"))
        while True:
            more = self.body.annotations[sent : sent + PER_REQUEST]
            await self._send("PATCH", path, body=self.body.request(more))
            sent += len(more)
            if sent >= len(self.body.annotations):
                return Shown(shown.github_id, sent, self.body.digest)

    async def find(self) -> Shown | None:
        """Return the check run whose create was not answered, None where it is not there."""
        path = f"/commits/{self._attempt.run.head_sha}/check-runs"
        query = {"check_name": self.body.name, "filter": "all"}
        listed = pages(lambda query: self._send("GET", path, query=query), query, under="check_runs")
        async for page in listed:
            for run in page:
                if not self._github.is_own_app(run.get("app")):
                    continue  # any App can give a check run any name and external_id
                if run.get("external_id") == self.body.external_id and not _was_replaced(run, self.body):
                    digest = f"{run.get('status')}:{run.get('conclusion') or ''}:"
                    return Shown(_whole_number(run, "id"), _whole_number(run, "output", "annotations_count"), digest)
        return None

    async def _send(self, method: str, path: str, **what: Any) -> Answer:
        if not self._may_send():
            raise TurnLostError("somebody else may speak of the commit now")
        return await self._github.request(self._attempt.run.repository, CHECKS, method, self._path + path, **what)


def _was_not_asked_for(attempt: Attempt, body: CheckBody, shown: Shown) -> bool:
    """Return whether GitHub shows that the tier was not asked for, and somebody has asked since.

    A completed check run stays so, and this one would go on saying so while the tier runs: another one replaces it.
    """
    went_back = shown_conclusion(shown.digest) == "action_required" and body.status != "completed"
    return went_back and attempt.state is not RunState.WAITING


def _was_replaced(run: Mapping[str, Any], body: CheckBody) -> bool:
    return run.get("conclusion") == "action_required" and body.conclusion != "action_required"


def _whole_number(body: Any, *path: str) -> int:
    found = body
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, int):
        raise GitHubError(f"GitHub answered without a check run's {path[-1]}.", status=502)
    return found
