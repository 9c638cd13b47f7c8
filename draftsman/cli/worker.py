"""`draftsman worker`: takes queued attempts and executes them on the Docker engine beside it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from bot.github import GitHub
from bot.patience import patiently
from draftsman import __version__
from draftsman.awake import Vigil
from draftsman.cli import services
from draftsman.cli.engine_tools import EngineTools
from draftsman.cli.gc import clean, engine_upkeep, keep_of
from draftsman.cli.github import opened_app
from draftsman.cli.home import prepare_home
from draftsman.cli.lifetime import until_told
from draftsman.cli.renew import renew_at_night
from draftsman.domain.alert import Alert
from draftsman.domain.errors import DraftsmanError
from draftsman.domain.run import Repository
from draftsman.pulse import LoopWatch, Pulse
from draftsman.queue import WakeUps
from draftsman.settings import Settings
from draftsman.store import audit, leases
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool
from draftsman.store.retention import old_rows
from draftsman.store.workers import Present
from orchestrator.claims import ClaimRules, Claims
from orchestrator.disk_room import DiskRoom
from orchestrator.disk_watch import Floor
from orchestrator.executor import executor, releaser, successor
from orchestrator.health import WorkerState, serve_health
from orchestrator.presence import Presence
from orchestrator.upkeep import reconcile_regularly
from orchestrator.worker import hear, keep_up, listen
from orchestrator.worker_name import worker_name

log = logging.getLogger(__name__)

_STRAY_SECONDS = 60
_RECONCILE_SECONDS = 10.0


async def worker(settings: Settings, *, with_parent: bool) -> int:
    """Work until a signal. Returns the exit code of the command."""
    urls = services.found(settings)
    # One connection for each job's journal, lease and build lock, and some for claims and upkeep.
    size = 5 + 3 * settings.job_slots
    async with (
        services.wake_ups(urls.redis_url) as wake_ups,
        services.awaited(urls.database_url, size=size, for_ever=not with_parent) as pool,
        opened_app(settings) as github,
        AsyncExitStack() as stack,
    ):
        name = stack.enter_context(worker_name(prepare_home(settings) / "workers"))
        await _take_back(settings, pool, name)
        engine_tools = EngineTools(settings, pool, stack)
        if await engine_tools.answers() and settings.job_network != "none":
            (await engine_tools.ready()).gate.begin()
        parts = _made(settings, pool, github, engine_tools, name)
        await parts.presence.begin()
        loops = _loops(settings, urls.redis_url, wake_ups, pool, engine_tools, parts)
        await until_told(*loops, with_parent=with_parent)
    return 0


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a worker is made of."""

    claims: Claims
    room: DiskRoom
    presence: Presence
    pulse: Pulse

    def may_build(self) -> bool:
        """Return whether it may build for nobody's run."""
        return not self.claims.busy and self.room.is_enough and not self.presence.is_drained


def _made(settings: Settings, pool: Pool[Any], github: GitHub, engine_tools: EngineTools, name: str) -> _Parts:
    ready = engine_tools.ready

    async def contents_token(repository: Repository) -> str:
        return await patiently(lambda: github.contents_token(repository))

    pulse = Pulse()
    claims = Claims(
        pool,
        executor(pool, ready, contents_token, skip_markers=settings.skip_markers),
        _rules(settings, engine_tools, name),
        release=releaser(ready),
        leave=successor(pool, ready),
        is_ready=engine_tools.answers,
        has_room=lambda: room.is_enough,
        beat=pulse.of("claims"),
    )
    room = DiskRoom(
        engine_tools.helper,
        Floor(settings.build_free_mb * 2**20),
        busy=lambda: claims.busy,
        make_room=lambda: _clean(settings, engine_tools, pool, name, caches=True),
        looked=claims.wake,
    )
    presence = Presence(
        pool,
        _present(settings, name),
        busy=lambda: claims.busy,
        engine=engine_tools.engine_known,
        is_engine_away=lambda: engine_tools.is_away,
        is_disk_short=lambda: room.is_short,
        labels=engine_tools.labels,
    )
    return _Parts(claims, room, presence, pulse)


