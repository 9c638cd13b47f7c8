"""The stand-in as a program of its own: settings, state, and people who play with it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.github.client import Client, git

ROOT = Path(__file__).parents[2]


async def post(client: Client, path: str, body: Any = None) -> tuple[int, Any]:
    async with client.session.post(f"{client.github.server_url}/_stand-in/{path}", json=body) as reply:
        return reply.status, await reply.json()


async def test_people_can_play(client: Client) -> None:
    assert (await post(client, "repos", {"full_name": "acme/widgets", "files": {"a.py": "x = 1\n"}}))[0] == 201
    change = {"files": {"a.py": "x = 2\n"}, "branch": "feature"}
    status, commit = await post(client, "repos/acme/widgets/commits", change)
    assert status == 201
    status, pull = await post(client, "repos/acme/widgets/pulls", {"title": "Two", "head": "feature"})
    assert (status, pull["number"], pull["head_sha"]) == (201, 1, commit["sha"])
    assert (await post(client, "repos/acme/widgets/pulls/1/merge"))[1]["state"] == "closed"
    async with client.session.get(f"{client.github.server_url}/_stand-in/") as reply:
        state = await reply.json()
    assert state["repositories"][0]["pulls"][0]["state"] == "closed"


async def test_mistakes_are_explained(client: Client) -> None:
    assert (await post(client, "repos", {"name": "x"}))[0] == 422
    status, answer = await post(client, "repos/acme/none/pulls", {"title": "t", "head": "h"})
    assert (status, answer["message"]) == (404, "there is no repository acme/none")
    await client.github.create_repository("acme/widgets", files={"a": "1"})
    status, answer = await post(client, "repos/acme/widgets/pulls", {"title": "t", "head": "nowhere"})
    assert status == 422
    assert "nowhere" in answer["message"]


async def test_check_runs_can_be_read_as_text(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a": "1"})
    body = {"name": "fast", "head_sha": await repo.git.head("main"), "conclusion": "success"}
    await client.call("POST", "/repos/acme/widgets/check-runs", body, token=await client.token(repo))
    async with client.session.get(f"{client.github.server_url}/_stand-in/check-runs") as reply:
        assert "✔ fast — success" in await reply.text()


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    folder = tmp_path / "widgets"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    options = ["--port", "0", "--repo", str(folder), "--key-file", str(tmp_path / "key.pem")]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.github", *options, cwd=ROOT, stdout=asyncio.subprocess.PIPE, env={**os.environ}
    )
    yield process
    process.terminate()
    assert await process.wait() == 0


async def test_program_prints_settings_and_serves(program: asyncio.subprocess.Process, tmp_path: Path) -> None:
    assert program.stdout is not None
    printed = ""
    while "# State:" not in printed:
        line = await asyncio.wait_for(program.stdout.readline(), 20)
        assert line, f"the stand-in ended early: {printed}"
        printed += line.decode()
    settings = dict(re.findall(r"^export (\w+)=(.*)$", printed, re.MULTILINE))
    assert settings["GITHUB_API_URL"].startswith("http://127.0.0.1:")
    key = Path(settings["GITHUB_PRIVATE_KEY_FILE"])
    assert key.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert key.stat().st_mode & 0o077 == 0
    remote = re.search(r"git push (\S+)", printed)
    assert remote is not None
    code, out = await git(tmp_path, "clone", "--quiet", remote[1], "clone")
    assert code == 0, out
    assert (tmp_path / "clone" / "a.py").read_text() == "x = 1\n"
