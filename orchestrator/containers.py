"""Containers that come and go: made so that none is left behind, removed, and run for what they print."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from orchestrator.engine import Engine

_OUTPUT_BYTES = 256 * 1024


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
    """Remove a container with its anonymous volumes, running or not; one that is gone or going is no error."""
    await engine.delete(f"containers/{name}", params={"force": "1", "v": "1"})


async def run_container(engine: Engine, body: Mapping[str, Any], *, seconds: float) -> tuple[int, str]:
    """Run a container to its end and remove it. Returns its exit code and what it printed, on both streams.

    It has a terminal, so that its output comes as it is, without frames. Raises EngineError where it takes too long.
    """
    made = await create_container(engine, {**body, "Tty": True})
    path = f"containers/{made}"
    try:
        await engine.call("POST", f"{path}/start")
        ended = await engine.call("POST", f"{path}/wait", seconds=seconds)
        said = bytearray()
        async with engine.stream("GET", f"{path}/logs", params={"stdout": "1", "stderr": "1"}) as answer:
            async for chunk in answer.iter_any():
                said += chunk[: _OUTPUT_BYTES - len(said)]
        return int(ended["StatusCode"]), said.decode("utf-8", "replace")
    finally:
        await asyncio.shield(remove_container(engine, made))
