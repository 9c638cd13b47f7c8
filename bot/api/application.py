"""The API as an application of its own, mounted under `/api/v1`."""

from __future__ import annotations

import json

from aiohttp import web

from bot.api.description import describe
from bot.api.installations import Installations
from bot.api.policies import Policies
from bot.api.problem import as_problems
from bot.api.profiles import Profiles
from bot.api.queue import QueueHandlers
from bot.api.runs import Runs
from bot.api.token import bearer_required
from bot.api.trail import Trail
from draftsman.steering import Steering

PREFIX = "/api/v1"
DESCRIPTION = f"{PREFIX}/openapi.json"


def create_api(steering: Steering, admin_token: str | None) -> web.Application:
    """Return the API; without a token it answers 403, and only its description can be read."""
    described = json.dumps(describe()).encode()

    async def description(_: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    api = web.Application(middlewares=[as_problems, bearer_required(admin_token, open_paths=frozenset([DESCRIPTION]))])
    api.router.add_get("/openapi.json", description)
    _add_profiles(api.router, Profiles(steering.pool))
    _add_runs(api.router, Runs(steering))
    _add_queue(api.router, QueueHandlers(steering))
    _add_policies(api.router, Policies(steering.pool, steering.policy))
    _add_installations(api.router, Installations(steering))
    _add_trail(api.router, Trail(steering.pool))
    return api


def _add_profiles(router: web.UrlDispatcher, handlers: Profiles) -> None:
    router.add_get("/profiles", handlers.listing)
    router.add_get("/profiles/{owner}/{repo}", handlers.read)
    router.add_put("/profiles/{owner}/{repo}", handlers.put)
    router.add_patch("/profiles/{owner}/{repo}", handlers.patch)
    router.add_delete("/profiles/{owner}/{repo}", handlers.delete)


def _add_runs(router: web.UrlDispatcher, handlers: Runs) -> None:
    router.add_get("/runs", handlers.listing)
    router.add_get("/runs/{run}", handlers.read)
    router.add_get("/runs/{run}/log", handlers.read_log)
    router.add_post("/runs/{run}/rerun", handlers.rerun)
    router.add_post("/runs/{run}/cancel", handlers.cancel)
    router.add_post("/runs/{run}/approve", handlers.approve)
    router.add_post("/runs/{run}/purge", handlers.purge)
    router.add_get("/runs/{run}/attempts/{number}", handlers.read_attempt)
    router.add_get("/runs/{run}/attempts/{number}/log", handlers.read_log)
    router.add_post("/runs/{run}/attempts/{number}/purge", handlers.purge)


def _add_queue(router: web.UrlDispatcher, handlers: QueueHandlers) -> None:
    router.add_get("/queue", handlers.read)
    for path in ("/queue/pause", "/queue/pause/{owner}/{repo}"):
        router.add_put(path, handlers.pause)
        router.add_delete(path, handlers.resume)
    router.add_put("/queue/workers/{worker}/drain", handlers.drain)
    router.add_delete("/queue/workers/{worker}/drain", handlers.undrain)


def _add_policies(router: web.UrlDispatcher, handlers: Policies) -> None:
    router.add_get("/policies/{owner}/{repo}", handlers.read)
    router.add_patch("/policies/{owner}/{repo}", handlers.patch)
    router.add_delete("/policies/{owner}/{repo}", handlers.delete)


def _add_trail(router: web.UrlDispatcher, handlers: Trail) -> None:
    router.add_get("/audit", handlers.listing)
    router.add_get("/deliveries", handlers.deliveries)
    router.add_get("/deliveries/{guid}", handlers.delivery)
    router.add_post("/deliveries/{guid}/purge", handlers.purge)


def _add_installations(router: web.UrlDispatcher, handlers: Installations) -> None:
    router.add_get("/installations", handlers.listing)
    router.add_put("/installations/{id}/state", handlers.put_state)
