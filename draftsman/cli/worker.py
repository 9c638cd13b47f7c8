"""`draftsman worker`: takes queued attempts and executes them on the Docker engine beside it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from bot.patience import patiently
from draftsman.cli import services, tools
from draftsman.cli.gc import clean, engine_upkeep, keep_of
from draftsman.cli.github import opened_app
from draftsman.cli.home import prepare_home
from draftsman.cli.lifetime import until_told
from draftsman.domain.errors import DraftsmanError, EngineError
from draftsman.domain.run import Repository
from draftsman.queue import WakeUps
from draftsman.settings import Settings
from draftsman.store import attempts, leases
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool
from draftsman.store.locks import held
from draftsman.store.retention import old_rows
from orchestrator.claims import ClaimRules, Claims
from orchestrator.executor import executor, releaser
from orchestrator.images.stored_records import StoredRecords
from orchestrator.order import Tools
from orchestrator.upkeep import reconcile_regularly
from orchestrator.worker import keep_up, listen
from orchestrator.worker_name import worker_name

log = logging.getLogger(__name__)

_STRAY_SECONDS = 60


async def worker(settings: Settings, *, with_parent: bool) -> int:
    """Work until a signal. Returns the exit code of the command."""
    urls = services.found(settings)
    # One connection for each job's journal, lease and build lock, and some for claims and upkeep.
    size = 5 + 3 * settings.job_slots
    async with (
        services.wake_ups(urls.redis_url) as wake_ups,
        services.opened(urls.database_url, size=size) as pool,
        opened_app(settings) as github,
        AsyncExitStack() as stack,
    ):
        name = stack.enter_context(worker_name(prepare_home(settings) / "workers"))
        for attempt_id in await leases.give_back_of(pool, name):
            log.warning("attempt %s: taken back, this worker held it when it died", attempt_id)
        engine_tools = _EngineTools(settings, pool, stack)
        try:
            kit = await engine_tools.ready()
            if settings.job_network != "none":
                kit.gate.begin()
        except EngineError as error:
            log.error("%s Until it answers, every run ends as an error.", error)
        rules = ClaimRules(
            owner=name,
            engine=engine_tools.engine_id,
            slots=settings.job_slots,
            per_repository=settings.concurrency_per_repository,
            lease_seconds=settings.lease_seconds,
            kept_log_bytes=int(settings.job_log_kept_mb * 2**20),
            admission=settings.admission,
        )

        async def contents_token(repository: Repository) -> str:
            return await patiently(lambda: github.contents_token(repository))

        execute = executor(pool, engine_tools.ready, contents_token, skip_markers=settings.skip_markers)
        claims = Claims(pool, execute, rules, release=releaser(engine_tools.ready))
        await until_told(
            claims.run(),
            listen(urls.redis_url, claims),
            keep_up(urls.redis_url, name, lambda caches: _clean(settings, engine_tools, pool, caches=caches)),
            _remove_strays(settings, engine_tools, pool),
            reconcile_regularly(pool, lambda: _wake(claims, wake_ups), max_claims=settings.max_claims),
            with_parent=with_parent,
        )
    return 0


async def _clean(settings: Settings, engine_tools: _EngineTools, pool: Pool[Any], *, caches: bool) -> None:
    """Remove what was left behind, and say in the log what that was."""
    try:
        kit = await engine_tools.ready()
        gone = await clean(settings, await engine_upkeep(settings, kit.helper, pool), caches=caches)
        rows = await old_rows(pool, keep_of(settings), dry_run=False)
    except (DraftsmanError, *DATABASE_AWAY, *DATABASE_REFUSED) as error:
        log.error("upkeep: %s", error)
        return
    for one in gone:
        log.info("upkeep: removed %s %s, %s", one.kind, one.name, one.why)
    log.info("upkeep: %d things removed, and of the database %s", len(gone), rows)


async def _remove_strays(settings: Settings, engine_tools: _EngineTools, pool: Pool[Any]) -> None:
    """Remove every minute, for ever, the jobs that nobody sees to: those of attempts that ended elsewhere."""
    while True:
        await asyncio.sleep(_STRAY_SECONDS)
        try:
            upkeep = await engine_upkeep(settings, (await engine_tools.ready()).helper, pool)
            for stray in await upkeep.strays():
                log.warning("removing %s: %s", stray.name, stray.why)
                await upkeep.remove(stray)
        except (DraftsmanError, *DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.warning("strays were not looked for: %s", error)


async def _wake(claims: Claims, wake_ups: WakeUps) -> None:
    """Wake this worker directly, and by way of Redis another one: this one may be busy."""
    claims.wake()
    await wake_ups.wake()


class _EngineTools:
    """Connects to the engine when it is first needed and answers, and keeps that connection."""

    def __init__(self, settings: Settings, pool: Pool[Any], stack: AsyncExitStack) -> None:
        self._settings = settings
        self._pool = pool
        self._stack = stack
        self._connecting = asyncio.Lock()
        self._tools: Tools | None = None

    async def ready(self) -> Tools:
        """Return the tools. Raises EngineError while the engine is away."""
        async with self._connecting:
            if self._tools is None:
                self._tools = await self._stack.enter_async_context(
                    tools.opened(
                        self._settings,
                        self._build_lock,
                        lambda engine: StoredRecords(self._pool, engine),
                        instance=str(await attempts.instance_of(self._pool)),
                    )
                )
        return self._tools

    def engine_id(self) -> str:
        """Return the id of the engine, the same for all workers that share it. It must have answered before."""
        if self._tools is None:
            raise EngineError("The Docker engine has not answered yet.")
        return self._tools.engine.facts.id

    def _build_lock(self, key: str) -> AbstractAsyncContextManager[None]:
        # Workers on another engine have images of their own to build.
        return held(self._pool, f"build {self.engine_id()} {key}")
