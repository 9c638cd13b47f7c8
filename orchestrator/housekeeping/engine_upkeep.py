"""Finds and removes what was left on an engine."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.cache_views import in_use
from orchestrator.containers import remove_container
from orchestrator.engine import Engine
from orchestrator.helper import IMAGE, Helper, HelperRun, volume_mount
from orchestrator.housekeeping.judgement import (
    GRACE_SECONDS,
    Known,
    Leftover,
    caches_of,
    containers_to_go,
    volumes_to_go,
)
from orchestrator.images.labels import LABEL_MANAGED, list_built, remove, used_images
from orchestrator.images.upkeep import is_ours, to_prune
from orchestrator.runners.container import LABEL_JOB

Unfinished = Callable[[Collection[str]], Awaitable[Mapping[str, int]]]
"""Returns which of these attempts are not finished, each with the epoch below which its jobs here are nobody's."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How long things are kept, in days, how many images of a repository stay, and how large a cache may be.

    `job_seconds` is how old a job may be.
    """

    cache_days: float = 30
    cache_bytes: int = 10 * 2**30
    image_days: float = 30
    image_keep: int = 3
    job_seconds: float = float("inf")


class EngineUpkeep:
    """Upkeep of one engine, for one instance. Every method raises EngineError."""

    def __init__(
        self, helper: Helper, instance: str, unfinished: Unfinished, ages: Ages, *, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self._helper = helper
        self._engine: Engine = helper.engine
        self._instance = instance
        self._unfinished = unfinished
        self._ages = ages
        self._grace_seconds = grace_seconds

    async def leftovers(self) -> list[Leftover]:
        """Return what jobs and builds left: containers, scratch volumes, networks, old images."""
        containers = await self._engine.call("GET", "containers/json", params={"all": "1"})
        volumes = await self.volumes()
        ids = _jobs_of((*containers, *volumes))
        known = await self._known(ids)
        found = containers_to_go(containers, known)
        going = {leftover.name for leftover in found}
        jobs = _jobs_of(one for one in containers if str((one.get("Names") or [""])[0]).lstrip("/") not in going)
        made_at = {str(one["Name"]): _seconds(str(one.get("CreatedAt", ""))) for one in volumes}
        found += volumes_to_go(volumes, jobs, known, made_at)
        return found + await self._networks() + await self._images()

    async def strays(self) -> list[Leftover]:
        """Return the containers of jobs that nobody sees to any more: nobody keeps their limits either."""
        containers = await self._engine.call("GET", "containers/json", params={"all": "1"})
        return containers_to_go(containers, await self._known(_jobs_of(containers)))

    async def _known(self, ids: Collection[str]) -> Known:
        longest = self._ages.job_seconds
        return Known(self._instance, await self._unfinished(ids), time.time(), self._grace_seconds, longest)

    async def caches(self, *, every: bool = False) -> list[Leftover]:
        """Return the dependency caches that nobody used for long or that grew too large; with `every`, all of them.

        One that a container has stays.
        """
        found = []
        for name, size in caches_of(await self.volumes(sizes=True)).items():
            why = "asked for" if every else await self._why_cache(name, size)
            if why and not await in_use(self._engine, name):
                found.append(Leftover("volume", name, why, size))
        return found

    async def _why_cache(self, name: str, size: int | None) -> str:
        if size is not None and size > self._ages.cache_bytes:
            return f"larger than {self._ages.cache_bytes / 2**30:.0f} GiB"
        # Every manager notes something near the top of its cache whenever it is used.
        looking = 'find /c -maxdepth 3 -mtime "-$1" | head -n 1'
        mounts = (volume_mount(name, "/c", read_only=True),)
        days = str(max(int(self._ages.cache_days), 1))
        run = HelperRun(looking, (days,), mounts=mounts, capabilities=("DAC_OVERRIDE",))
        return "" if (await self._helper.run(run)).strip() else f"not used for {days} days"

    async def volumes(self, *, sizes: bool = False) -> list[dict[str, Any]]:
        """Return our volumes; with `sizes`, those that the engine measured, which takes a while."""
        if sizes:
            answer = await self._engine.call("GET", "system/df", params={"type": "volume"}, seconds=300)
            return [one for one in answer.get("Volumes") or () if LABEL_MANAGED in (one.get("Labels") or {})]
        filters = json.dumps({"label": [LABEL_MANAGED]})
        return list((await self._engine.call("GET", "volumes", params={"filters": filters})).get("Volumes") or ())

    async def _networks(self) -> list[Leftover]:
        filters = json.dumps({"label": [LABEL_MANAGED], "dangling": ["true"]})
        networks = await self._engine.call("GET", "networks", params={"filters": filters})
        return [Leftover("network", str(one["Id"]), "nothing is connected to it") for one in networks]

    async def _images(self) -> list[Leftover]:
        oldest = datetime.now(UTC) - timedelta(days=self._ages.image_days)
        used = await used_images(self._engine)
        found = []
        for image in to_prune(await list_built(self._engine), used=used, keep=self._ages.image_keep):
            if image.built_at is not None and image.built_at > oldest and image.tags:
                continue
            names = [tag for tag in image.tags if is_ours(tag)] if image.tags else [image.id]
            why = f"older than {self._ages.image_days:g} days, and newer ones are there" if image.tags else "replaced"
            found += [Leftover("image", name, why, image.size) for name in names]
        helpers = await self._engine.call(
            "GET", "images/json", params={"filters": json.dumps({"reference": [f"{IMAGE}:*"]})}
        )
        for image in helpers:
            if str(image["Id"]) not in used and float(image.get("Created") or 0) < oldest.timestamp():
                tags = [str(tag) for tag in image.get("RepoTags") or () if tag != self._helper.image]
                found += [Leftover("image", tag, "of another version of Draftsman", image.get("Size")) for tag in tags]
        return found

    async def remove(self, leftover: Leftover) -> bool:
        """Remove one thing. Returns whether it is gone; what came into use meanwhile stays."""
        if leftover.kind == "container":
            await asyncio.shield(remove_container(self._engine, leftover.id or leftover.name))
            return True
        if leftover.kind == "volume":
            return await self._engine.delete(f"volumes/{leftover.name}")
        if leftover.kind == "image":
            return await remove(self._engine, leftover.name)
        return await self._engine.delete(f"networks/{leftover.name}")


def _jobs_of(things: Iterable[Mapping[str, Any]]) -> set[str]:
    return {job for one in things if (job := (one.get("Labels") or {}).get(LABEL_JOB))}


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return time.time()
