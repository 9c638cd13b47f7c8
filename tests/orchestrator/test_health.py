"""A worker says whether it takes jobs, on a port of this machine alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import aiohttp
import pytest

from draftsman.domain.errors import HostError
from orchestrator.health import WorkerState, serve_health, why_not
from tests.product import free_port

WELL = WorkerState("host:1", slots=2, busy=0, engine=True, room=True, drained=False, looked_seconds_ago=1.5)


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        (WELL, ""),
        (replace(WELL, busy=2, looked_seconds_ago=0.0), ""),
        (replace(WELL, drained=True), ""),
        (replace(WELL, engine=False), "its Docker engine does not answer"),
        (replace(WELL, room=False), "the disk of its Docker engine is nearly full"),
        (replace(WELL, looked_seconds_ago=None), "it could not look for jobs yet"),
        (replace(WELL, looked_seconds_ago=75), "it could not look for jobs for 75 s"),
    ],
)
def test_a_worker_is_well_while_it_takes_jobs(state: WorkerState, fault: str) -> None:
    assert why_not(state) == fault


async def test_the_answer_follows_the_worker() -> None:
    port = free_port()
    now = [WELL]
    serving = asyncio.create_task(serve_health(port, lambda: now[0]))
    try:
        async with aiohttp.ClientSession() as session:
            for _ in range(100):
                try:
                    async with session.get(f"http://127.0.0.1:{port}/health") as response:
                        assert (response.status, (await response.json())["status"]) == (200, "ok")
                        break
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.05)
            now[0] = replace(WELL, engine=False)
            async with session.get(f"http://127.0.0.1:{port}/health") as response:
                told = await response.json()
                assert (response.status, told["fault"]) == (503, "its Docker engine does not answer")
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_port_that_is_taken_is_said() -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken:
        with pytest.raises(HostError, match="DRAFTSMAN_WORKER_PORT"):
            await serve_health(port, lambda: WELL)
