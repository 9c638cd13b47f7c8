"""The engine's client: what it says when there is no engine, and that streams end."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from draftsman.domain.errors import EngineError
from orchestrator.engine import Engine, EngineRefusedError, connect, read_facts

VERSION: dict[str, Any] = {"ApiVersion": "1.45", "Version": "26.1.5", "Os": "linux", "Arch": "amd64"}


async def test_no_socket_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="Start Docker, or set DOCKER_HOST"):
        await connect(f"unix://{tmp_path}/docker.sock")


async def test_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(EngineError, match=r"No Docker engine answers .*Start Docker"):
        await connect(f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["not an address", "http2://x"])
async def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(EngineError, match="DOCKER_HOST"):
        await connect(address)


@pytest.mark.parametrize(
    ("changes", "buildkit"),
    [
        ({}, True),
        ({"Components": [{"Name": "Engine"}, {"Name": "containerd"}]}, True),
        ({"Components": [{"Name": "Podman Engine"}]}, False),
        ({"ApiVersion": "1.38"}, False),
        ({"Os": "windows"}, False),
    ],
)
def test_which_engines_have_buildkit(changes: dict[str, Any], buildkit: bool) -> None:
    assert read_facts(VERSION | changes, {}).buildkit is buildkit


@pytest.mark.parametrize(("api_version", "buildkit"), [("1.45", False), ("1.47", False), ("1.48", True)])
def test_where_containerd_keeps_the_images_older_engines_have_none_that_works(api_version: str, buildkit: bool) -> None:
    kept = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    assert read_facts(VERSION | {"ApiVersion": api_version}, kept).buildkit is buildkit


@pytest.mark.engine
async def test_facts_of_a_real_engine(engine: Engine) -> None:
    assert engine.facts.id
    assert engine.facts.cpus >= 1
    assert engine.facts.memory_bytes > 2**20


@pytest.mark.engine
async def test_a_refusal_has_the_engines_words(engine: Engine) -> None:
    with pytest.raises(EngineRefusedError, match="No such image") as caught:
        await engine.call("GET", "images/draftsman-tests/absent:1/json")
    assert caught.value.status == 404


@pytest.mark.engine
async def test_a_cancelled_stream_gives_its_connection_back(engine: Engine) -> None:
    async def follow() -> None:
        async with engine.stream("GET", "events") as events:
            await events.read()

    for _ in range(5):
        task = asyncio.create_task(follow())
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    connector = engine._streams.connector
    assert not connector._acquired
