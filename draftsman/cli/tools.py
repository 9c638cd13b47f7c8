"""What attempts are executed with, made out of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from draftsman import resources
from draftsman.cli.home import prepare_home
from draftsman.domain.errors import SettingsError
from draftsman.domain.profile_rules import LIMITS
from draftsman.settings import Settings
from orchestrator import engine as docker
from orchestrator.cache_views import CacheViews
from orchestrator.disk_watch import DiskWatch, Floor
from orchestrator.fence.gate import FenceGate
from orchestrator.fence.holder import Fences
from orchestrator.fence.rules import read_policy
from orchestrator.helper import Helper
from orchestrator.images.build import DAY, BuildSettings
from orchestrator.images.records import BuildRecords, NoRecords
from orchestrator.images.registry import Credentials, Registry
from orchestrator.limits import changed
from orchestrator.order import Tools
from orchestrator.planner import Planner
from orchestrator.runners.container import host_config
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import Limits
from orchestrator.source import Mirrors

BuildLock = Callable[[str, str], AbstractAsyncContextManager[None]]
"""Held for a repository and a key."""
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
        workspace_bytes=settings.job_workspace_mb * _MEGABYTE,
    )


def most(settings: Settings) -> Limits:
    """Return what a profile may raise the limits to. Raises SettingsError for what is no limit."""
    usual = limits(settings)
    if unknown := [name for name, _ in settings.job_most if name not in LIMITS]:
        raise SettingsError(f"DRAFTSMAN_JOB_MOST: {unknown[0]!r} is no limit; they are {', '.join(LIMITS)}.")
    try:
        return changed(usual, settings.job_most)
    except ValueError as error:
        raise SettingsError(f"DRAFTSMAN_JOB_MOST: {error}.") from error


def build_settings(settings: Settings) -> BuildSettings:
    """Return what every build gets."""
    return BuildSettings(
        ca_bundle=settings.read_ca_bundle(),
        proxies=settings.proxies,
        timeout_seconds=settings.build_timeout_seconds,
        memory_bytes=settings.build_memory_mb * _MEGABYTE,
        max_age_seconds=settings.image_max_age_days * DAY,
        image_prefix=settings.image_prefix,
    )


def registry(settings: Settings) -> Registry | None:
    """Return the registry that engines share images by, None where there is none."""
    if not settings.registry:
        return None
    login = settings.registry_login
    return Registry(settings.registry, None if login is None else Credentials(*login))


def fence_gate(settings: Settings, helper: Helper, *, memory: Path | None = None) -> FenceGate:
    """Return the fence of this engine, not proven yet. `memory` is where it is noted that it held."""
    policy = read_policy(settings.fence_allow, settings.fence_deny, settings.proxies.values())
    made_with = host_config(limits(settings), engine_cpus=helper.engine.facts.cpus, runtime=settings.job_runtime)
    return FenceGate(Fences(helper, policy, settings.job_dns), made_with, memory=memory)


@asynccontextmanager
async def opened(
    settings: Settings,
    build_lock: BuildLock,
    records: Callable[[str], BuildRecords] | None = None,
    *,
    instance: str,
    remember_fence: bool = False,
) -> AsyncIterator[Tools]:
    """Yield the tools of a worker on the engine that answers. Raises EngineError.

    `records` returns where builds of the engine with this id are remembered; by default nowhere, and then nothing is
    shared by a registry. `instance` is the id by which this Draftsman knows its containers. With `remember_fence` the
    fence is proven once a day.
    """
    home = prepare_home(settings)
    bound = most(settings)
    engine = await docker.connect(settings.docker_host)
    helper = Helper(engine, build_settings(settings))
    gate = fence_gate(settings, helper, memory=home / "fence-proof" if remember_fence else None)
    planner = Planner()
    warming = asyncio.create_task(planner.warm())
    try:
        yield Tools(
            mirrors=Mirrors(home / "mirrors"),
            engine=engine,
            runner=DockerRunner(engine, gate.fences),
            templates=resources.dockerfile_templates(),
            planner=planner,
            build=build_settings(settings),
            build_lock=build_lock,
            build_records=NoRecords() if records is None else records(engine.facts.id),
            registry=None if records is None else registry(settings),
            limits=limits(settings),
            most=bound,
            network=settings.job_network,
            gate=gate,
            helper=helper,
            caches=CacheViews(helper, instance),
            instance=instance,
            scratch=home / "scratch",
            fence_required=settings.fence == "required",
            runtime=settings.job_runtime,
            disk=DiskWatch(helper, Floor(settings.disk_free_mb * _MEGABYTE)),
            image_prefix=settings.image_prefix,
            cache_scope=settings.cache_scope,
            leave_seconds=settings.leave_seconds,
        )
    finally:
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)  # what kept it from starting, the first plan says too
        await planner.close()
        await gate.close()
        await engine.close()
