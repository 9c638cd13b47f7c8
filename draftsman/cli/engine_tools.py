"""A worker's way to its Docker engine, which may be away when the worker starts, and later."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from draftsman.cli import tools
from draftsman.domain.errors import EngineError
from draftsman.domain.labels import Offer, offered
from draftsman.settings import Settings
from draftsman.store import attempts
from draftsman.store.database import Pool
from draftsman.store.locks import held
from orchestrator.helper import Helper
from orchestrator.images.stored_records import StoredRecords
from orchestrator.order import Tools

log = logging.getLogger(__name__)

_PING_SECONDS = 5.0


class EngineTools:
    """Connects to the engine when it is first needed and answers, and keeps that connection."""

    def __init__(self, settings: Settings, pool: Pool[Any], stack: AsyncExitStack) -> None:
        self._settings = settings
        self._pool = pool
        self._stack = stack
        self._connecting = asyncio.Lock()
        self._tools: Tools | None = None
        self.is_away = False

    async def answers(self) -> bool:
        """Return whether the engine answers; the log is told once that it does not, and once that it does again."""
        try:
            await (await self.ready()).engine.call("GET", "_ping", seconds=_PING_SECONDS)
        except EngineError as error:
            if not self.is_away:
                log.warning("this worker takes no runs while its Docker engine is away: %s", error)
            self.is_away = True
            return False
        if self.is_away:
            log.warning("the Docker engine is back")
        self.is_away = False
        return True

    async def ready(self) -> Tools:
        """Return the tools. Raises EngineError while the engine is away."""
        async with self._connecting:
            if self._tools is None:
                self._tools = await self._stack.enter_async_context(
                    tools.opened(
                        self._settings,
                        self._build_lock,
                        lambda engine: StoredRecords(self._pool, engine, registry=self._settings.registry),
                        instance=str(await attempts.instance_of(self._pool)),
                    )
                )
        return self._tools

    async def helper(self) -> Helper:
        """Return what runs short commands on the engine. Raises EngineError while the engine is away."""
        return (await self.ready()).helper

    def engine_id(self) -> str:
        """Return the id of the engine, the same for all workers that share it. It must have answered before."""
        if self._tools is None:
            raise EngineError("The Docker engine has not answered yet.")
        return self._tools.engine.facts.id

    def engine_known(self) -> str | None:
        """Return the id of the engine, None before it answered."""
        return None if self._tools is None else self._tools.engine.facts.id

    def labels(self) -> tuple[str, ...]:
        """Return what this worker offers; before the engine answered, what it was given alone."""
        own = self._settings.labels
        if self._tools is None:
            return own
        facts = self._tools.engine.facts
        return offered(own, os=facts.os, architecture=facts.architecture)

    def offer(self) -> Offer:
        """Return what it claims with."""
        return Offer(self.labels(), self._settings.runs_on, self.engine_known())

    def _build_lock(self, repo: str, key: str) -> AbstractAsyncContextManager[None]:
        if self._settings.registry:
            return held(self._pool, f"build {repo.lower()} {key}")  # another engine's image serves here, too
        # Workers on another engine have images of their own to build.
        return held(self._pool, f"build {self.engine_id()} {key}")
