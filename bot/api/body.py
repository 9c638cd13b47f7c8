"""Reads the JSON object that a request brings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from aiohttp import web

from bot.api.problem import ProblemError
from draftsman.domain.profile_rules import MAX_ERRORS, FieldError

LARGEST_BODY = 2 * 2**20
"""Bytes. The largest profile that is allowed is about half of it."""

BODY_WITHIN = 30.0
"""Seconds for the whole body to arrive."""


async def read_object(
    request: web.Request, media_types: Sequence[str] = ("application/json",), *, may_lack: bool = False
) -> dict[str, Any]:
    """Return the body's JSON object; with `may_lack`, an empty one where there is no body.

    Raises ProblemError: 415 for another kind of body, 413, 408, and 400.
    """
    if may_lack and not request.body_exists:
        return {}
    kinds = " or ".join(media_types)
    if request.content_type not in media_types:
        headers = {"Accept-Patch": ", ".join(media_types)} if request.method == "PATCH" else {}
        raise ProblemError(415, f"The body must be JSON: send it with Content-Type {kinds}.", headers=headers)
    encodings = ",".join(request.headers.getall("Content-Encoding", ()))
    if encodings.strip().lower() not in ("", "identity"):
        raise ProblemError(415, "The body must come as it is, without a Content-Encoding.")
    try:
        text = (await _read(request)).decode("utf-8")
        document = json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        reason = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)[:200]
        raise ProblemError(400, f"The body is not JSON in UTF-8 ({reason}).") from None
    if not isinstance(document, dict):
        raise ProblemError(400, "The body must be one JSON object.")
    return document


async def _read(request: web.Request) -> bytes:
    too_large = ProblemError(413, f"The body has more than {LARGEST_BODY // 2**20} MiB.")
    if (request.content_length or 0) > LARGEST_BODY:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise too_large
    except TimeoutError:
        raise ProblemError(408, "The body did not arrive in time.") from None
    except (ConnectionError, web.RequestPayloadError):
        raise ProblemError(400, "The body did not arrive whole.") from None
    return bytes(body)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. A name that stands in it twice is refused: nobody could say which one was meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name[:100]!r} stands twice in one object")
        found[name] = value
    return found


def check_members(
    given: Mapping[str, Any], known: Mapping[str, Callable[[Any], str]], needed: Sequence[str] = ()
) -> None:
    """Check the members of a body. Each of `known` returns what its value must be, or nothing where it is that.

    Raises ProblemError, 422, that names every member which is wrong, unknown, or needed and not there.
    """
    errors = [FieldError(_name(name), "There is no such member here.") for name in given if name not in known]
    errors += [
        FieldError(name, f"This must be {must_be}.")
        for name, check in known.items()
        if name in given and (must_be := check(given[name]))
    ]
    errors += [FieldError(name, "This is needed.") for name in needed if name not in given]
    if errors:
        raise ProblemError(422, "Nothing was done: see each field's error.", errors=errors[:MAX_ERRORS])


LONGEST_REASON = 1000
"""Characters."""


def check_reason(given: object) -> str:
    """Return what a reason must be, nothing where it is that."""
    fits = isinstance(given, str) and len(given) <= LONGEST_REASON
    return "" if fits else f"a text of at most {LONGEST_REASON} characters, and not the secret"


def _name(given: str) -> str:
    return ascii(given)[1:-1][:60]
