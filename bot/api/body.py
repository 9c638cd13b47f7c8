"""Reads the JSON object that a request brings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from aiohttp import web

from bot.api.problem import ProblemError

LARGEST_BODY = 2 * 2**20
"""Bytes. The largest profile that is allowed is about half of it."""

BODY_WITHIN = 30.0
"""Seconds for the whole body to arrive."""


async def read_object(request: web.Request, media_types: Sequence[str]) -> dict[str, Any]:
    """Return the body's JSON object. Raises ProblemError: 415 for another kind of body, 413, 408, and 400."""
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
        raise ProblemError(400, "The body must be one JSON object: the fields of a profile.")
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
