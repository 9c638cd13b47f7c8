"""Who may use the API: whoever has the administrator's token."""

from __future__ import annotations

import hmac

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.api.problem import ProblemError

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="draftsman"'}


def bearer_required(token: str | None, *, open_paths: frozenset[str]) -> Middleware:
    """Return the middleware that lets requests pass which carry the token, and those to `open_paths`.

    Without a token the API is off: 403 names the setting. A wrong one is 401.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in open_paths:
            check_token(request.headers.get("Authorization"), token)
        return await handler(request)

    return check


def check_token(authorization: str | None, token: str | None) -> None:
    """Raise ProblemError unless the header carries the token; compared in constant time."""
    if not token:
        raise ProblemError(403, "The API is off: set DRAFTSMAN_ADMIN_TOKEN to a secret and start Draftsman again.")
    scheme, _, given = (authorization or "").partition(" ")
    # As bytes: comparing texts raises where one is not ASCII.
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    if scheme.lower() != "bearer" or not same:
        raise ProblemError(
            401, "Send `Authorization: Bearer TOKEN` with the value of DRAFTSMAN_ADMIN_TOKEN.", headers=CHALLENGE
        )
