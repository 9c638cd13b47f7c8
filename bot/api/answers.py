"""What the handlers of all resources share: names and numbers in the address, pages and documents in the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from aiohttp import web

from bot.api.preconditions import etag_of_body, is_known
from bot.api.problem import ProblemError
from draftsman.domain.profile_rules import FieldError, is_repository

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

ACTOR = "api"
"""Who the audit trail names: all who have the token are one."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a document."""
    return web.Response(status=status, body=json.dumps(body).encode(), content_type=JSON, headers=dict(headers or {}))


def known_answer(request: web.Request, body: object) -> web.Response:
    """Return a document with its ETag, 304 where the client has this version already."""
    etag = etag_of_body(body)
    if is_known(request, etag):
        return web.Response(status=304, headers={"ETag": etag})
    return json_answer(body, headers={"ETag": etag})


def page_answer(
    request: web.Request, root: str, items: Sequence[object], following: Mapping[str, object] | None
) -> web.Response:
    """Return one page of a list; `following` are the parameters of the next, None for the last."""
    link = None if following is None else f"{root}?{urlencode(following, safe='/')}"
    body = {"items": items, "links": {"self": str(request.rel_url), "next": link}}
    return json_answer(body, headers={"Link": f'<{link}>; rel="next"'} if link else {})


def repository_in(request: web.Request) -> str:
    """Return OWNER/NAME of the address, in lower case. Raises ProblemError, 404."""
    repo = f"{request.match_info['owner']}/{request.match_info['repo']}"
    if not is_repository(repo):
        raise ProblemError(404, "No repository on GitHub can have this name: the address ends in OWNER/NAME.")
    return repo.lower()


def read_limit(request: web.Request, *, usual: int, largest: int) -> int:
    """Return how many items the page is to have. Raises ProblemError, 400."""
    given = request.query.get("limit")
    if given is None:
        return usual
    number = read_number(given, largest=largest)
    if number is None:
        raise wrong_parameter("limit", f"This must be a number from 1 to {largest}.")
    return number


def read_number(text: str, *, largest: int) -> int | None:
    """Return the number from 1 on that the text is in decimal digits, None where it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(largest))):
        return None
    number = int(text)
    return number if 1 <= number <= largest else None


def read_moment(request: web.Request, name: str) -> datetime | None:
    """Return the moment that the parameter names, None where there is none. Raises ProblemError, 400."""
    given = request.query.get(name)
    if given is None:
        return None
    try:
        # A `+` in an address is a space, unless somebody wrote %2B.
        at = datetime.fromisoformat(given.replace(" ", "+"))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise wrong_parameter(name, "This must be a date, as in 2026-11-26T09:00:00Z.") from None


def read_repository(request: web.Request) -> str | None:
    """Return the OWNER/NAME of the parameter `repo`, None where there is none. Raises ProblemError, 400."""
    repo = request.query.get("repo")
    if repo is not None and not is_repository(repo):
        raise wrong_parameter("repo", "This must be OWNER/NAME.")
    return repo


def read_uuid(text: str) -> UUID | None:
    """Return the id, None where the text is none as we write them."""
    return UUID(text) if _UUID.fullmatch(text) else None


def wrong_parameter(name: str, detail: str) -> ProblemError:
    """Return the problem of a parameter behind the `?`."""
    return ProblemError(400, "The address has a wrong parameter.", errors=[FieldError(name, detail)])
