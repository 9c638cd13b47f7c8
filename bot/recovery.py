"""Finds the events that never arrived, in GitHub's own list of deliveries; in poll mode every event comes so.

The list is read back to what was read before. Where it does not reach that far, deliveries may have been lost: the
gap is noted, and the heads of all repositories are compared with what the store knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from bot import hook_list
from bot.github import GitHub
from bot.github_error import LONGEST_BACK_OFF, GitHubError, back_off
from bot.heads import compare
from bot.hook_list import Listed
from bot.intake import Receiver, keep
from bot.introduction import introduce
from bot.payload import Payload
from bot.triggers import EVENTS
from bot.webhooks import wake_workers
from draftsman.domain.alert import Alert
from draftsman.store import deliveries, recovery
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED
from draftsman.store.deliveries import Delivery
from draftsman.store.recovery import Standing

log = logging.getLogger(__name__)

LIST_DAYS = 3.0
LIST_DAYS_ENTERPRISE = 7.0
"""For how long GitHub, and an Enterprise Server, list a delivery."""

HOSTED = (".github.com", ".ghe.com")
"""What the names of GitHub's own hosts end in."""

OVERLAP = timedelta(seconds=60)
"""How far behind what was read the list is read again: an attempt that timed out is listed after newer ones."""

LISTED_WITHIN = timedelta(seconds=10)
"""How long after a delivery arrived GitHub's list may still lack it."""

SOON = 2.0
"""Seconds until a list that may lack something is read again."""

AT_ONCE = 8
"""Deliveries that are fetched at the same time."""

TRIES, TRIED_FOR = 10, 3600.0
"""A delivery that cannot be fetched is given up after so many tries and seconds."""

COMPARISONS = 10
"""Times that repositories are looked at again that GitHub does not let us see."""

REFUSED_FOR = 300.0
"""Seconds until a refusal that repeats itself (a wrong key) is tried again."""

ASKED_EVERY = 5.0
"""Seconds. Whether a person asked for a comparison is looked up in the store."""

_INSTALLING = frozenset({"installation", "installation_repositories"})


