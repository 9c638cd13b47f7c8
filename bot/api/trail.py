"""`/api/v1/audit` and `/api/v1/deliveries`: who did what and when, and what GitHub told us and what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.api.answers import (
    ACTOR,
    json_answer,
    known_answer,
    page_answer,
    read_limit,
    read_moment,
    read_number,
    read_repository,
    wrong_parameter,
)
from bot.api.body import check_members, check_reason, read_object
from bot.api.problem import ProblemError
from draftsman.purging import purge_delivery
from draftsman.store import audit, deliveries
from draftsman.store.audit import AuditFilter
from draftsman.store.database import Pool
from draftsman.store.run_document import delivery_document, event_document

AUDIT_ROOT = "/api/v1/audit"
DELIVERIES_ROOT = "/api/v1/deliveries"

LARGEST_PAGE = 200
USUAL_PAGE = 50

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Trail:
    """The handlers."""

    pool: Pool[Any]

    async def listing(self, request: web.Request) -> web.Response:
        """Answer one page of the audit trail, newest first, with the way to the next."""
        limit = read_limit(request, usual=USUAL_PAGE, largest=LARGEST_PAGE)
        wanted = _audit_filter(request)
        found = await audit.recent(self.pool, wanted, limit=limit + 1)
        following = None
        if len(found) > limit:
            following = {**_kept(request, "since", "repo", "actor", "action"), "limit": limit}
            following["before"] = found[limit - 1].id
        return page_answer(request, AUDIT_ROOT, [event_document(event) for event in found[:limit]], following)

    async def deliveries(self, request: web.Request) -> web.Response:
        """Answer one page of deliveries, newest first, with the way to the next."""
        limit = read_limit(request, usual=USUAL_PAGE, largest=LARGEST_PAGE)
        found = await deliveries.recent(
            self.pool,
            limit=limit + 1,
            repo=read_repository(request),
            event=request.query.get("event"),
            since=read_moment(request, "since"),
            after=request.query.get("after"),
        )
        following = None
        if len(found) > limit:
            following = {**_kept(request, "since", "repo", "event"), "limit": limit, "after": found[limit - 1].guid}
        return page_answer(request, DELIVERIES_ROOT, [one.document() for one in found[:limit]], following)

    async def delivery(self, request: web.Request) -> web.Response:
        """Answer a delivery: what was decided, the tasks that it called for, and what it led to."""
        found = await deliveries.get(self.pool, request.match_info["guid"])
        if found is None:
            raise _no_delivery()
        return known_answer(request, await delivery_document(self.pool, found))

    async def purge(self, request: web.Request) -> web.Response:
        """Remove the body of a delivery for good; its GUID stays known."""
        given = await read_object(request, may_lack=True)
        check_members(given, {"reason": check_reason})
        guid = request.match_info["guid"]
        if not await purge_delivery(self.pool, guid, by=ACTOR, reason=given.get("reason", "")):
            raise _no_delivery()
        found = await deliveries.get(self.pool, guid)
        if found is None:
            raise _no_delivery()
        return json_answer(found.document())


def _audit_filter(request: web.Request) -> AuditFilter:
    text = request.query.get("before")
    before = None if text is None else read_number(text, largest=_LARGEST_ID)
    if text is not None and before is None:
        raise wrong_parameter("before", "This must be the id of a line of the trail.")
    return AuditFilter(
        since=read_moment(request, "since"),
        repo=read_repository(request),
        actor=request.query.get("actor"),
        action=request.query.get("action"),
        before=before,
    )


def _kept(request: web.Request, *names: str) -> dict[str, object]:
    return {name: request.query[name] for name in names if name in request.query}


def _no_delivery() -> ProblemError:
    return ProblemError(404, f"No such delivery is known: GET {DELIVERIES_ROOT} lists them.")
