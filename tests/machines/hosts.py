"""Hosts of the tests' own on this one machine: each a Docker engine in a network namespace of its own.

They reach each other, a registry, and whatever a test starts on our end of the wires (Postgres, Redis, the GitHub
stand-in), by real addresses. They do not reach the world: images and repositories stand on `tests.chaos.engine.READY`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.engine import READY, Apart, Engine, EngineAbsentError, OwnEngine, shared_engine
from tests.machines.registry import Registry, started_registry
from tests.machines.wires import Wires

__all__ = ["EngineAbsentError", "Host", "Hosts", "hosts"]


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `address` is what the others call it by."""

    number: int
    address: str
    engine: OwnEngine
    wires: Wires

    @property
    def docker_host(self) -> str:
        """Return the address of its engine for whoever shares its disk, as a worker beside it does."""
        return f"unix://{self.engine.socket}"

    async def docker(self, *arguments: str) -> tuple[int, str]:
        """Run `docker ARGUMENTS` beside it; return exit code, and what it printed and complained of."""
        process = await asyncio.create_subprocess_exec(
            *("docker", *arguments),
            env=os.environ | {"DOCKER_HOST": self.docker_host},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode("utf-8", "replace").strip()

    def cut(self) -> None:
        """Cut it off from the others and from us; its engine goes on."""
        self.wires.pull(self.number)

    def mend(self) -> None:
        """Connect it again."""
        self.wires.plug(self.number)

    async def kill(self) -> None:
        """End its engine with all containers and without a word, as the end of the machine does."""
        await self.engine.kill()


@dataclass(frozen=True, slots=True)
class Hosts:
    """Hosts that are up. `outside` is the address at which they all reach what is started on our end.

    `socket` is where each of them has its own engine's, as on machines of the same kind.
    """

    members: tuple[Host, ...]
    outside: str
    registry: Registry
    socket: Path


@asynccontextmanager
async def hosts(folder: Path, *, count: int = 2, images: Sequence[str] = (READY,)) -> AsyncIterator[Hosts]:
    """Yield so many hosts with these images of the shared engine. Raises EngineAbsentError where none can be had.

    `folder` has a short path (`tests.product.scratch_folder`): sockets lie in it. At the end all of it is gone.
    """
    shared = await shared_engine()
    wires = Wires()
    async with AsyncExitStack() as stack:
        stack.callback(wires.remove)
        wires.lay()
        address = f"{wires.outside}:{_free_port(wires.outside)}"
        registry = await stack.enter_async_context(started_registry(folder / "registry", address))
        seen = folder / "host"
        seen.mkdir()
        members = []
        for number in range(1, count + 1):
            engine = OwnEngine(
                folder / f"e{number}",
                folder / f"e{number}" / "data",
                namespace=wires.namespace(number),
                config={"insecure-registries": [address]},
                apart=Apart(f"host-{number}", seen),
            )
            stack.push_async_callback(_end, engine)
            wires.connect(number)
            members.append(Host(number, wires.address(number), engine, wires))
        begun = await asyncio.gather(*(_begin(host.engine, shared, images) for host in members), return_exceptions=True)
        for fault in begun:
            if fault is not None:
                raise fault
        yield Hosts(tuple(members), wires.outside, registry, seen / "docker.sock")


async def _end(engine: OwnEngine) -> None:
    # Nobody waits for its containers: all of it goes.
    await engine.kill()
    await engine.remove()


async def _begin(engine: OwnEngine, shared: Engine, images: Sequence[str]) -> None:
    await engine.start()
    await engine.take_over(shared, images)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
