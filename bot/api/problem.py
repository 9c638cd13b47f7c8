"""Errors of the API as problem documents (RFC 9457), whatever went wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from draftsman.domain.alert import Alert
from draftsman.domain.profile_rules import FieldError, ProfileError
from draftsman.steering import NotNowError
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An answer of 4xx or 5xx: its status, a sentence that says what to do, and the fields that are wrong."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def answer(problem: ProblemError) -> web.Response:
    """Return the problem as a response."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        document["errors"] = [{"field": error.field, "detail": error.detail} for error in problem.errors]
    return web.Response(
        status=problem.status, body=json.dumps(document).encode(), content_type=MEDIA_TYPE, headers=problem.headers
    )


@web.middleware
async def as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error of the handlers, and of the router, with a problem document."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return answer(problem)
    except ProfileError as error:
        return answer(ProblemError(422, "The profile is not kept: see each field's error.", errors=error.errors))
    except NotNowError as error:
        return answer(ProblemError(409, str(error)))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} is not possible here; possible: {allowed}."
        return answer(ProblemError(405, detail, headers={"Allow": allowed}))
    except web.HTTPNotFound:
        return answer(ProblemError(404, "There is nothing at this address; /api/v1/openapi.json describes the API."))
    except web.HTTPException as error:
        return answer(ProblemError(error.status, f"{error.reason}."))
    except DATABASE_AWAY as error:
        log.error("%s %s: Postgres is away: %r", request.method, request.path, error, extra=Alert.POSTGRES_AWAY.extra)
        return answer(ProblemError(503, "The database does not answer; try again in a moment."))
    except DATABASE_REFUSED as error:
        log.error(
            "%s %s: Postgres refused: %r", request.method, request.path, error, extra=Alert.POSTGRES_REFUSES.extra
        )
        return answer(ProblemError(500, "The database refused this; the log of Draftsman says why."))
    except Exception:
        log.exception("%s %s", request.method, request.path)
        return answer(ProblemError(500, "Draftsman met an error of its own; its log says which."))
