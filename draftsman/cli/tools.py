"""What attempts are executed with, made out of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from draftsman import resources
from draftsman.cli.home import prepare_home
from draftsman.settings import Settings
from orchestrator import engine as docker
from orchestrator.images.build import DAY, BuildSettings
from orchestrator.images.records import BuildRecords, NoRecords
from orchestrator.pipeline import Tools
from orchestrator.planner import Planner
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import Limits
from orchestrator.source import Mirrors

BuildLock = Callable[[str], AbstractAsyncContextManager[None]]
_MEGABYTE = 2**20


def limits(settings: Settings) -> Limits:
    """Return the limits of a job."""
    return Limits(
        memory_bytes=settings.job_memory_mb * _MEGABYTE,
        cpus=settings.job_cpus,
        pids=settings.job_pids,
        file_bytes=settings.job_file_size_mb * _MEGABYTE,
        step_seconds=settings.step_timeout_seconds,
        total_seconds=settings.job_timeout_seconds,
        silent_seconds=settings.no_output_timeout_seconds,
        log_bytes=settings.job_log_mb * _MEGABYTE,
    )


@asynccontextmanager
async def opened(
    settings: Settings, build_lock: BuildLock, records: Callable[[str], BuildRecords] | None = None
) -> AsyncIterator[Tools]:
    """Yield the tools of a worker on the engine that answers. Raises EngineError.

    `records` returns where failed builds of the engine with this id are remembered; nowhere by default.
    """
    home = prepare_home(settings)
    engine = await docker.connect(settings.docker_host)
    planner = Planner()
    warming = asyncio.create_task(planner.warm())
    try:
        yield Tools(
            mirrors=Mirrors(home / "mirrors"),
            engine=engine,
            runner=DockerRunner(engine),
            templates=resources.dockerfile_templates(),
            planner=planner,
            build=BuildSettings(
                ca_bundle=settings.read_ca_bundle(),
                proxies=settings.proxies,
                timeout_seconds=settings.build_timeout_seconds,
                memory_bytes=settings.build_memory_mb * _MEGABYTE,
                max_age_seconds=settings.image_max_age_days * DAY,
                image_prefix=settings.image_prefix,
            ),
            build_lock=build_lock,
            build_records=NoRecords() if records is None else records(engine.facts.id),
            limits=limits(settings),
            network=settings.job_network,
            image_prefix=settings.image_prefix,
            cache_scope=settings.cache_scope,
        )
    finally:
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)  # what kept it from starting, the first plan says too
        await planner.close()
        await engine.close()
