"""A proxy that lets through what docs/operations.md lists is enough for a run, from the image to the fence."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.docs.engine_calls import engine_calls
from tests.docs.socket_proxy import socket_proxy
from tests.draftsman.test_command_line import PASSING, commit, draftsman, git

pytestmark = pytest.mark.engine

ENGINE = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "greeting"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, PASSING)
    return folder


async def test_a_run_needs_no_other_call(repository: Path, tmp_path: Path) -> None:
    async with socket_proxy(ENGINE, engine_calls()) as proxy:
        order = ("run", str(repository), "--rebuild", "--json")
        done = await asyncio.to_thread(draftsman, tmp_path / "home", *order, DOCKER_HOST=proxy.address)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["conclusion"] == "success"
    assert proxy.refused == []
    assert {"POST /build", "POST /containers/create", "PUT /containers/*/archive"} <= proxy.let_through


async def test_what_is_not_in_the_list_is_refused_in_words(repository: Path, tmp_path: Path) -> None:
    async with socket_proxy(ENGINE, engine_calls() - {"POST /build"}) as proxy:
        order = ("run", str(repository), "--rebuild", "--json")
        done = await asyncio.to_thread(draftsman, tmp_path / "home", *order, DOCKER_HOST=proxy.address)
    assert proxy.refused == ["POST /build"]
    assert done.returncode != 0
    assert "not allowed: POST /build" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
