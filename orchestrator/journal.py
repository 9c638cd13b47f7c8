"""Writes an attempt's progress to the store, as it happens.

Output is gathered for a moment before it becomes a chunk: a row a line would drown the database, and half a second
is still live for a person who watches. While Postgres is away, writing waits, as long as the lease may be held. Each
write can be repeated, since the answer to one that was done may have been lost: a chunk of the log has its position
before it is first sent.

A job that an earlier worker followed tells its output from the beginning again; what the store has of it is passed
over, byte for byte. An attempt that begins anew (it enters `preparing`) drops what was told of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Self

from draftsman.domain.alert import Alert
from draftsman.domain.errors import LeaseLostError
from draftsman.domain.outcome import ImageUsed, Outcome
from draftsman.domain.plan import Plan
from draftsman.domain.progress import Entered, ImageReady, Output, Planned, Progress, StepFinished, StepStarted
from draftsman.domain.retry import NO_RETRIES, RetryRules
from draftsman.domain.run import Attempt, RunState
from draftsman.store import artifacts, attempts, images, logs, retrying, steps
from draftsman.store.database import DATABASE_AWAY, Pool
from draftsman.store.logs import LogChunk, Mark
from draftsman.store.retry import retried
from orchestrator.lease import Lease
from orchestrator.log_room import Cut, LogRoom

log = logging.getLogger(__name__)

_FLUSH_BYTES = 128 * 1024
_FLUSH_SECONDS = 0.5
_REST_SECONDS = 2.0
_MARK_MILLISECONDS = 10
"""Lines of one stream that are nearer to each other share a time."""
_OURS = ("prepare", "image")
"""Sections that are not the job's: they end before it begins."""

KEPT_BYTES = 10 * 2**20
"""How much of a log is kept by default."""