def _loops(
    settings: Settings, redis_url: str, wake_ups: WakeUps, pool: Pool[Any], engine_tools: EngineTools, parts: _Parts
) -> list[Coroutine[Any, Any, None]]:
    """Return what a worker does, all at the same time and for ever."""
    claims, name = parts.claims, parts.presence.name

    async def upkeep(caches: bool) -> None:
        await _clean(settings, engine_tools, pool, name, caches=caches)

    async def renew() -> None:
        await renew_at_night(pool, engine_tools, may_build=parts.may_build, actor=f"worker {name}")

    return [
        claims.run(),
        parts.presence.keep(),
        listen(redis_url, claims),
        hear(redis_url, claims),
        keep_up(redis_url, name, upkeep, renew),
        parts.room.keep(),
        _remove_strays(settings, engine_tools, pool),
        reconcile_regularly(
            pool,
            lambda: _wake(claims, wake_ups),
            vigil=Vigil(lease_seconds=settings.lease_seconds, every_seconds=_RECONCILE_SECONDS),
            max_claims=settings.max_claims,
            retries=settings.retry_rules,
            hand_over_seconds=settings.hand_over_seconds,
            beat=parts.pulse.of("reconciling"),
        ),
        serve_health(settings.worker_port, lambda: _state(settings, engine_tools, parts)),
        parts.pulse.watch(),
        LoopWatch().watch(),
    ]


async def _take_back(settings: Settings, pool: Pool[Any], name: str) -> None:
    """Let go what a worker of this name held when it died."""
    async with pool.acquire() as connection, connection.transaction():
        held = await leases.give_back_of(
            connection,
            name,
            max_claims=settings.max_claims,
            retries=settings.retry_rules,
            kept_seconds=settings.hand_over_seconds,
        )
    for attempt_id in held:
        log.warning(
            "attempt %s: taken back, this worker held it when it died", attempt_id, extra=Alert.WORKER_LOST.extra
        )


def _rules(settings: Settings, engine_tools: EngineTools, name: str) -> ClaimRules:
    return ClaimRules(
        owner=name,
        engine=engine_tools.engine_id,
        slots=settings.job_slots,
        per_repository=settings.concurrency_per_repository,
        lease_seconds=settings.lease_seconds,
        kept_log_bytes=int(settings.job_log_kept_mb * 2**20),
        admission=settings.admission,
        retries=settings.retry_rules,
        offer=engine_tools.offer,
        hand_over_seconds=settings.hand_over_seconds,
    )


def _state(settings: Settings, engine_tools: EngineTools, parts: _Parts) -> WorkerState:
    return WorkerState(
        name=parts.presence.name,
        slots=settings.job_slots,
        busy=parts.claims.busy,
        engine=not engine_tools.is_away,
        room=not parts.room.is_short,
        drained=parts.presence.is_drained,
        looked_seconds_ago=parts.claims.seconds_since_look(),
    )


def _present(settings: Settings, name: str) -> Present:
    return Present(
        name=name,
        host=socket.gethostname(),
        version=__version__,
        slots=settings.job_slots,
        per_repository=settings.concurrency_per_repository,
    )


async def _clean(settings: Settings, engine_tools: EngineTools, pool: Pool[Any], name: str, *, caches: bool) -> None:
    """Remove what was left behind, of the database also while the engine is away, and say what that was."""
    actor = f"worker {name}"
    try:
        rows = await old_rows(pool, keep_of(settings), dry_run=False, actor=actor)
        log.info("upkeep: removed of the database %s", rows)
        kit = await engine_tools.ready()
        gone = await clean(settings, await engine_upkeep(settings, kit.helper, pool), caches=caches)
        if gone:
            kinds = dict(Counter(one.kind for one in gone))
            await audit.record(pool, actor=actor, action="upkeep.removed", things=kinds)
    except (DraftsmanError, *DATABASE_AWAY, *DATABASE_REFUSED) as error:
        log.error("upkeep: %s", error)
        return
    for one in gone:
        log.info("upkeep: removed %s %s, %s", one.kind, one.name, one.why)
    log.info("upkeep: %d things removed", len(gone))


async def _remove_strays(settings: Settings, engine_tools: EngineTools, pool: Pool[Any]) -> None:
    """Remove at once, then every minute, the jobs that nobody sees to: their attempts ended, or go on elsewhere."""
    while True:
        try:
            upkeep = await engine_upkeep(settings, (await engine_tools.ready()).helper, pool)
            for stray in await upkeep.strays():
                log.warning("removing %s: %s", stray.name, stray.why)
                await upkeep.remove(stray)
        except (DraftsmanError, *DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.warning("strays were not looked for: %s", error)
        await asyncio.sleep(_STRAY_SECONDS)


async def _wake(claims: Claims, wake_ups: WakeUps) -> None:
    """Wake this worker directly, and by way of Redis another one: this one may be busy."""
    claims.wake()
    await wake_ups.wake()
