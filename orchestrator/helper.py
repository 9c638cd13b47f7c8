"""Our own small containers beside jobs: one image, built once for each version, and throw-away runs of its programs.

Nothing of a repository is ever in that image, so what runs in it is ours: a fence's holder, the proof of a fence,
the copy of a cache, a look at the engine's disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, StrictUndefined

from draftsman import resources
from draftsman.domain.errors import EngineError
from orchestrator.containers import run_container
from orchestrator.engine import Engine
from orchestrator.images.base_images import Pulls, get_missing
from orchestrator.images.build import BuildSettings
from orchestrator.images.builder import Recipe, build
from orchestrator.images.context import pack
from orchestrator.images.labels import inspect

log = logging.getLogger(__name__)

IMAGE = "draftsman-helper"
LABEL_HELPER = "draftsman.helper"
"""On the image its version, on a throw-away container `1`."""

_TEMPLATE = "helper.Dockerfile.j2"
_BASE = "debian:bookworm-slim"
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class HelperRun:
    """One run of the image's shell. `capabilities` are all that it gets; `network` is the engine's NetworkMode."""

    script: str
    arguments: tuple[str, ...] = ()
    network: str = "none"
    mounts: tuple[Mapping[str, Any], ...] = ()
    capabilities: tuple[str, ...] = ()


class Helper:
    """The helper image on one engine. Built when it is first needed; every method raises EngineError."""

    def __init__(self, engine: Engine, settings: BuildSettings) -> None:
        self.engine = engine
        self._settings = settings
        self._building = asyncio.Lock()
        base = f"{settings.image_prefix}{_BASE}"
        template = resources.dockerfile_templates()[_TEMPLATE]
        jinja = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
        self._dockerfile = jinja.from_string(template).render(base=base)
        self._holder = resources.fence_holder()
        self.version = hashlib.sha256(self._dockerfile.encode() + b"\0" + self._holder).hexdigest()[:12]

    @property
    def image(self) -> str:
        """Return the image's name; call `ensure` before it is used."""
        return f"{IMAGE}:{self.version}"

    async def ensure(self) -> None:
        """Make the image present. Raises HostError, or EngineError."""
        async with self._building:
            # Looked at each time: whoever clears the engine's images away may take this one.
            if await inspect(self.engine, self.image) is None:
                await self._build()

    async def _build(self) -> None:
        log.info("building the helper image %s", self.image)
        settings = self._settings
        base = f"{settings.image_prefix}{_BASE}"
        pulls = Pulls(settings.timeout_seconds, prefix=settings.image_prefix)
        await get_missing(self.engine, (base,), pulls, output=_note)
        recipe = Recipe(
            self.image,
            self._dockerfile,
            called="the helper image",
            labels={LABEL_HELPER: self.version},
            build_args=settings.proxies,
            memory_bytes=settings.memory_bytes,
        )
        context = pack({"Dockerfile": self._dockerfile.encode(), "fence-holder": self._holder})
        await build(self.engine, recipe, context, timeout_seconds=settings.timeout_seconds, output=_note)

    async def run(self, what: HelperRun, *, seconds: float = _SECONDS) -> str:
        """Return what the script printed on both streams. Raises EngineError where it fails or takes too long."""
        await self.ensure()
        code, said = await run_container(self.engine, self._config(what), seconds=seconds)
        if code != 0:
            raise EngineError(f"A helper container failed (exit {code}): {said.strip()[-300:]}")
        return said

    def _config(self, what: HelperRun) -> dict[str, Any]:
        return {
            "Image": self.image,
            "Entrypoint": ["/bin/sh", "-c", what.script, "sh"],
            "Cmd": list(what.arguments),
            "Labels": {LABEL_HELPER: "1"},
            "HostConfig": {
                "NetworkMode": what.network,
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "CapAdd": list(what.capabilities),
                "SecurityOpt": ["no-new-privileges"],
                "PidsLimit": 64,
                "Memory": 256 * 2**20,
                "Mounts": [dict(mount) for mount in what.mounts],
            },
        }


def volume_mount(volume: str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return a volume's mount in the form of the engine's API."""
    return {"Type": "volume", "Source": volume, "Target": target, "ReadOnly": read_only}


async def _note(progress: bytes) -> None:
    log.debug("%s", progress.decode("utf-8", "replace").rstrip())
