"""`draftsman images renew`: images that will soon be too old are built anew; the worker does the same every night."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from draftsman.cli import services, terminal
from draftsman.cli.engine_tools import EngineTools
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import DraftsmanError
from draftsman.settings import Settings
from draftsman.store import audit
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool
from orchestrator.images.ensure import Shop
from orchestrator.images.renewal import renew
from orchestrator.order import Tools

log = logging.getLogger(__name__)

_IDLE_SECONDS = 5.0
_BUSY_HOURS = 3
"""A worker that has no moment for it leaves it for the next night."""


async def renew_images(settings: Settings, *, dry_run: bool, as_json: bool) -> int:
    """Renew what is due, and say what. Returns the exit code of the command."""
    url = services.found(settings).database_url
    async with services.opened(url, size=4) as pool, AsyncExitStack() as stack:
        tools = await EngineTools(settings, pool, stack).ready()
        done = await renew(pool, _shop(tools), tools.mirrors, dry_run=dry_run)
    if as_json:
        print(json.dumps({"dry_run": dry_run, "images": [asdict(one) for one in done]}, indent=2))
        return 0
    shown = terminal.console()
    for one in done:
        became = f"stays: {one.why_not}" if one.why_not else "would be built anew" if dry_run else "built anew"
        shown.print(f"{quoted(one.tag)} of {quoted(one.repo)} {became}")
    built = sum(not one.why_not for one in done)
    shown.print(f"{built} image{'' if built == 1 else 's'} {'would be ' if dry_run else ''}built anew.")
    return 0


async def renew_at_night(
    pool: Pool[Any], engine_tools: EngineTools, *, may_build: Callable[[], bool], actor: str
) -> None:
    """Renew what is due, one image at a time, whenever the worker may build for it. It raises nothing."""

    async def idle() -> None:
        async with asyncio.timeout(_BUSY_HOURS * 3600):
            while not may_build():  # noqa: ASYNC110 - nobody says when a slot is free
                await asyncio.sleep(_IDLE_SECONDS)

    try:
        tools = await engine_tools.ready()
        done = await renew(pool, _shop(tools), tools.mirrors, idle=idle)
        for one in done:
            if one.why_not:
                log.warning("image %s of %s stays as it is: %s", one.tag, one.repo, one.why_not)
        if done:
            await audit.record(pool, actor=actor, action="images.renewed", images=[asdict(one) for one in done])
    except TimeoutError:
        log.warning("images are not renewed tonight: this worker was busy, drained or short of disk all the time")
    except (DraftsmanError, *DATABASE_AWAY, *DATABASE_REFUSED) as error:
        log.error("images are not renewed tonight: %s", error)


def _shop(tools: Tools) -> Shop:
    async def entered() -> None:
        """Tell nobody: no attempt waits."""

    async def output(content: bytes) -> None:
        log.debug("%s", content.decode("utf-8", "replace").rstrip())

    return tools.shop(entered, output)