class Recovery:
    """Reads the list every so many seconds. `list_days` is for how long GitHub lists a delivery."""

    def __init__(
        self, receiver: Receiver, github: GitHub, *, every_seconds: float, list_days: float = LIST_DAYS
    ) -> None:
        self._receiver = receiver
        self._github = github
        self._every = every_seconds
        # A margin: what is about to be forgotten is not missed.
        self._kept_for = timedelta(days=list_days) - timedelta(hours=1)
        self._etag: str | None = None
        self._is_introduced = False
        self._failing: dict[str, _Failing] = {}
        self._compared: set[int] = set()
        self._comparisons = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Read the list until `stop` is set. GitHub or Postgres being away is waited for."""
        failures = 0
        while not stop.is_set():
            try:
                pause = await self.round()
            except GitHubError as error:
                self._tell(failures, error)
                pause = back_off(error, failures) if error.transient else REFUSED_FOR
                failures += 1
            except Exception as error:
                # Also a defect of ours: events that are not looked for would be lost in silence.
                is_known = isinstance(error, (*DATABASE_AWAY, *DATABASE_REFUSED))
                self._tell(failures, error, exc_info=not is_known)
                pause = min(LONGEST_BACK_OFF, 2.0**failures)
                failures = min(failures + 1, 10)
            else:
                if failures:
                    log.info("GitHub's list of deliveries can be read again")
                failures = 0
            await self._wait(stop, pause)

    def _tell(self, failures: int, error: Exception, *, exc_info: bool = False) -> None:
        level = logging.DEBUG if failures else logging.WARNING
        log.log(level, "events that did not arrive cannot be looked for now: %s", error, exc_info=exc_info)

    async def _wait(self, stop: asyncio.Event, seconds: float) -> None:
        """Wait so many seconds, less where the loop is to end or a person asks for a comparison."""
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, ASKED_EVERY)):  # `wait_for` of Python 3.11 may lose a cancellation
                    await stop.wait()
                return
            if left > ASKED_EVERY:
                with contextlib.suppress(*DATABASE_AWAY, *DATABASE_REFUSED):
                    if (await recovery.get(self._receiver.pool)).is_asked:
                        return

    async def round(self) -> float:
        """Catch up once, unless another process is at it. Returns the seconds until the next round.

        Raises GitHubError, and what Postgres raises.
        """
        async with recovery.alone(self._receiver.pool) as mine:
            if not mine:
                return self._every
            if not self._is_introduced:
                await introduce(self._github, self._receiver.pool)
                self._is_introduced = True
            is_whole, left = await self._read()
            standing = await recovery.get(self._receiver.pool)
            if standing.has_gap or standing.is_asked:
                await self._compare(standing)
            if left:
                raise GitHubError(f"{left} deliveries of GitHub's list could not be fetched.")
        return self._every if is_whole else min(self._every, SOON)

    async def _read(self) -> tuple[bool, int]:
        """Read the list and keep what is not known.

        Returns whether it need not be read again soon, and how many deliveries could not be fetched.
        """
        pool = self._receiver.pool
        standing = await recovery.get(pool)
        received_at = await recovery.last_received(pool)
        walk = await self._walk(standing, await recovery.first_started(pool))
        if walk.unchanged:
            await recovery.keep_read(pool, last_delivery_id=None, last_delivered_at=None)
            return True, 0
        _tell_of_refused(walk.missed)
        left = await self._keep_all(walk.missed)
        is_too_early = await self._is_too_early(standing, walk, received_at)
        if left:
            self._etag = None
            await recovery.keep_progress(pool, last_delivery_id=left[0].id, last_delivered_at=left[0].delivered_at)
        elif not is_too_early:
            newest = walk.newest
            await recovery.keep_read(
                pool,
                last_delivery_id=None if newest is None else newest.id,
                last_delivered_at=None if newest is None else newest.delivered_at,
            )
            self._etag = walk.etag
        return not is_too_early, len(left)

    async def _walk(self, standing: Standing, started: datetime) -> _Walk:
        """Read the list back to what was read before, to its end where nothing was."""
        walk = _Walk()
        before = standing.last_delivered_at or standing.read_at
        async for page in hook_list.pages(self._github, etag=self._etag):
            if walk.newest is None:
                walk.etag, walk.unchanged = page.etag, page.unchanged
            known = await deliveries.known(self._receiver.pool, [item.guid for item in page.items])
            # Where our clock is ahead of GitHub's, the database was made earlier than it says.
            since = started + timedelta(seconds=min(self._github.clock_ahead, 0.0))
            for item in page.items:
                walk.add(item, known=item.guid in known, started=since)
                if item.id == standing.last_delivery_id:
                    walk.reached = True
            if before is not None and walk.oldest is not None and walk.oldest.delivered_at < before - OVERLAP:
                walk.reached = True
                break
        return walk

    async def _is_too_early(self, standing: Standing, walk: _Walk, received_at: datetime | None) -> bool:
        """Note a gap where the list does not reach back. Returns whether that cannot be told yet.

        `received_at` is when the newest delivery arrived that the list must have.
        """
        now = standing.now
        until = now if walk.oldest is None else min(now, walk.oldest.delivered_at)
        remembered = now - self._kept_for
        if standing.read_at is not None and standing.read_at < remembered:
            await self._note_gap(standing.read_at, max(until, remembered))
            return False
        mark = max(filter(None, (standing.last_delivered_at, received_at)), default=None)
        made_up_for = max(filter(None, (standing.compared_at, standing.gap_until)), default=None)
        if mark is None or walk.reached or mark < remembered or (made_up_for is not None and mark <= made_up_for):
            return False
        if now - mark < LISTED_WITHIN:
            return True
        await self._note_gap(min(standing.read_at or mark, mark), now)
        return False

    async def _note_gap(self, since: datetime, until: datetime) -> None:
        log.warning(
            "GitHub's list of deliveries does not reach back to what was read before: what came between %s and %s may "
            "be missing, so the heads of all repositories are compared",
            since.isoformat(timespec="seconds"),
            until.isoformat(timespec="seconds"),
            extra=Alert.DELIVERIES_GAP.extra,
        )
        await recovery.note_gap(self._receiver.pool, since, until)

    async def _keep_all(self, missed: Sequence[Listed]) -> list[Listed]:
        """Fetch and keep the deliveries, the oldest first. Returns those that are to be tried again."""
        left: list[Listed] = []
        for first in range(0, len(missed), AT_ONCE):
            batch = missed[first : first + AT_ONCE]
            fetched = await asyncio.gather(
                *(hook_list.fetch(self._github, item) for item in batch), return_exceptions=True
            )
            for item, found in zip(batch, fetched, strict=True):
                try:
                    if isinstance(found, BaseException):
                        raise found
                    await self._keep(item, found)
                except DATABASE_AWAY:
                    raise
                except GitHubError as error:
                    if error.limited:
                        raise
                    left += await self._failed(item, error, gone=error.status in (404, 410))
                except Exception as error:
                    left += await self._failed(item, error)
                else:
                    self._failing.pop(item.guid, None)
        return left

    async def _keep(self, item: Listed, found: tuple[Delivery, Payload] | None) -> None:
        if found is None:
            log.warning("delivery %s (%s) of GitHub's list has no payload", item.guid, item.event)
            return
        received = await keep(self._receiver, *found)
        if received.duplicate:
            return
        log.info("delivery %s (%s), from GitHub's list: %s", item.guid, item.event, received.decision.text)
        if received.run_id is not None:
            await wake_workers(self._receiver.wake)

    async def _failed(self, item: Listed, error: Exception, *, gone: bool = False) -> list[Listed]:
        """Return the delivery where it is to be tried again; note a gap where it is given up."""
        now = asyncio.get_running_loop().time()
        failing = self._failing.setdefault(item.guid, _Failing(now))
        failing.tries += 1
        if not gone and (failing.tries < TRIES or now - failing.since < TRIED_FOR):
            log.debug("delivery %s (%s) could not be fetched: %s", item.guid, item.event, error)
            return [item]
        log.error("delivery %s (%s) is given up: %s", item.guid, item.event, error, extra=Alert.DELIVERIES_GAP.extra)
        self._failing.pop(item.guid)
        await recovery.note_gap(self._receiver.pool, item.delivered_at, (await recovery.get(self._receiver.pool)).now)
        return []

    async def _compare(self, standing: Standing) -> None:
        """Compare the heads; those that GitHub does not show now are tried again. Raises GitHubError for them."""
        since = standing.gap_from if standing.has_gap and not standing.is_asked else None
        error: Exception | None = None
        async for result in compare(self._github, self._receiver, since=since, skip=self._compared):
            if result.transient:
                error = result.error
            elif result.id is not None:
                self._compared.add(result.id)
        self._comparisons += 1
        if error is not None and self._comparisons < COMPARISONS:
            raise error
        await recovery.compared(self._receiver.pool, standing.now)
        self._compared, self._comparisons = set(), 0


def _tell_of_refused(missed: Sequence[Listed]) -> None:
    """Say that GitHub's own deliveries were refused: whoever else knocks with a wrong signature is told of nowhere."""
    if refused := sum(item.status == 401 for item in missed):
        log.warning(
            "%d deliveries of GitHub's were answered 401 here: GITHUB_WEBHOOK_SECRET is not the secret on the App's "
            "page, or something in front of Draftsman asks for a login",
            refused,
            extra=Alert.WEBHOOK_SECRET_WRONG.extra,
        )


