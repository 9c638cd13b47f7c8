"""Writes an attempt's progress to the store, as it happens.

Output is gathered for a moment before it becomes a chunk: a row a line would drown the database, and half a second
is still live for a person who watches.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self

from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import Plan
from draftsman.domain.progress import Entered, ImageReady, Output, Planned, Progress, StepFinished, StepStarted
from draftsman.domain.run import Attempt, RunState
from draftsman.store import attempts, images, logs, steps
from draftsman.store.database import DATABASE_AWAY, Pool

log = logging.getLogger(__name__)

_FLUSH_BYTES = 128 * 1024
_FLUSH_SECONDS = 0.5


class Journal:
    """The sink of one claimed attempt. Raises LeaseLostError out of a transition once the lease is lost."""

    def __init__(self, pool: Pool[Any], attempt: Attempt, *, owner: str, engine: str) -> None:
        self._pool = pool
        self._attempt = attempt
        self._owner = owner
        self._engine = engine
        self._section = ""
        self._pending = bytearray()
        self._writing = asyncio.Lock()
        self._flusher: asyncio.Task[None] | None = None
        self._plan: Plan | None = None

    async def __aenter__(self) -> Self:
        await logs.clear(self._pool, self._attempt)
        self._flusher = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)

    async def __call__(self, progress: Progress) -> None:
        """Take one piece of progress."""
        match progress:
            case Output(section, content):
                await self._gather(section, content)
            case Entered(state):
                if state is not RunState.PREPARING:  # the claim itself entered it
                    await attempts.enter(self._pool, self._attempt, state, owner=self._owner)
            case Planned(plan):
                self._plan = plan
                async with self._pool.acquire() as connection, connection.transaction():
                    await attempts.keep_plan(connection, self._attempt, plan)
                    await steps.replace(connection, self._attempt, plan.steps)
            case ImageReady(image):
                await attempts.keep_image(self._pool, self._attempt, image)
                await images.keep(
                    self._pool,
                    image,
                    engine=self._engine,
                    repo=self._attempt.run.repository.full_name,
                    dockerfile=self._plan.dockerfile if self._plan else "",
                )
            case StepStarted(step):
                await self._flush()
                await steps.started(self._pool, self._attempt, step.id)
            case StepFinished(result):
                await self._flush()
                await steps.finished(self._pool, self._attempt, result)

    async def finish(self, outcome: Outcome) -> None:
        """End the attempt and keep its results and findings, in one transaction. Raises LeaseLostError."""
        await self._flush()
        async with self._pool.acquire() as connection, connection.transaction():
            await attempts.finish(connection, self._attempt, outcome, owner=self._owner)
            await steps.keep_results(connection, self._attempt, outcome.steps)
            await steps.keep_findings(connection, self._attempt, outcome.findings)

    async def _gather(self, section: str, content: bytes) -> None:
        if section != self._section:
            await self._flush()
            self._section = section
        self._pending += content
        if len(self._pending) >= _FLUSH_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        async with self._writing:
            if self._pending:
                content = bytes(self._pending)
                await logs.append(self._pool, self._attempt, self._section, content)
                del self._pending[: len(content)]

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                await self._flush()
            except DATABASE_AWAY as error:
                log.warning("attempt %s: its log waits for Postgres: %s", self._attempt.id, error)
