"""What a job tries to reach: listeners that the test puts up, at addresses that it makes, and the way to them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from orchestrator.containers import create_container, remove_container, run_container
from orchestrator.engine import Engine
from orchestrator.helper import Helper

WORD = "somebody-was-here"
METADATA, PRIVATE = "169.254.169.254", "10.231.77.1"
_LISTEN = f"exec nc -ll -p $0 -e /bin/busybox echo {WORD}"
# A bridge, since every engine's host has those. It goes with the container; one that is left is used again.
_ADDRESSES = f"""
trap 'ip link del hostile0; exit 0' TERM
ip link add name hostile0 type bridge 2>/dev/null
ip addr add {METADATA}/32 dev hostile0
ip addr add {PRIVATE}/32 dev hostile0
ip link set hostile0 up
echo up
while :; do sleep 1; done
"""


@dataclass(frozen=True)
class Reach:
    """Where the listeners are: `host` are addresses of the engine's host, `sibling` is that of another container."""

    port: int
    host: tuple[str, ...]
    sibling: str


@asynccontextmanager
async def listeners(engine: Engine, helper: Helper, host_addresses: list[str]) -> AsyncIterator[Reach]:
    """Put up a listener on the engine's host, with a metadata and a private address, and one in a sibling container."""
    await helper.ensure()
    port = 20_000 + uuid.uuid4().int % 30_000
    made: list[str] = []
    try:
        addresses = await _start(engine, helper.image, _ADDRESSES, [], "host", made, CapAdd=["NET_ADMIN"])
        await _until_said(engine, addresses, "up")
        await _start(engine, helper.image, _LISTEN, [str(port)], "host", made)
        sibling = await _start(engine, helper.image, _LISTEN, [str(port)], "bridge", made)
        network = (await engine.call("GET", f"containers/{sibling}/json"))["NetworkSettings"]
        host = tuple(one for one in host_addresses if ":" not in one)
        yield Reach(port, (*host, METADATA, PRIVATE), network["Networks"]["bridge"]["IPAddress"])
    finally:
        for container in made:
            await engine.call("POST", f"containers/{container}/stop", params={"t": "3"})
            await remove_container(engine, container)


async def outside(engine: Engine, image: str, command: str, **host_config: object) -> str:
    """Return what a command prints in a container of the same image without our fence and hardening."""
    _, said = await run_container(engine, _body(image, command, [], "bridge", host_config), seconds=60)
    return said


def _body(
    image: str, script: str, arguments: list[str], network: str, host_config: Mapping[str, object]
) -> dict[str, object]:
    return {
        "Image": image,
        "Entrypoint": ["/bin/sh", "-c", script],
        "Cmd": arguments,
        "Labels": {"draftsman.helper": "1"},
        "HostConfig": {"NetworkMode": network, **host_config},
    }


async def _start(
    engine: Engine, image: str, script: str, arguments: list[str], network: str, made: list[str], **host_config: object
) -> str:
    container = await create_container(engine, {**_body(image, script, arguments, network, host_config), "Tty": True})
    made.append(container)
    await engine.call("POST", f"containers/{container}/start")
    return container


async def _said(engine: Engine, container: str) -> str:
    async with engine.stream("GET", f"containers/{container}/logs", params={"stdout": "1"}) as answer:
        return (await answer.read()).decode("utf-8", "replace")


async def _until_said(engine: Engine, container: str, word: str) -> None:
    async with asyncio.timeout(20):
        while word not in await _said(engine, container):
            await asyncio.sleep(0.05)
