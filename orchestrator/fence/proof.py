"""Proves a fence from inside a job, before any job relies on it.

Two listeners are put up: one on the engine's host, one in a container of its default bridge. A container without a
fence must reach both, else the proof says nothing; one that is made as jobs are, in a fence, must reach neither.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from draftsman.domain.errors import DraftsmanError, EngineError
from orchestrator.containers import create_container, remove_container, run_container
from orchestrator.engine import Engine
from orchestrator.fence.holder import Fences
from orchestrator.helper import LABEL_HELPER

log = logging.getLogger(__name__)

_WORD = "draftsman-was-here"
_PORTS = range(20_000, 60_000)
_SECONDS = 60.0
_LISTENER = {"CapDrop": ["ALL"], "PidsLimit": 64}
_LISTEN = f"exec nc -ll -p $0 -e /bin/busybox echo {_WORD}"
# Each address is tried twice: a listener may not be up yet when the first try is made.
_REACH = f"""
for address in "$@"; do
    for again in 1 2; do
        said=$(nc -w 2 "$address" "$PORT" </dev/null 2>/dev/null)
        [ "$said" = {_WORD} ] && echo "reached $address" && break
        [ "$again" = 2 ] || sleep 0.2
    done
done
echo looked
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof found. `fault` is empty where the fence holds; else it says what is wrong, in a sentence."""

    fault: str = ""

    @property
    def holds(self) -> bool:
        """Return whether jobs may rely on the fence."""
        return not self.fault


async def prove(fences: Fences, host_config: Mapping[str, Any]) -> Proof:
    """Return whether a fence of this engine holds. Whatever goes wrong is a fault: no proof, no fence.

    `host_config` is what jobs are made with (capabilities, runtime).
    """
    engine = fences.helper.engine
    made: list[str] = []
    name = f"draftsman-proof-{uuid.uuid4().hex[:12]}"
    try:
        await fences.helper.ensure()
        return await _prove(fences, host_config, name, made)
    except DraftsmanError as error:
        return Proof(str(error))
    except (KeyError, TypeError, ValueError) as error:
        log.exception("the engine answered something that the proof does not know")
        return Proof(f"The network fence could not be proven: the engine's answer has no {error}.")
    finally:
        removals = [remove_container(engine, container) for container in (*made, name)]
        await asyncio.gather(*removals, return_exceptions=True)


async def _prove(fences: Fences, host_config: Mapping[str, Any], name: str, made: list[str]) -> Proof:
    engine, image = fences.helper.engine, fences.helper.image
    port = str(_PORTS[uuid.uuid4().int % len(_PORTS)])
    _, listener, holder, host = await _together(
        _listen(engine, image, port, "host", made),
        _listen(engine, image, port, "bridge", made),
        fences.raise_as(name, {LABEL_HELPER: "1"}),
        fences.host_addresses(),
    )
    sibling = (await engine.call("GET", f"containers/{listener}/json"))["NetworkSettings"]
    address = sibling.get("IPAddress") or sibling["Networks"]["bridge"]["IPAddress"]
    targets = [*host, address]
    # One after the other: what is reached from outside listens by the time that the inside looks.
    outside = await _reached(engine, image, targets, port, "bridge", _LISTENER)
    if address not in outside or not set(host) & set(outside):
        return Proof(
            "The network fence could not be proven: without it, a container reached "
            f"{', '.join(outside) or 'nothing'}, and should have reached the host and another container. "
            "Does a firewall of the host stand between?"
        )
    inside = await _reached(engine, image, targets, port, f"container:{holder}", host_config)
    if inside:
        return Proof(f"The network fence does not hold: a job reached {', '.join(inside)} through it.")
    return Proof()


async def _together(*parts: Coroutine[Any, Any, Any]) -> list[Any]:
    """Return what these return. Where one fails, none of the others goes on to make containers."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _reached(
    engine: Engine, image: str, targets: list[str], port: str, network: str, host_config: Mapping[str, Any]
) -> list[str]:
    """Return the addresses that a container in this network reached. Raises EngineError where it did not look."""
    body = _body(image, f"PORT=$0; {_REACH}", [port, *targets], network, host_config)
    _, output = await run_container(engine, body, seconds=_SECONDS)
    said = output.split()
    if "looked" not in said:
        raise EngineError(f"The network fence could not be proven: a container said {output.strip()[:200]!r}.")
    return [said[at + 1] for at, word in enumerate(said) if word == "reached"]


async def _listen(engine: Engine, image: str, port: str, network: str, made: list[str]) -> str:
    """Put up a listener; `made` gets to know its container as soon as there is one."""
    container = await create_container(engine, _body(image, _LISTEN, [port], network, _LISTENER))
    made.append(container)
    await engine.call("POST", f"containers/{container}/start")
    return container


def _body(
    image: str, script: str, arguments: list[str], network: str, host_config: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "Image": image,
        "Entrypoint": ["/bin/sh", "-c", script],
        "Cmd": arguments,
        "Labels": {LABEL_HELPER: "1"},
        "HostConfig": {**host_config, "NetworkMode": network},
    }
