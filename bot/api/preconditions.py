"""ETag, If-Match and If-None-Match (RFC 9110, section 13): two editors do not overwrite each other."""

from __future__ import annotations

import hashlib
import json
import re

from aiohttp import web

from bot.api.problem import ProblemError

_TAGS = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_TAG = re.compile(r'(W/)?("[^"]*")')


def etag_of_body(body: object) -> str:
    """Return the ETag of a JSON document: another one for each document."""
    return f'"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:24]}"'


def is_known(request: web.Request, etag: str) -> bool:
    """Return whether the client has this version already (If-None-Match)."""
    given = _header(request, "If-None-Match")
    return given == "*" or etag in [tag for _, tag in _tags(given, "If-None-Match")]


def check_match(request: web.Request, what: str, etag: str | None, *, required: bool = False) -> None:
    """Check If-Match, and If-None-Match of a request that changes something.

    `what` names the thing in sentences (`the profile of acme/widgets`), `etag` is that of its version, None where it is
    not there. Raises ProblemError: 412 where it is not the version that the client read, 428 where `required` and it is
    there but the client does not say which one it read, 400 for headers that are malformed.
    """
    given = _header(request, "If-Match")
    if given and given != "*":
        strong = [tag for weak, tag in _tags(given, "If-Match") if not weak]
        if etag is None or etag not in strong:
            raise stale(what, etag)
    if given == "*" and etag is None:
        raise stale(what, etag)
    if etag is None:
        return
    if is_known(request, etag):
        raise ProblemError(412, f"There is {what} already: read it, and send If-Match.")
    if required and not given:
        raise ProblemError(428, f"There is {what}: read it, and send its ETag as If-Match with the change.")


def stale(what: str, etag: str | None) -> ProblemError:
    """Return the problem of a client that read another version than there is now."""
    if etag is None:
        return ProblemError(412, f"{what[0].upper()}{what[1:]} is not there: send the request without If-Match.")
    return ProblemError(
        412,
        f"{what[0].upper()}{what[1:]} was changed since you read it: read it again, and make your change there.",
        headers={"ETag": etag},
    )


def _header(request: web.Request, name: str) -> str:
    return ",".join(request.headers.getall(name, ())).strip()


def _tags(header: str, name: str) -> list[tuple[str, str]]:
    """Return (`W/` or nothing, tag) of each entity tag."""
    if not header or header == "*":
        return []
    if len(header) > 2000 or not _TAGS.fullmatch(header):
        raise ProblemError(400, f'{name} must be `*`, or ETags in double quotes such as "0123456789ab-4".')
    return _TAG.findall(header)
