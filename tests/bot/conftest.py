"""The application under test, on a port of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot import github as github_client
from bot.github import GitHub
from bot.serve import create_app, create_runner
from bot.triggers import Rules
from draftsman.store.database import Pool
from tests.github import GitHubStandIn


@dataclass
class Served:
    """The running application. `woken` counts the wake-ups of the queue, which raise `wake_error` if set."""

    url: str
    session: aiohttp.ClientSession
    woken: int = 0
    wake_error: Exception | None = None
    redis_is_up: bool = True
    secret: str = ""


@pytest.fixture
async def served(pool: Pool[Any], github: GitHubStandIn) -> AsyncIterator[Served]:
    """The application, on the test's database; the stand-in delivers to it."""
    async with aiohttp.ClientSession() as session:
        served = Served("", session, secret=github.app.webhook_secret)

        async def wake() -> None:
            served.woken += 1
            if served.wake_error:
                raise served.wake_error

        async def redis_answers() -> bool:
            return served.redis_is_up

        app = create_app(
            pool=pool,
            webhook_secret=served.secret,
            rules=Rules(github.server_url, ("[skip ci]",)),
            wake=wake,
            redis_answers=redis_answers,
        )
        runner = create_runner(app, shutdown_seconds=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        github.webhook_url = f"{served.url}/webhooks/github"
        github.auto_deliver = True
        yield served
        await runner.cleanup()


@pytest.fixture
async def app_client(github: GitHubStandIn) -> AsyncIterator[GitHub]:
    """Our App's client, speaking to the stand-in."""
    async with github_client.connect(
        app_id=str(github.app.id), private_key=github.app.private_key_pem, api_url=github.api_url
    ) as client:
        yield client
