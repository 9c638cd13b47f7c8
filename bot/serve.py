"""The web application: GitHub's deliveries in, pages of runs out, and the API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from bot import health, pages
from bot.api.application import PREFIX, create_api
from bot.intake import Receiver, Wake
from bot.triggers import Rules
from bot.webhooks import receive
from draftsman import __version__
from draftsman.domain.alert import Alert
from draftsman.domain.errors import SettingsError
from draftsman.steering import Steering
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool

log = logging.getLogger(__name__)

GREETING = (
    f"Draftsman {__version__} checks commits for GitHub: webhooks go to /webhooks/github, /health tells how it is.\n"
)

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The address of a run's page is what makes it private.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    # No scripts at all: what a page shows was written by strangers.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
}


def create_app(
    *,
    pool: Pool[Any],
    webhook_secret: str | None,
    rules: Rules,
    wake: Wake,
    redis_answers: Callable[[], Awaitable[bool]],
    admin_token: str | None = None,
) -> web.Application:
    """Return the application. `wake` tells the workers that there may be work; `redis_answers` is for `/health`.

    `webhook_secret` is the App's, None where GitHub sends nothing and its list of deliveries is read instead.
    `admin_token` opens the API; without one it is off.

    Raises SettingsError where the webhook secret is empty: everybody could sign with it.
    """
    if webhook_secret == "":
        raise SettingsError("GITHUB_WEBHOOK_SECRET is missing: set it to the secret of the App's webhook.")
    receiver = Receiver(pool, None if webhook_secret is None else webhook_secret.encode(), rules, wake)
    turns = asyncio.Semaphore(pages.AT_ONCE)

    async def webhook(request: web.Request) -> web.StreamResponse:
        return await receive(request, receiver)

    async def healthy(_: web.Request) -> web.StreamResponse:
        return await health.answer(pool, redis_answers)

    async def run_page(request: web.Request) -> web.StreamResponse:
        return await pages.run_page(request, pool, server_url=rules.server_url, terms=rules.terms, turns=turns)

    async def attempt_log(request: web.Request) -> web.StreamResponse:
        return await pages.attempt_log(request, pool)

    async def artifact(request: web.Request) -> web.StreamResponse:
        return await pages.artifact(request, pool)

    app = web.Application(middlewares=[_last_resort])
    app.on_response_prepare.append(_secure)
    app.router.add_post("/webhooks/github", webhook)
    app.router.add_get("/health", healthy)
    app.router.add_get("/runs/{run}", run_page)
    app.router.add_get(r"/runs/{run}/{attempt:[1-9]\d{0,8}}/log", attempt_log)
    app.router.add_get(r"/runs/{run}/{attempt:[1-9]\d{0,8}}/artifacts/{artifact:[1-9]\d{0,3}}", artifact)
    app.router.add_get("/", _greet)
    steering = Steering(pool, wake, rules.policy, rules.admission, rules.queue_limit)
    app.add_subapp(PREFIX, create_api(steering, admin_token))
    return app


def create_runner(app: web.Application, *, shutdown_seconds: float) -> web.AppRunner:
    """Return what serves the application; open requests have so many seconds to end.

    No body is unpacked: whoever sends one that is compressed is told so, not served by a decompressor.
    """
    return web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_seconds, auto_decompress=False)


async def _greet(_: web.Request) -> web.Response:
    return web.Response(text=GREETING)


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    for name, content in SECURITY_HEADERS.items():
        response.headers.setdefault(name, content)
    response.headers["Server"] = "draftsman"


@web.middleware
async def _last_resort(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except DATABASE_AWAY as error:
        if request.transport is None or request.transport.is_closing():
            log.debug("%s %s: the client left: %r", request.method, request.path, error)
        else:
            log.error(
                "%s %s: Postgres is away: %r", request.method, request.path, error, extra=Alert.POSTGRES_AWAY.extra
            )
        return web.Response(status=503, text="The database does not answer; try again in a moment.\n")
    except DATABASE_REFUSED as error:
        log.error(
            "%s %s: Postgres refused: %r", request.method, request.path, error, extra=Alert.POSTGRES_REFUSES.extra
        )
        return web.Response(status=500, text="The database refused this; the log of Draftsman says why.\n")
