"""`draftsman worker`: takes queued attempts and executes them on the Docker engine beside it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import AsyncExitStack
from typing import Any

from draftsman import queue
from draftsman.cli import services, tools
from draftsman.cli.github import opened_app
from draftsman.cli.lifetime import until_told
from draftsman.domain.errors import EngineError
from draftsman.settings import Settings
from draftsman.store.database import Pool
from draftsman.store.locks import held
from orchestrator.claims import ClaimRules, Claims
from orchestrator.executor import ReadyTools, executor
from orchestrator.pipeline import Tools
from orchestrator.upkeep import reconcile_regularly
from orchestrator.worker import listen

log = logging.getLogger(__name__)


async def worker(settings: Settings, *, with_parent: bool) -> int:
    """Work until a signal. Returns the exit code of the command."""
    urls = services.found(settings)
    owner = f"{socket.gethostname()}:{os.getpid()}"
    redis = await queue.connect(urls.redis_url)
    # One connection for each job's journal, lease and build lock, and some for claims and upkeep.
    size = 4 + 3 * settings.job_slots
    async with (
        services.opened(urls.database_url, size=size) as pool,
        opened_app(settings) as github,
        AsyncExitStack() as stack,
    ):
        ready_tools = _connecting(settings, pool, stack)
        try:
            await ready_tools()
        except EngineError as error:
            log.error("%s Until it answers, every run ends as an error.", error)
        rules = ClaimRules(
            owner=owner,
            engine=socket.gethostname(),
            slots=settings.job_slots,
            per_repository=settings.concurrency_per_repository,
            lease_seconds=settings.lease_seconds,
        )
        claims = Claims(pool, executor(pool, ready_tools, github.contents_token), rules)
        await until_told(
            claims.run(),
            listen(urls.redis_url, claims),
            reconcile_regularly(pool, lambda: queue.wake(redis), max_claims=settings.max_claims),
            with_parent=with_parent,
        )
    await redis.aclose()
    return 0


def _connecting(settings: Settings, pool: Pool[Any], stack: AsyncExitStack) -> ReadyTools:
    """Return what connects to the engine when it is first needed and answers, and keeps that connection."""
    connecting = asyncio.Lock()
    kept: list[Tools] = []

    async def ready_tools() -> Tools:
        async with connecting:
            if not kept:
                opened = tools.opened(settings, lambda key: held(pool, f"build {key}"))
                kept.append(await stack.enter_async_context(opened))
        return kept[0]

    return ready_tools
