"""`/api/v1/runs`: what ran and how it ended, and having runs executed again, cancelled and approved."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aiohttp import web

from bot import pages
from bot.api.answers import (
    ACTOR,
    json_answer,
    known_answer,
    page_answer,
    read_limit,
    read_number,
    read_uuid,
    wrong_parameter,
)
from bot.api.body import check_members, check_reason, read_object
from bot.api.problem import ProblemError
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.profile_rules import is_repository
from draftsman.domain.run import Attempt, Conclusion, RunState
from draftsman.purging import purge_log
from draftsman.steering import NotNowError, Steering
from draftsman.store import attempts
from draftsman.store.reruns import Asked
from draftsman.store.run_document import attempt_document, run_document, summary

ROOT = "/api/v1/runs"

LARGEST_PAGE = 200
USUAL_PAGE = 50

STANDINGS = (*RunState, *Conclusion)
"""What `state` may ask for."""

SHA_PREFIX = re.compile(r"[0-9a-fA-F]{7,64}")

_LARGEST_NUMBER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Runs:
    """The handlers."""

    steering: Steering

    async def listing(self, request: web.Request) -> web.Response:
        """Answer one page of runs, newest first, each as its newest attempt, with the way to the next."""
        limit = read_limit(request, usual=USUAL_PAGE, largest=LARGEST_PAGE)
        wanted = _filters(request)
        found = await attempts.recent(self.steering.pool, limit=limit + 1, **wanted)
        following = None
        if len(found) > limit:
            kept = {name: value for name, value in wanted.items() if value is not None}
            following = {**kept, "limit": limit, "after": found[limit - 1].run.id}
        return page_answer(request, ROOT, [_shown(attempt) for attempt in found[:limit]], following)

    async def read(self, request: web.Request) -> web.Response:
        """Answer a run: its newest attempt, its refs, all attempts, and its history."""
        run_id = read_uuid(request.match_info["run"])
        document = None if run_id is None else await run_document(self.steering.pool, run_id, terms=self.steering.terms)
        if run_id is None or document is None:
            raise _no_run()
        return known_answer(request, {**document, "links": _links(run_id, document["attempt"])})

    async def read_attempt(self, request: web.Request) -> web.Response:
        """Answer one attempt of a run."""
        attempt = await self._attempt(request)
        document = await attempt_document(self.steering.pool, attempt, self.steering.terms)
        return known_answer(request, {**document, "links": _links(attempt.run.id, attempt.number)})

    async def read_log(self, request: web.Request) -> web.StreamResponse:
        """Answer the whole log of an attempt as plain text."""
        return await pages.stream_log(request, self.steering.pool, await self._attempt(request))

    async def rerun(self, request: web.Request) -> web.Response:
        """Have the run executed again: 201 with the new attempt, 200 with one that does it already."""
        run_id = (await self._newest(request)).run.id
        given = await read_object(request, may_lack=True)
        check_members(given, {"tiers": _check_tiers, "rebuild": _check_switch})
        tiers = {Tier(tier) for tier in given.get("tiers", CHECKED_TIERS)}
        asked = await self.steering.rerun(run_id, by=ACTOR, tiers=tiers, rebuild=given.get("rebuild", False))
        if asked.asked is Asked.BUSY:
            raise NotNowError("An attempt is under way that does less than this: ask again when it has ended.")
        if asked.asked is Asked.WAITING or asked.attempt_id is None:
            raise NotNowError("The run waits for approval, which a re-run never is.")
        attempt = await attempts.get(self.steering.pool, asked.attempt_id)
        assert attempt is not None
        body = {"asked": asked.asked, "attempt": _shown(attempt)}
        if asked.asked is Asked.JOINED:
            return json_answer(body)
        location = _links(run_id, attempt.number)["self"]
        return json_answer(body, HTTPStatus.CREATED, {"Location": location})

    async def cancel(self, request: web.Request) -> web.Response:
        """Have the newest attempt end."""
        run_id = (await self._newest(request)).run.id
        check_members(await read_object(request, may_lack=True), {})
        ended = await self.steering.cancel(run_id, by=ACTOR, reason="by an administrator")
        return json_answer({"attempt": _shown(ended)}, HTTPStatus.ACCEPTED)

    async def approve(self, request: web.Request) -> web.Response:
        """Let the run's commit be executed though it comes from a fork; the body names it."""
        run_id = (await self._newest(request)).run.id
        given = await read_object(request)
        check_members(given, {"sha": _check_text}, needed=("sha",))
        newest = await self.steering.approve(run_id, sha=given["sha"].lower(), by=ACTOR)
        return json_answer({"attempt": _shown(newest)})

    async def purge(self, request: web.Request) -> web.Response:
        """Remove the logs of the run's attempts, or of the one that the address names, for good."""
        attempt = await self._attempt(request)
        given = await read_object(request, may_lack=True)
        check_members(given, {"reason": check_reason})
        number = attempt.number if "number" in request.match_info else None
        reason = given.get("reason", "")
        purged = await purge_log(self.steering.pool, attempt.run.id, by=ACTOR, reason=reason, number=number)
        return json_answer({"run_id": str(attempt.run.id), "purged": [one.document() for one in purged]})

    async def _newest(self, request: web.Request) -> Attempt:
        run_id = read_uuid(request.match_info["run"])
        found = [] if run_id is None else await attempts.of_run(self.steering.pool, run_id)
        if not found:
            raise _no_run()
        return found[0]

    async def _attempt(self, request: web.Request) -> Attempt:
        """Return the attempt that the address names, the newest where it names none."""
        newest = await self._newest(request)
        if "number" not in request.match_info:
            return newest
        number = read_number(request.match_info["number"], largest=_LARGEST_NUMBER)
        for attempt in await attempts.of_run(self.steering.pool, newest.run.id):
            if attempt.number == number:
                return attempt
        raise ProblemError(404, f"The run has no such attempt: its newest is {newest.number}.")


