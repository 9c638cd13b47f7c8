"""Our own small containers beside jobs: one image, built once for each version, and throw-away runs of its programs.

Nothing of a repository is ever in that image, so what runs in it is ours: a fence's holder, the proof of a fence,
the copy of a cache, a look at the engine's disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, StrictUndefined

from draftsman import resources
from draftsman.domain.errors import EngineError
from orchestrator.engine import Engine, EngineRefusedError
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
_OUTPUT_BYTES = 256 * 1024

Say = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HelperRun:
    """One run of the image's shell. `capabilities` are all that it gets; `network` is the engine's NetworkMode."""

    script: str
    arguments: tuple[str, ...] = ()
    network: str = "none"
    mounts: tuple[Mapping[str, Any], ...] = ()
    capabilities: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


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

    async def ensure(self, say: Say | None = None) -> None:
        """Make the image present. `say` is told while it is built. Raises HostError or EngineError."""
        async with self._building:
            # Looked at each time: whoever clears the engine's images away may take this one.
            if await inspect(self.engine, self.image) is None:
                await self._build(say or _quiet)

    async def _build(self, say: Say) -> None:
        await say(b"Building the helper image, once: it holds the network fence of jobs\n")
        settings = self._settings
        base = f"{settings.image_prefix}{_BASE}"
        await get_missing(
            self.engine, (base,), Pulls(settings.timeout_seconds, prefix=settings.image_prefix), output=say
        )
        recipe = Recipe(
            self.image,
            self._dockerfile,
            called="the helper image",
            labels={LABEL_HELPER: self.version},
            build_args=settings.proxies,
            memory_bytes=settings.memory_bytes,
        )
        context = pack({"Dockerfile": self._dockerfile.encode(), "fence-holder": self._holder})
        await build(self.engine, recipe, context, timeout_seconds=settings.timeout_seconds, output=say)

    async def run(self, what: HelperRun, *, seconds: float = _SECONDS) -> str:
        """Return what the script printed on both streams. Raises EngineError where it fails or takes too long."""
        code, said = await self.attempt(what, seconds=seconds)
        if code != 0:
            raise EngineError(f"A helper container failed (exit {code}): {said.strip()[-300:]}")
        return said

    async def attempt(self, what: HelperRun, *, seconds: float = _SECONDS) -> tuple[int, str]:
        """Return the exit code of the script and what it printed. Raises EngineError where it takes too long."""
        await self.ensure()
        made = await create_container(self.engine, self._config(what))
        path = f"containers/{made}"
        try:
            await self.engine.call("POST", f"{path}/start")
            ended = await self.engine.call("POST", f"{path}/wait", seconds=seconds)
            async with self.engine.stream("GET", f"{path}/logs", params={"stdout": "1", "stderr": "1"}) as answer:
                said = bytearray()
                async for chunk in answer.iter_any():
                    said += chunk[: _OUTPUT_BYTES - len(said)]
            return int(ended["StatusCode"]), said.decode("utf-8", "replace")
        finally:
            await asyncio.shield(remove_container(self.engine, made))

    def _config(self, what: HelperRun) -> dict[str, Any]:
        return {
            "Image": self.image,
            "Entrypoint": ["/bin/sh", "-c", what.script, "sh"],
            "Cmd": list(what.arguments),
            "Env": [f"{name}={value}" for name, value in what.env.items()],
            "Labels": {LABEL_HELPER: "1"},
            "Tty": True,  # output as it is, without frames
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


async def create_container(engine: Engine, body: Mapping[str, Any], *, name: str = "") -> str:
    """Return the new container's id. Cancelled, it waits for the engine's answer and removes what was made."""
    params = {"name": name} if name else None
    creating = asyncio.ensure_future(engine.call("POST", "containers/create", params=params, body=body))
    try:
        return str((await asyncio.shield(creating))["Id"])
    except asyncio.CancelledError:
        await asyncio.wait([creating])
        if creating.exception() is None:
            await remove_container(engine, str(creating.result()["Id"]))
        raise


async def remove_container(engine: Engine, name: str) -> None:
    """Remove a container with its anonymous volumes, running or not; one that is gone is no error."""
    try:
        await engine.call("DELETE", f"containers/{name}", params={"force": "1", "v": "1"})
    except EngineRefusedError as error:
        # A conflict: a removal of this container is going on already.
        if error.status not in (404, 409):
            raise


def volume_mount(volume: str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return a volume's mount in the form of the engine's API."""
    return {"Type": "volume", "Source": volume, "Target": target, "ReadOnly": read_only}


async def _quiet(_: bytes) -> None:
    """Take progress that nobody asked for."""


def lines_of(output: str) -> Sequence[str]:
    """Return the lines of a terminal's output."""
    return [line.rstrip("\r") for line in output.splitlines()]
