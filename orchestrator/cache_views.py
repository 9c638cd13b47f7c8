"""What a job sees of the dependency caches.

A trusted job writes the cache itself. One that is not trusted gets a view that is thrown away with it: an overlay whose
lower layer is a sealed copy (a generation) of the trusted cache and whose upper layer is the job's own. So it starts
warm, and nothing that it writes is ever read by anybody else. The lower layer of an overlay must not change while it is
mounted, and a trusted job may write at any time: hence the copy, made when one is wanted and the cache has changed.

Where the engine mounts no overlay (rootless ones, some storage drivers), such a job starts with an empty volume.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from draftsman.domain.errors import EngineError
from orchestrator.caches import LABEL_CACHE, CacheMount
from orchestrator.engine import Engine, EngineRefusedError
from orchestrator.helper import Helper, HelperRun, volume_mount
from orchestrator.runners.container import LABEL_INSTANCE, LABEL_JOB

log = logging.getLogger(__name__)

LABEL_SEALED = "draftsman.sealed-from"
"""On a generation: the volume that it is a copy of."""
LABEL_WHOLE = "draftsman.whole"
"""On an empty volume: the generation that is whole."""
LABEL_LOWER = "draftsman.lower"
"""On a view: the generation below it."""

_COPY_SECONDS = 300.0
_FRESH_SECONDS = 3600.0
"""How long a generation serves although its cache may have changed since: a copy takes seconds."""
_MOST_COPIED_MEGABYTES = 4096

# What a copy needs to keep owners and modes, and to read what other users wrote.
_COPY_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
_COPY = f"""
set -e
size=$(du -sm /from | cut -f1)
[ "$size" -le {_MOST_COPIED_MEGABYTES} ] || {{ echo "too-large $size"; exit 0; }}
cp -a /from/. /to/
echo copied
"""


@dataclass(frozen=True, slots=True)
class _Generation:
    """A sealed copy. `made_at` is seconds since the epoch."""

    volume: str
    made_at: float


class CacheViews:
    """The cache volumes of one engine. Every method raises EngineError."""

    def __init__(self, helper: Helper, instance: str) -> None:
        self._helper = helper
        self._engine: Engine = helper.engine
        self._instance = instance
        self._sealing = asyncio.Lock()

    async def open(
        self, mounts: Iterable[CacheMount], *, uid: int | None, job: str, trusted: bool
    ) -> tuple[CacheMount, ...]:
        """Return the mounts of a job's caches, as it may see them. Of an image whose user is unknown: none."""
        if uid is None:
            return ()
        if trusted:
            return tuple([await self._own(mount, uid) for mount in mounts])
        return tuple([await self._view(mount, uid, job) for mount in mounts])

    async def close(self, job: str) -> None:
        """Remove the views of a job; its container must be gone. One that is in use yet is left to upkeep."""
        for volume in await self._volumes({LABEL_JOB: job}):
            await self._engine.delete(f"volumes/{volume['Name']}")

    async def _own(self, mount: CacheMount, uid: int) -> CacheMount:
        await self._create(mount.volume, {LABEL_CACHE: mount.manager}, uid)
        return mount

    async def _create(self, name: str, labels: dict[str, str], uid: int, options: dict[str, str] | None = None) -> None:
        """Create a volume that belongs to this user, where it is not there."""
        try:
            await self._engine.call("GET", f"volumes/{name}")
        except EngineRefusedError as error:
            if error.status != 404:
                raise
        else:
            return
        body: dict[str, Any] = {"Name": name, "Labels": {"draftsman.managed": "1", **labels}}
        if options:
            body |= {"Driver": "local", "DriverOpts": options}
        await self._engine.call("POST", "volumes/create", body=body)
        if uid and not options:
            owning = HelperRun(
                'chown "$1" /c', (f"{uid}:{uid}",), mounts=(volume_mount(name, "/c"),), capabilities=("CHOWN",)
            )
            await self._helper.run(owning)

    async def _view(self, mount: CacheMount, uid: int, job: str) -> CacheMount:
        """Return the mount of a view of this cache that only this job has."""
        labels = {LABEL_JOB: job, LABEL_INSTANCE: self._instance, LABEL_CACHE: mount.manager}
        name = f"draftsman-view-{uuid.uuid4().hex}"
        lower = await self._generation(mount, uid)
        if lower is not None:
            try:
                return replace(mount, volume=await self._overlay(name, lower.volume, labels, uid))
            except EngineError as error:
                log.warning("no copy-on-write view of %s, the job starts without a cache: %s", mount.volume, error)
        await self._create(f"{name}-empty", labels, uid)
        return replace(mount, volume=f"{name}-empty")

    async def _overlay(self, name: str, lower: str, labels: dict[str, str], uid: int) -> str:
        """Return a volume that is an overlay of the job's own upper layer on this generation."""
        upper = f"{name}-upper"
        await self._create(upper, labels, 0)
        making = 'mkdir /c/u /c/w && chown "$1" /c/u && chmod 1777 /c/u'
        run = HelperRun(
            making, (f"{uid}:{uid}",), mounts=(volume_mount(upper, "/c"),), capabilities=("CHOWN", "FOWNER")
        )
        await self._helper.run(run)
        below, above = await self._place(lower), await self._place(upper)
        options = {
            "type": "overlay",
            "device": "overlay",
            "o": f"lowerdir={below},upperdir={above}/u,workdir={above}/w",
        }
        await self._create(name, {**labels, LABEL_LOWER: lower}, 0, options)
        # The engine mounts a volume when a container uses it: one that it refuses must not fail the job.
        await self._helper.run(HelperRun("exec true", mounts=(volume_mount(name, "/c"),)))
        return name

    async def _place(self, volume: str) -> str:
        found = await self._engine.call("GET", f"volumes/{volume}")
        return str(found["Mountpoint"])

    async def _generation(self, mount: CacheMount, uid: int) -> _Generation | None:
        """Return the newest sealed copy of a cache, made now where that one is old; None where there is no cache."""
        async with self._sealing:
            newest = await self._newest(mount.volume)
            if newest is not None and time.time() - newest.made_at < _FRESH_SECONDS:
                return newest
            try:
                await self._place(mount.volume)
            except EngineRefusedError as error:
                if error.status != 404:
                    raise
                return newest
            if await in_use(self._engine, mount.volume):
                # A trusted job may be writing: what is half written now is nobody's generation.
                return newest
            try:
                return await self._seal(mount, uid) or newest
            except EngineError as error:
                log.warning("the cache %s was not copied: %s", mount.volume, error)
                return newest

    async def _newest(self, source: str) -> _Generation | None:
        whole = {str(volume["Labels"][LABEL_WHOLE]) for volume in await self._volumes({LABEL_WHOLE: ""})}
        found = [
            _Generation(str(volume["Name"]), float(volume["Labels"].get("draftsman.sealed-at", "0")))
            for volume in await self._volumes({LABEL_SEALED: source})
            if volume["Name"] in whole
        ]
        return max(found, key=lambda one: one.made_at, default=None)

    async def _seal(self, mount: CacheMount, uid: int) -> _Generation | None:
        """Copy a cache. A copy is a generation once it is whole: an empty volume beside it says so."""
        name, now = f"{mount.volume}_sealed_{uuid.uuid4().hex[:12]}", time.time()
        labels = {LABEL_CACHE: mount.manager, LABEL_SEALED: mount.volume, "draftsman.sealed-at": f"{now:.0f}"}
        await self._create(name, labels, uid)
        try:
            said = await self._helper.run(
                HelperRun(
                    _COPY,
                    mounts=(volume_mount(mount.volume, "/from", read_only=True), volume_mount(name, "/to")),
                    capabilities=_COPY_CAPABILITIES,
                ),
                seconds=_COPY_SECONDS,
            )
        except BaseException:
            await asyncio.shield(self._engine.delete(f"volumes/{name}"))
            raise
        if "copied" in said and not await in_use(self._engine, mount.volume):
            await self._create(f"{name}_whole", {LABEL_WHOLE: name}, 0)
            return _Generation(name, now)
        log.warning("the cache %s was not copied for untrusted jobs: %s", mount.volume, said.strip())
        await self._engine.delete(f"volumes/{name}")
        return None

    async def _volumes(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        filters = json.dumps({"label": [f"{name}={value}" if value else name for name, value in labels.items()]})
        answer = await self._engine.call("GET", "volumes", params={"filters": filters})
        return list(answer.get("Volumes") or ())


async def in_use(engine: Engine, volume: str) -> bool:
    """Return whether a container that runs, or is about to, has this volume."""
    filters = json.dumps({"volume": [volume], "status": ["created", "running", "paused", "restarting"]})
    return bool(await engine.call("GET", "containers/json", params={"all": "1", "filters": filters}))
