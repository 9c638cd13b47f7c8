"""`/api/v1/queue`: what runs, what waits and why; pausing, and draining a worker."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from bot.api.answers import ACTOR, json_answer, read_limit, repository_in
from bot.api.body import check_members, read_object
from bot.api.problem import ProblemError
from draftsman.domain.waiting import LONGEST_REASON, is_reason
from draftsman.domain.worker import Worker
from draftsman.steering import Steering
from draftsman.store import waiting
from draftsman.store.queue_document import pause_document, queue_document, worker_document

ROOT = "/api/v1/queue"

LARGEST_PAGE = 1000
USUAL_PAGE = 100

SHOWN_AS = "an administrator"
"""Who check runs name: all who have the token are one."""


@dataclass(frozen=True, slots=True)
class QueueHandlers:
    """The handlers."""

    steering: Steering

    async def read(self, request: web.Request) -> web.Response:
        """Answer what runs and what waits, `limit` of it at most."""
        limit = read_limit(request, usual=USUAL_PAGE, largest=LARGEST_PAGE)
        found = await waiting.queue(self.steering.pool, self.steering.terms, limit=limit)
        return json_answer({**queue_document(found), "links": {"self": str(request.rel_url)}})

    async def pause(self, request: web.Request) -> web.Response:
        """Have nothing new start, or nothing of one repository: 201 where it was not paused before."""
        repo = repository_in(request) if "repo" in request.match_info else None
        reason = await _reason(request)
        done = await self.steering.pause(repo, by=ACTOR, shown_as=SHOWN_AS, reason=reason)
        return json_answer(pause_document(done.pause), 201 if done.is_new else 200)

    async def resume(self, request: web.Request) -> web.Response:
        """Have runs start again."""
        repo = repository_in(request) if "repo" in request.match_info else None
        if await self.steering.resume(repo, by=ACTOR) is None:
            raise ProblemError(404, f"Nothing of that is paused: GET {ROOT} shows what is.")
        return web.Response(status=204)

    async def drain(self, request: web.Request) -> web.Response:
        """Have a worker take nothing new."""
        reason = await _reason(request)
        return await self._worker(await self.steering.drain(request.match_info["worker"], by=ACTOR, reason=reason))

    async def undrain(self, request: web.Request) -> web.Response:
        """Have a worker take attempts again."""
        return await self._worker(await self.steering.undrain(request.match_info["worker"], by=ACTOR))

    async def _worker(self, found: Worker | None) -> web.Response:
        if found is None:
            raise ProblemError(404, f"There is no such worker: GET {ROOT} lists them.")
        return json_answer(worker_document(found, await waiting.now(self.steering.pool)))


async def _reason(request: web.Request) -> str:
    given = await read_object(request, may_lack=True)
    check_members(given, {"reason": _check_reason})
    return str(given.get("reason", ""))


def _check_reason(given: object) -> str:
    fits = isinstance(given, str) and is_reason(given)
    return "" if fits else f"a text of one line, {LONGEST_REASON} characters at most"
