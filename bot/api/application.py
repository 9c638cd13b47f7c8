"""The API as an application of its own, mounted under `/api/v1`."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from bot.api.description import describe
from bot.api.problem import as_problems
from bot.api.profiles import Profiles
from bot.api.token import bearer_required
from draftsman.store.database import Pool

PREFIX = "/api/v1"
DESCRIPTION = f"{PREFIX}/openapi.json"


def create_api(pool: Pool[Any], admin_token: str | None) -> web.Application:
    """Return the API; without a token it answers 403, and only its description can be read."""
    handlers = Profiles(pool)
    described = json.dumps(describe()).encode()

    async def description(_: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    api = web.Application(middlewares=[as_problems, bearer_required(admin_token, open_paths=frozenset([DESCRIPTION]))])
    api.router.add_get("/openapi.json", description)
    api.router.add_get("/profiles", handlers.listing)
    api.router.add_get("/profiles/{owner}/{repo}", handlers.read)
    api.router.add_put("/profiles/{owner}/{repo}", handlers.put)
    api.router.add_patch("/profiles/{owner}/{repo}", handlers.patch)
    api.router.add_delete("/profiles/{owner}/{repo}", handlers.delete)
    return api
