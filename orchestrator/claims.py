"""Takes attempts as long as there are free slots, and holds their leases while they are executed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from draftsman.awake import AwakeClock
from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.alert import Alert
from draftsman.domain.errors import LeaseLostError
from draftsman.domain.labels import Offer
from draftsman.domain.outcome import Outcome
from draftsman.domain.progress import Sink
from draftsman.domain.retry import NO_RETRIES, RetryRules
from draftsman.domain.run import Attempt
from draftsman.pulse import Beat, no_beat
from draftsman.store import attempts, leases
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool
from draftsman.store.retry import retried
from orchestrator.cancellation import Cancellation
from orchestrator.journal import KEPT_BYTES, Journal
from orchestrator.lease import Lease

log = logging.getLogger(__name__)

Execute = Callable[[Attempt, Sink, Cancellation], Awaitable[Outcome]]
Release = Callable[[Attempt], Awaitable[None]]
"""Removes what the execution of an attempt used; it raises nothing."""
Leave = Callable[[Attempt], Awaitable[bool]]
"""Leaves the job of an attempt to the next worker, or removes it; returns whether it goes on. It raises nothing."""
_HEAR_SECONDS = 1.0
_LEAVE_SECONDS = 12
_LOOK_SECONDS = 5  # a wake-up that got lost costs this much, no more
_GIVE_BACK_SECONDS = 5  # a worker that stops does not wait longer than this for Postgres
_BREAK_SECONDS = 30.0  # of time in which nobody looked, since the machine slept or Postgres was away, so much counts


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """How many attempts this worker takes, and for how long a lease is good without renewal.

    `engine` returns the id of the engine; it is asked once an attempt has its image. `admission` says whose,
    `retries` how often what failed by no fault of its author is tried again. `offer` returns what the worker offers;
    it is asked once the worker is ready. For `hand_over_seconds` an attempt that is given back while its job goes on is
    kept for workers of the same engine.
    """

    owner: str
    engine: Callable[[], str]
    slots: int
    per_repository: int
    lease_seconds: float
    kept_log_bytes: int = KEPT_BYTES
    admission: Admission = EVERYBODY
    retries: RetryRules = NO_RETRIES
    offer: Callable[[], Offer] = Offer
    hand_over_seconds: float = 0


async def _nothing(_: Attempt) -> None:
    """Release nothing."""


async def _leave_nothing(_: Attempt) -> bool:
    """Leave nothing."""
    return False


async def _always() -> bool:
    return True


class Claims:
    """The attempts that this worker has taken.

    `leave` does with one what must be done where this worker stops. Nothing is taken while `is_ready` says no, nothing
    new while `has_room` does. `beat` is called each time they are looked after.
    """

    def __init__(
        self,
        pool: Pool[Any],
        execute: Execute,
        rules: ClaimRules,
        *,
        release: Release = _nothing,
        leave: Leave = _leave_nothing,
        is_ready: Callable[[], Awaitable[bool]] = _always,
        has_room: Callable[[], bool] = lambda: True,
        beat: Beat = no_beat,
    ) -> None:
        self._pool = pool
        self._execute = execute
        self._release = release
        self._leave = leave
        self._is_ready = is_ready
        self._has_room = has_room
        self._beat = beat
        self._clock = AwakeClock(longest_step=_BREAK_SECONDS)
        self._looked_at: float | None = None
        self._rules = rules
        self._cancels: dict[UUID, Cancellation] = {}
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """Return how many slots are in use."""
        return len(self._running)

    def seconds_since_look(self) -> float | None:
        """Return for how long nothing could be taken though a slot was free, None where it never could yet.

        Below a few seconds all is well, whether there was anything to take or not.
        """
        if len(self._running) >= self._rules.slots:
            return 0.0
        return None if self._looked_at is None else self._clock.now() - self._looked_at

    def wake(self) -> None:
        """Look for a queued attempt now."""
        self._woken.set()

    async def run(self) -> None:
        """Claim and execute until cancelled; then the attempts under way are given up, for another worker to take."""
        hearing = asyncio.create_task(self._hear_cancels())
        try:
            while True:
                self._beat()
                self._clock.now()
                self._woken.clear()
                await self._fill_slots()
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            for task in (hearing, *self._running):
                task.cancel()
            await asyncio.gather(hearing, *self._running, return_exceptions=True)

    async def _hear_cancels(self) -> None:
        """Pass on for ever what people want to end."""
        while True:
            await asyncio.sleep(_HEAR_SECONDS)
            if not self._cancels:
                continue
            try:
                asked = await attempts.cancels_asked(self._pool, list(self._cancels))
            except DATABASE_AWAY:
                continue  # the leases say so already
            except DATABASE_REFUSED as error:
                log.error(
                    "cannot hear who cancels: Postgres refuses", exc_info=error, extra=Alert.POSTGRES_REFUSES.extra
                )
                continue
            for attempt_id, reason in asked.items():
                if attempt_id in self._cancels:
                    self._cancels[attempt_id].ask(reason)

    async def _fill_slots(self) -> None:
        rules = self._rules
        # Asked also where no slot is free: it tells others of an engine that is away.
        while await self._is_ready() and len(self._running) < rules.slots:
            try:
                attempt = await leases.claim(
                    self._pool,
                    owner=rules.owner,
                    lease_seconds=rules.lease_seconds,
                    per_repository=rules.per_repository,
                    admission=rules.admission,
                    offer=rules.offer(),
                    only_kept=not self._has_room(),
                )
            except DATABASE_AWAY as error:
                log.warning("cannot claim, trying again: %r", error, extra=Alert.POSTGRES_AWAY.extra)
                return
            except DATABASE_REFUSED as error:
                # Attempts that go on must not end with it.
                log.error("cannot claim: Postgres refuses", exc_info=error, extra=Alert.POSTGRES_REFUSES.extra)
                return
            self._looked_at = self._clock.now()
            if attempt is None:
                return
            task = asyncio.create_task(self._attend(attempt), name=f"attempt {attempt.id}")
            self._running.add(task)
            task.add_done_callback(self._free)

    def _free(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: %s", task.get_name(), error, exc_info=error)

    async def _attend(self, attempt: Attempt) -> None:
        """Execute one attempt and keep its outcome. A lost lease ends it quietly: another worker has it."""
        log.info("attempt %s: %s at %s", attempt.id, attempt.run.repository.full_name, attempt.run.head_sha[:12])
        rules = self._rules
        cancel = self._cancels[attempt.id] = Cancellation()
        lease = Lease(self._pool, attempt, seconds=rules.lease_seconds)
        holding = asyncio.create_task(lease.hold(), name=f"lease of {attempt.id}")
        try:
            async with Journal(
                self._pool,
                attempt,
                lease,
                owner=rules.owner,
                engine=rules.engine,
                kept_bytes=rules.kept_log_bytes,
                retries=rules.retries,
            ) as journal:
                outcome = await self._while_held(self._execute(attempt, journal, cancel), holding, attempt)
                await journal.finish(outcome)
            log.info("attempt %s: %s, %s", attempt.id, outcome.conclusion, outcome.title)
        except LeaseLostError as error:
            # Its job is the other worker's now.
            log.warning("%s", error)
        except DATABASE_AWAY as error:
            log.warning(
                "attempt %s: given back, since Postgres is away: %r", attempt.id, error, extra=Alert.POSTGRES_AWAY.extra
            )
            await self._give_back(attempt, lease.seconds_left, goes_on=True)
        except asyncio.CancelledError:
            log.info("attempt %s: given back, since this worker stops", attempt.id)
            goes_on = await self._hand_over(attempt)
            await self._give_back(attempt, _GIVE_BACK_SECONDS, goes_on=goes_on)
            raise
        else:
            await self._release_whole(attempt)
        finally:
            holding.cancel()
            # A later claim of the same attempt may be this worker's, too.
            if self._cancels.get(attempt.id) is cancel:
                del self._cancels[attempt.id]

    async def _release_whole(self, attempt: Attempt) -> None:
        """Remove what an attempt used that has ended, also where this worker is told to stop meanwhile."""
        releasing = asyncio.ensure_future(self._release(attempt))
        try:
            await asyncio.shield(releasing)
        except asyncio.CancelledError:
            await asyncio.wait((releasing,), timeout=_LEAVE_SECONDS)
            raise
        finally:
            releasing.cancel()

    async def _while_held(
        self, execution: Awaitable[Outcome], holding: asyncio.Task[None], attempt: Attempt
    ) -> Outcome:
        """Return the outcome. Once the lease is lost the execution is left off, and LeaseLostError raised."""
        work = asyncio.ensure_future(execution)
        try:
            await asyncio.wait((work, holding), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise LeaseLostError(f"The lease of attempt {attempt.id} (epoch {attempt.epoch}) was lost.")
            return work.result()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _hand_over(self, attempt: Attempt) -> bool:
        """Leave the attempt's job to the next worker. Returns whether it goes on."""
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                return await self._leave(attempt)
        except TimeoutError:
            log.warning("attempt %s: the engine did not answer in time, its job is for upkeep", attempt.id)
            return False

    async def _give_back(self, attempt: Attempt, seconds: float, *, goes_on: bool) -> None:
        """Let another worker take the attempt; one whose job `goes_on`, first of all one of this engine.

        Where that cannot be told within `seconds`, its lease runs out by itself.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        kept = self._rules.hand_over_seconds if goes_on else 0
        try:
            await retried(
                lambda: leases.give_back(self._pool, attempt, owner=self._rules.owner, kept_seconds=kept),
                seconds_left=lambda: deadline - loop.time(),
                name=f"attempt {attempt.id}",
            )
        except (LeaseLostError, *DATABASE_AWAY) as error:
            log.warning("attempt %s was not given back: %s", attempt.id, error)