@dataclass(slots=True)
class _Failing:
    since: float
    tries: int = 0


@dataclass(slots=True)
class _Walk:
    """What a walk through the list found; `reached` says that it met what was read or received before."""

    newest: Listed | None = None
    oldest: Listed | None = None
    reached: bool = False
    etag: str | None = None
    unchanged: bool = False
    _missed: dict[str, Listed] = field(default_factory=dict)

    def add(self, item: Listed, *, known: bool, started: datetime) -> None:
        """Take an attempt, older than all before."""
        self.newest = self.newest or item
        self.oldest = item
        if known:
            self.reached = True
            return
        # What happened before this instance began to be is no backlog of it; where the App is installed, it must know.
        is_old = item.delivered_at < started.replace(microsecond=0)
        if item.event in EVENTS and (item.event in _INSTALLING or not is_old):
            # The first attempt says when it was.
            self._missed.pop(item.guid, None)
            self._missed[item.guid] = item

    @property
    def missed(self) -> list[Listed]:
        """Return what the store does not know, the oldest first."""
        return list(reversed(self._missed.values()))


def list_days(api_url: str) -> float:
    """Return for how many days the GitHub at this address lists a delivery."""
    host = urlsplit(api_url).hostname or ""
    return LIST_DAYS if host.endswith(HOSTED) else LIST_DAYS_ENTERPRISE
