"""`draftsman gc`: removes what runs left behind, by age; the worker does the same by itself, every hour."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any
from uuid import UUID

from draftsman.cli import person, services, terminal, tools
from draftsman.cli.home import prepare_home
from draftsman.cli.terminal import quoted
from draftsman.settings import Settings
from draftsman.store import attempts
from draftsman.store.database import Pool
from draftsman.store.retention import Keep, old_rows
from orchestrator import engine as docker
from orchestrator.helper import Helper
from orchestrator.housekeeping.disk_upkeep import old_folders, remove_folder
from orchestrator.housekeeping.engine_upkeep import Ages, EngineUpkeep, Unfinished
from orchestrator.housekeeping.judgement import Leftover

log = logging.getLogger(__name__)


async def gc(settings: Settings, *, caches: bool, dry_run: bool, as_json: bool) -> int:
    """Remove what may go, and say what. With `caches`, every dependency cache that no job has."""
    async with AsyncExitStack() as stack:
        url = services.found_database(settings)
        pool = None if url is None else await stack.enter_async_context(services.opened(url, size=2))
        engine = await docker.connect(settings.docker_host)
        stack.push_async_callback(engine.close)
        upkeep = await engine_upkeep(settings, Helper(engine, tools.build_settings(settings)), pool)
        gone = await clean(settings, upkeep, caches=caches, every_cache=caches, dry_run=dry_run)
        rows = {} if pool is None else await _rows(pool, settings, dry_run=dry_run)
    if as_json:
        document = {"dry_run": dry_run, "removed": [asdict(one) for one in gone], "rows": rows}
        print(json.dumps(document, indent=2))
        return 0
    shown = terminal.console()
    for one in gone:
        size = "" if one.size is None else f", {one.size / 1e6:,.1f} MB"
        shown.print(f"{'would remove' if dry_run else 'removed'} {one.kind} {quoted(one.name)} ({one.why}{size})")
    for kind, count in rows.items():
        if count:
            shown.print(f"{'would remove' if dry_run else 'removed'} {count} {kind}")
    freed = sum(one.size or 0 for one in gone)
    shown.print(f"{len(gone)} things {'would go' if dry_run else 'removed'}, {freed / 1e6:,.1f} MB.")
    return 0


async def _rows(pool: Pool[Any], settings: Settings, *, dry_run: bool) -> dict[str, int]:
    return await old_rows(pool, keep_of(settings), dry_run=dry_run, actor=person.actor())


async def engine_upkeep(settings: Settings, helper: Helper, pool: Pool[Any] | None) -> EngineUpkeep:
    """Return the upkeep of this engine. Without a database, jobs of this instance are not known, and stay."""
    ages = Ages(
        settings.cache_days,
        settings.cache_mb * 2**20,
        image_days=settings.image_days,
        image_keep=settings.image_keep,
        job_seconds=tools.most(settings).total_seconds + 3600,
    )
    if pool is None:
        return EngineUpkeep(helper, "", _nobody, ages)
    return EngineUpkeep(
        helper, str(await attempts.instance_of(pool)), _unfinished_of(pool, helper.engine.facts.id), ages
    )


def _unfinished_of(pool: Pool[Any], engine: str) -> Unfinished:
    async def unfinished(ids: Collection[str]) -> Mapping[str, int]:
        known = [UUID(one) for one in ids if _is_id(one)]
        return {str(one): epoch for one, epoch in (await attempts.fences(pool, known, engine=engine)).items()}

    return unfinished


async def _nobody(_: Collection[str]) -> Mapping[str, int]:
    return {}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def keep_of(settings: Settings) -> Keep:
    """Return for how long rows are kept."""
    return Keep(
        settings.log_days,
        settings.artifact_days,
        settings.audit_days,
        settings.delivery_days,
        settings.run_days,
    )


async def clean(
    settings: Settings, upkeep: EngineUpkeep, *, caches: bool, every_cache: bool = False, dry_run: bool = False
) -> list[Leftover]:
    """Remove what may go from the engine and from the home folder. Returns it; what came into use meanwhile stays."""
    found = await upkeep.leftovers()
    if caches:
        found += await upkeep.caches(every=every_cache)
    folders = await asyncio.to_thread(old_folders, prepare_home(settings), mirror_days=settings.mirror_days)
    if dry_run:
        return [*found, *folders]
    gone = [one for one in found if await upkeep.remove(one)]
    return gone + [one for one in folders if await asyncio.to_thread(remove_folder, one)]
