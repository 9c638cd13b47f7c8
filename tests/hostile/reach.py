"""What a job tries to reach: listeners that the test puts up, at addresses that it makes, and the way to them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from orchestrator.containers import remove_container
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
        addresses = await _start(engine, helper.image, _ADDRESSES, [], "host", made, ["NET_ADMIN"])
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
    made: list[str] = []
    try:
        container = await _start(engine, image, command, [], "bridge", made, None, **host_config)
        await engine.call("POST", f"containers/{container}/wait")
        return await _said(engine, container)
    finally:
        for container in made:
            await remove_container(engine, container)


async def _start(
    engine: Engine,
    image: str,
    script: str,
    arguments: list[str],
    network: str,
    made: list[str],
    capabilities: list[str] | None = None,
    **host_config: object,
) -> str:
    body = {
        "Image": image,
        "Entrypoint": ["/bin/sh", "-c", script],
        "Cmd": arguments,
        "Tty": True,
        "Labels": {"draftsman.helper": "1"},
        "HostConfig": {"NetworkMode": network, "CapAdd": capabilities or [], **host_config},
    }
    answer = await engine.call("POST", "containers/create", body=body)
    made.append(str(answer["Id"]))
    await engine.call("POST", f"containers/{answer['Id']}/start")
    return str(answer["Id"])


async def _said(engine: Engine, container: str) -> str:
    async with engine.stream("GET", f"containers/{container}/logs", params={"stdout": "1"}) as answer:
        return (await answer.read()).decode("utf-8", "replace")


async def _until_said(engine: Engine, container: str, word: str) -> None:
    async with asyncio.timeout(20):
        while word not in await _said(engine, container):
            await asyncio.sleep(0.05)