class Journal:
    """The sink of one claimed attempt. Raises LeaseLostError out of a transition once the lease is lost.

    `engine` returns the id of the engine that has the image; it is asked once an image is there.
    """

    def __init__(
        self,
        pool: Pool[Any],
        attempt: Attempt,
        lease: Lease,
        *,
        owner: str,
        engine: Callable[[], str],
        kept_bytes: int = KEPT_BYTES,
        retries: RetryRules = NO_RETRIES,
    ) -> None:
        self._pool = pool
        self._attempt = attempt
        self._lease = lease
        self._owner = owner
        self._engine = engine
        self._retries = retries
        self._section = ""
        self._pending = bytearray()
        self._marks: list[Mark] = []
        self._chunks: deque[LogChunk] = deque()
        self._kept_bytes = kept_bytes
        self._room = LogRoom(kept_bytes)
        self._cutting: Cut | None = None
        self._job_bytes = self._known_bytes = 0
        self._writing = asyncio.Lock()
        self._flusher: asyncio.Task[None] | None = None
        self._plan: Plan | None = None

    async def __aenter__(self) -> Self:
        kept: list[logs.ChunkSize] = []

        async def read() -> None:
            kept[:] = await logs.sizes(self._pool, self._attempt.id)

        await self._write(read)
        self._room = LogRoom(self._kept_bytes, kept)
        self._known_bytes = max((chunk.job_bytes for chunk in kept), default=0)
        self._flusher = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        await self._keep_rest()

    async def __call__(self, progress: Progress) -> None:
        """Take one piece of progress."""
        match progress:
            case Output():
                await self._gather(progress)
            case Entered(state):
                if state is RunState.PREPARING:  # the claim itself entered it
                    await self._begin_anew()
                else:
                    await self._flush()  # the job tells its own output anew to whoever adopts it, nobody the build's
                    await self._write(lambda: attempts.enter(self._pool, self._attempt, state, owner=self._owner))
            case Planned(plan):
                self._plan = plan
                await self._write(lambda: self._keep_plan(plan))
            case ImageReady(image):
                await self._write(lambda: self._keep_image(image))
            case StepStarted(step):
                await self._flush()
                await self._write(lambda: steps.started(self._pool, self._attempt, step.id))
            case StepFinished(result):
                await self._flush()
                await self._write(lambda: steps.finished(self._pool, self._attempt, result))

    async def finish(self, outcome: Outcome) -> None:
        """End the attempt and keep its results, findings and retry, in one transaction. Raises LeaseLostError."""
        await self._flush()
        await self._write(lambda: self._finish(outcome))

    async def _begin_anew(self) -> None:
        await self._write(lambda: logs.clear(self._pool, self._attempt))
        self._room = LogRoom(self._kept_bytes)
        self._job_bytes = self._known_bytes = 0

    async def _write(self, statement: Callable[[], Awaitable[None]]) -> None:
        """Run the statement, waiting for Postgres until nobody can count on the lease. Raises LeaseLostError."""
        attempt = self._attempt
        try:
            await retried(statement, seconds_left=lambda: self._lease.seconds_left, name=f"attempt {attempt.id}")
        except DATABASE_AWAY as error:
            raise LeaseLostError(
                f"The lease of attempt {attempt.id} (epoch {attempt.epoch}) ran out while Postgres was away: {error!r}"
            ) from error

    async def _keep_plan(self, plan: Plan) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await attempts.keep_plan(connection, self._attempt, plan)
            await steps.replace(connection, self._attempt, plan.limited_to(self._attempt.tiers).steps)

    async def _keep_image(self, image: ImageUsed) -> None:
        repo = self._attempt.run.repository.full_name
        dockerfile = self._plan.dockerfile if self._plan else ""
        async with self._pool.acquire() as connection, connection.transaction():
            await attempts.keep_image(connection, self._attempt, image)
            await images.keep(connection, image, engine=self._engine(), repo=repo, dockerfile=dockerfile)

    async def _finish(self, outcome: Outcome) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await retrying.end(connection, self._attempt, outcome, owner=self._owner, rules=self._retries)
            await steps.keep_results(connection, self._attempt, outcome.steps)
            await steps.keep_findings(connection, self._attempt, outcome.findings)
            await artifacts.keep(connection, self._attempt, outcome.artifacts)

    async def _gather(self, output: Output) -> None:
        if output.section != self._section:
            self._cut()  # before these bytes count: a chunk tells how many there were up to its end
            self._section = output.section
        content = output.content
        if output.section not in _OURS:
            known = min(max(self._known_bytes - self._job_bytes, 0), len(content))
            self._job_bytes += len(content)
            content = content[known:]
        if not content:
            return
        self._mark(output)
        self._pending += content
        if len(self._pending) >= _FLUSH_BYTES:
            await self._flush()

    def _cut(self) -> None:
        """Make a chunk of what is pending. Its content and position stay, however often it is written."""
        if self._pending:
            content, marks = bytes(self._pending), tuple(self._marks)
            job_bytes = 0 if self._section in _OURS else self._job_bytes
            self._chunks.append(LogChunk(self._room.position(), self._section, content, marks, job_bytes))
            self._pending.clear()
            self._marks.clear()

    def _mark(self, output: Output) -> None:
        at = output.at // 1_000_000
        last = self._marks[-1] if self._marks else None
        if at and (last is None or last.stream != output.stream or at - last.at >= _MARK_MILLISECONDS):
            self._marks.append(Mark(len(self._pending), output.stream, at))

    async def _flush(self) -> None:
        await self._write(self._write_chunks)

    async def _write_chunks(self) -> None:
        async with self._writing:
            self._cut()
            while self._chunks:
                chunk = self._chunks[0]
                await logs.keep(self._pool, self._attempt, chunk)
                if self._cutting is None:
                    self._cutting = self._room.added(chunk.position, len(chunk.content))
                if self._cutting is not None:
                    await self._drop(self._cutting, chunk.section)
                self._cutting = None
                self._chunks.popleft()

    async def _drop(self, what: Cut, section: str) -> None:
        note = LogChunk(what.note, section, what.text, cut_bytes=what.cut_bytes)
        async with self._pool.acquire() as connection, connection.transaction():
            await logs.cut(connection, self._attempt, note, before=what.before)

    async def _keep_rest(self) -> None:
        """Write what was told in the last moment: of a build that is broken off, nobody tells it again."""
        try:
            async with asyncio.timeout(_REST_SECONDS):
                await self._write_chunks()
        except (LeaseLostError, *DATABASE_AWAY) as error:
            log.warning("attempt %s: the end of its log was not kept: %r", self._attempt.id, error)

    async def _flush_regularly(self) -> None:
        away = False
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                await self._write_chunks()
            except DATABASE_AWAY as error:
                if not away:
                    log.warning(
                        "attempt %s: its log waits for Postgres: %r",
                        self._attempt.id,
                        error,
                        extra=Alert.POSTGRES_AWAY.extra,
                    )
                away = True
            else:
                away = False