def _filters(request: web.Request) -> dict[str, Any]:
    repo, sha, state, after = (request.query.get(name) for name in ("repo", "sha", "state", "after"))
    if repo is not None and not is_repository(repo):
        raise wrong_parameter("repo", "This must be OWNER/NAME.")
    if sha is not None and not SHA_PREFIX.fullmatch(sha):
        raise wrong_parameter("sha", "This must be a commit's SHA, or its first 7 characters or more.")
    if state is not None and state not in STANDINGS:
        raise wrong_parameter("state", f"This must be one of {', '.join(STANDINGS)}.")
    behind = None if after is None else read_uuid(after)
    if after is not None and behind is None:
        raise wrong_parameter("after", "This must be the id of a run.")
    return {"repo": repo, "sha": sha and sha.lower(), "state": state, "after": behind}


def _check_tiers(given: object) -> str:
    fits = (
        isinstance(given, list)
        and 0 < len(given) <= len(CHECKED_TIERS)
        and all(tier in CHECKED_TIERS for tier in given)
    )
    return "" if fits else f"a list of {' and '.join(CHECKED_TIERS)}, or of one of them"


def _check_switch(given: object) -> str:
    return "" if isinstance(given, bool) else "true or false"


def _check_text(given: object) -> str:
    return "" if isinstance(given, str) else "a text"


def _links(run_id: UUID, number: int) -> dict[str, str]:
    attempt = f"{ROOT}/{run_id}/attempts/{number}"
    return {"self": attempt, "run": f"{ROOT}/{run_id}", "log": f"{attempt}/log"}


def _shown(attempt: Attempt) -> dict[str, Any]:
    return {**summary(attempt), "links": _links(attempt.run.id, attempt.number)}


def _no_run() -> ProblemError:
    return ProblemError(404, "There is no such run: GET /api/v1/runs lists them.")
