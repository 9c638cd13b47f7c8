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
from tests.github.receiver import Receiver

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


async def test_people_comment_press_and_fork(client: Client, receiver: Receiver) -> None:
    repo = await client.github.create_repository("acme/widgets", private=False, files={"a.py": "x = 1\n"})
    status, fork = await post(client, "repos/acme/widgets/forks", {"owner": "mona"})
    assert (status, fork["full_name"]) == (201, "mona/widgets")
    change = {"files": {"a.py": "x = 2\n"}, "branch": "gift", "author": "mona"}
    _, commit = await post(client, "repos/mona/widgets/commits", change)
    wanted = {"title": "Gift <b>", "head": "gift", "head_repository": "mona/widgets", "author": "mona"}
    assert (await post(client, "repos/acme/widgets/pulls", wanted))[0] == 201
    action = {"label": "Approve", "description": "Let it run", "identifier": "approve"}
    body = {"name": "fast", "head_sha": commit["sha"], "conclusion": "failure", "actions": [action]}
    token = await client.token(repo)
    run = (await client.call("POST", "/repos/acme/widgets/check-runs", body, token=token)).json
    permission = {"login": "mona", "role": "write"}
    assert (await post(client, "repos/acme/widgets/permissions", permission))[0] == 201
    receiver.got.clear()
    path = "repos/acme/widgets/pulls/1"
    assert (await post(client, f"{path}/comments", {"body": "/test <b>", "author": "mona"}))[0] == 201
    for press in (
        *(f"check-runs/{run['id']}/rerun", f"check-runs/{run['id']}/press/approve"),
        *(f"repos/acme/widgets/commits/{commit['sha']}/{what}" for what in ("rerun", "rerun-failed")),
        *(f"{path}/draft", f"{path}/queue"),
    ):
        assert (await post(client, press))[0] < 300
    assert receiver.events == [
        *("issue_comment.created", "check_run.rerequested", "check_run.requested_action"),
        *("check_suite.rerequested", "check_run.rerequested", "pull_request.converted_to_draft"),
        *("push", "check_suite.requested", "merge_group.checks_requested"),
    ]
    async with client.session.get(f"{client.github.server_url}/_stand-in/{path}/comments") as reply:
        [comment] = await reply.json()
    assert (comment["author"], comment["body"], comment["reactions"]) == ("mona", "/test <b>", [])
    assert (await post(client, f"check-runs/{run['id']}/press/fly"))[0] == 422
    assert (await post(client, "check-runs/1/rerun"))[0] == 404


async def test_there_are_pages_to_look_at(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await repo.commit({"a.py": "x = 2\n"}, branch="feature")
    pull = await repo.open_pull("Two <b>", head="feature")
    await pull.comment("<script>")
    body = {"name": "fast", "head_sha": sha, "conclusion": "success"}
    token = await client.token(repo)
    run = (await client.call("POST", "/repos/acme/widgets/check-runs", body, token=token)).json
    base = f"{client.github.server_url}/acme/widgets"
    for page in (f"{base}/pull/1", f"{base}/commit/{sha}", f"{base}/commit/{sha}/checks", run["html_url"]):
        async with client.session.get(page) as reply:
            text = await reply.text()
            assert "✔ fast — success" in text
            assert "<script>" not in text
            assert "Two <b>" not in text
    for missing in (f"{base}/pull/2", f"{base}/runs/1", f"{client.github.server_url}/acme/none/pull/1"):
        async with client.session.get(missing) as reply:
            assert reply.status == 404


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
