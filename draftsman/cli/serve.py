"""`draftsman serve`: receives webhooks, reports check runs, shows runs."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from bot.intake import Receiver
from bot.recovery import Recovery, list_days
from bot.reporter import Reporter
from bot.serve import create_app, create_runner
from bot.tasks.desk import Desk
from bot.tasks.loop import TaskLoop
from bot.triggers import Rules
from bot.wait_review import WaitReview
from draftsman.cli import services
from draftsman.cli.github import opened_app
from draftsman.cli.lifetime import until_told
from draftsman.domain.errors import HostError, SettingsError
from draftsman.pulse import LoopWatch, Pulse
from draftsman.settings import Settings

log = logging.getLogger(__name__)

_OPEN_REQUESTS_SECONDS = 5


async def serve(settings: Settings, *, with_parent: bool) -> int:
    """Serve until a signal. Returns the exit code of the command."""
    secret = _webhook_secret(settings)
    urls = services.found(settings)
    public_url = settings.public_url or f"http://{settings.host}:{settings.port}"
    async with (
        services.wake_ups(urls.redis_url) as wake_ups,
        services.awaited(urls.database_url, for_ever=not with_parent) as pool,
        opened_app(settings) as github,
    ):
        await wake_ups.answers()  # so that the log tells at the start, not at the first delivery
        rules = rules_of(settings)
        app = create_app(
            pool=pool,
            webhook_secret=secret,
            rules=rules,
            wake=wake_ups.wake,
            redis_answers=wake_ups.answers,
            admin_token=settings.admin_token.get_secret_value() if settings.admin_token else None,
        )
        terms, pulse = settings.terms, Pulse()
        reporter = Reporter(
            pool,
            github,
            public_url=public_url,
            database_url=urls.database_url,
            terms=terms,
            beat=pulse.of("telling GitHub"),
        )
        receiver = Receiver(pool, None, rules, wake_ups.wake)
        tasks = TaskLoop(
            Desk(receiver, github, public_url.rstrip("/")), database_url=urls.database_url, beat=pulse.of("tasks")
        )
        recovery = Recovery(
            receiver,
            github,
            every_seconds=settings.poll_seconds if settings.delivery == "poll" else settings.recovery_seconds,
            list_days=list_days(settings.github_api_url),
        )
        await until_told(
            _listen(app, settings),
            reporter.run(asyncio.Event()),
            tasks.run(),
            recovery.run(asyncio.Event()),
            WaitReview(pool, terms).run(),
            pulse.watch(),
            LoopWatch().watch(),
            with_parent=with_parent,
        )
    return 0


def rules_of(settings: Settings) -> Rules:
    """Return what the administrator set, as deciding about events needs it."""
    return Rules(
        server_url=settings.github_server_url.rstrip("/"),
        skip_markers=settings.skip_markers,
        policy=settings.policy,
        app_id=settings.github_app_id or "",
        aliases=settings.command_aliases,
        admission=settings.admission,
        queue_limit=settings.queue_per_repository,
    )


def _webhook_secret(settings: Settings) -> str | None:
    if settings.delivery == "poll":
        return None
    if settings.github_webhook_secret is None:
        raise SettingsError(
            "GITHUB_WEBHOOK_SECRET is not set: set it to the secret of the App's webhook. Where GitHub cannot reach "
            "this machine, set DRAFTSMAN_DELIVERY=poll instead."
        )
    return settings.github_webhook_secret.get_secret_value()


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
