"""`draftsman sync`, poll mode, and what doctor says of missed events, as people start them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from draftsman.store import recovery
from draftsman.store.database import Pool
from tests.bot.recovering import away, heads_that_run
from tests.draftsman.test_command_line import draftsman
from tests.draftsman.test_doctor import look
from tests.github import GitHubStandIn
from tests.product import free_port, scratch_folder


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


@pytest.fixture
def settings(github: GitHubStandIn, database_url: str, redis_url: str) -> dict[str, str]:
    """What a Draftsman of this App is told."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GITHUB_APP_ID": str(github.app.id),
        "GITHUB_PRIVATE_KEY": github.app.private_key_pem,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "DRAFTSMAN_ALLOW": "*",
    }


@asynccontextmanager
async def serving(home: Path, settings: dict[str, str], **more: str) -> AsyncIterator[str]:
    """Yield the address of `draftsman serve` once it listens; stop it afterwards."""
    port = free_port()
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_", "DATABASE_"))
    }
    environment = inherited | settings | {"DRAFTSMAN_HOME": str(home), "DRAFTSMAN_PORT": str(port), **more}
    process = subprocess.Popen([sys.executable, "-m", "draftsman.cli.main", "serve"], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:
            for _ in range(300):
                try:
                    async with session.get(f"{address}/health"):
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


async def eventually(condition: Any, *, seconds: float) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to that in time"
        await asyncio.sleep(0.1)


async def test_poll_mode_needs_neither_address_nor_secret(
    home: Path, settings: dict[str, str], github: GitHubStandIn, pool: Pool[Any]
) -> None:
    away(github)
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    async with serving(home, settings, DRAFTSMAN_DELIVERY="poll", DRAFTSMAN_POLL_SECONDS="1") as address:
        sha = await widgets.commit({"a.py": "x = 1\n"}, branch="feature")
        await widgets.open_pull("One", head="feature")

        async def is_shown() -> bool:
            return {run.name for run in github.check_runs(sha)} == {"Draftsman / fast", "Draftsman / full"}

        await eventually(is_shown, seconds=10)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{address}/webhooks/github", data=b"{}") as answer,
        ):
            assert answer.status == 410
            assert "DRAFTSMAN_DELIVERY=poll" in (await answer.json())["error"]
    assert await heads_that_run(pool) == {sha}
    found = await look(home, "recovery", **settings, DRAFTSMAN_DELIVERY="poll")
    assert found["ok"] is True
    assert found["found"].startswith("poll mode; GitHub's list of deliveries was last read 20")


async def test_sync_prints_what_was_missed_and_runs_it_once(
    home: Path, settings: dict[str, str], github: GitHubStandIn, pool: Pool[Any]
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    await github.create_repository("acme/gears", files={"a.py": "x = 1\n"})
    head = await widgets.git.head("refs/heads/main")
    one = await asyncio.to_thread(draftsman, home, "sync", "--repo", "acme/widgets", **settings)
    assert one.returncode == 0, one.stderr
    assert await heads_that_run(pool) == {head}
    assert "acme/widgets: run" in one.stdout
    assert "acme/gears" not in one.stdout
    every = await asyncio.to_thread(draftsman, home, "sync", "--json", **settings)
    document = json.loads(every.stdout)
    assert document["missed"] == 1
    missed = {one["repo"]: len(one["missed"]) for one in document["repositories"]}
    assert missed == {"acme/widgets": 0, "acme/gears": 1}
    assert len(await heads_that_run(pool)) == 2
    assert (await recovery.get(pool)).compared_at is not None
    again = await asyncio.to_thread(draftsman, home, "sync", **settings)
    assert "2 repositories compared, 0 events missed" in again.stdout


async def test_sync_says_what_is_wrong(home: Path, settings: dict[str, str], github: GitHubStandIn) -> None:
    absent = await asyncio.to_thread(draftsman, home, "sync", "--repo", "acme/absent", **settings)
    assert (absent.returncode, "not installed on acme/absent" in absent.stderr) == (3, True)
    wrong = await asyncio.to_thread(draftsman, home, "sync", "--repo", "widgets", **settings)
    assert (wrong.returncode, "OWNER/NAME" in wrong.stderr) == (2, True)
    broken = await github.create_repository("acme/broken", files={"a.py": "x = 0\n"})
    github.faults.fail(500, path=f"/repos/{broken.full_name}")
    some = await asyncio.to_thread(draftsman, home, "sync", **settings)
    assert some.returncode == 0
    assert "1 could not be compared" in some.stdout


async def test_where_the_key_is_elsewhere_sync_asks_the_server(
    home: Path, settings: dict[str, str], github: GitHubStandIn, pool: Pool[Any]
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    head = await widgets.git.head("refs/heads/main")
    without = {name: value for name, value in settings.items() if name != "GITHUB_PRIVATE_KEY"}
    async with serving(home, settings, GITHUB_WEBHOOK_SECRET=github.app.webhook_secret):
        asked = await asyncio.to_thread(draftsman, home, "sync", **without)
        assert asked.returncode == 0, asked.stderr

        async def is_run() -> bool:
            return await heads_that_run(pool) == {head}

        await eventually(is_run, seconds=15)


async def test_doctor_shows_a_gap_and_what_did_not_arrive(
    home: Path, settings: dict[str, str], github: GitHubStandIn, pool: Pool[Any]
) -> None:
    away(github)
    await github.ping()
    now = (await recovery.get(pool)).now
    await recovery.keep_read(pool, last_delivery_id=None, last_delivered_at=None)
    await recovery.note_gap(pool, now, now)
    found = await look(home, "recovery", **settings)
    assert found["ok"] is False
    assert f"gap from {now:%Y-%m-%d %H:%M:%S} UTC until" in found["found"]
    assert "1 deliveries within" in found["found"]
    assert "1 of them did not reach this Draftsman" in found["found"]
    done = await asyncio.to_thread(draftsman, home, "sync", **settings)
    assert done.returncode == 0
    found = await look(home, "recovery", **settings)
    assert found["ok"] is True
    assert "made up for by comparing heads" in found["found"]


async def test_doctor_names_what_the_app_may_not_do(
    home: Path, settings: dict[str, str], github: GitHubStandIn
) -> None:
    granted = {"checks": "write", "contents": "read", "issues": "read", "merge_queues": "read", "metadata": "read"}
    github.app.permissions = {**granted, "pull_requests": "write"}
    github.app.events = ("push", "pull_request", "check_suite", "check_run", "merge_group", "repository")
    found = await look(home, "permissions", **settings)
    assert found["ok"] is False
    assert "the permission issues: write (to read commands" in found["found"]
    assert "the event issue_comment" in found["found"]
    assert "checks" not in found["found"].replace("check_", "")
    github.app.permissions = {**github.app.permissions, "issues": "write"}
    github.app.events = (*github.app.events, "issue_comment")
    assert (await look(home, "permissions", **settings))["ok"] is True
