"""`draftsman serve`: receives webhooks, reports check runs, shows runs."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from bot.reporter import Reporter
from bot.serve import create_app, create_runner
from bot.triggers import Rules
from draftsman.cli import services
from draftsman.cli.admission import admission_of
from draftsman.cli.github import opened_app
from draftsman.cli.lifetime import until_told
from draftsman.domain.errors import HostError, SettingsError
from draftsman.settings import Settings

log = logging.getLogger(__name__)

_OPEN_REQUESTS_SECONDS = 5


async def serve(settings: Settings, *, with_parent: bool) -> int:
    """Serve until a signal. Returns the exit code of the command."""
    if settings.github_webhook_secret is None:
        raise SettingsError("GITHUB_WEBHOOK_SECRET is not set: set it to the secret of the App's webhook.")
    urls = services.found(settings)
    public_url = settings.public_url or f"http://{settings.host}:{settings.port}"
    async with (
        services.wake_ups(urls.redis_url) as wake_ups,
        services.opened(urls.database_url) as pool,
        opened_app(settings) as github,
    ):
        await wake_ups.answers()  # so that the log tells at the start, not at the first delivery
        app = create_app(
            pool=pool,
            webhook_secret=settings.github_webhook_secret.get_secret_value(),
            rules=Rules(settings.github_server_url.rstrip("/"), settings.skip_markers),
            wake=wake_ups.wake,
            redis_answers=wake_ups.answers,
            admin_token=settings.admin_token.get_secret_value() if settings.admin_token else None,
            policy=settings.policy,
            admission=admission_of(settings),
        )
        reporter = Reporter(pool, github, public_url=public_url, database_url=urls.database_url)
        await until_told(_listen(app, settings), reporter.run(asyncio.Event()), with_parent=with_parent)
    return 0


async def _listen(app: web.Application, settings: Settings) -> None:
    runner = create_runner(app, shutdown_seconds=_OPEN_REQUESTS_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            raise HostError(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}): "
                "set DRAFTSMAN_HOST and DRAFTSMAN_PORT to a free address."
            ) from error
        log.info("listening on http://%s:%s", settings.host, settings.port)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
