"""The loop that does tasks, at work on a test's database against the stand-in."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bot import github as github_client
from bot.tasks.desk import Desk
from bot.tasks.loop import LEASE_SECONDS, TaskLoop
from draftsman.store import tasks
from draftsman.store.database import Pool
from draftsman.store.tasks import TaskWanted
from tests.bot.conftest import Served
from tests.bot.recovering import receiver_of
from tests.bot.reporting import PUBLIC_URL
from tests.github import GitHubStandIn
from tests.github.deliveries import sign


@asynccontextmanager
async def at_work(
    pool: Pool[Any], github: GitHubStandIn, database_url: str, *, lease_seconds: float = LEASE_SECONDS
) -> AsyncIterator[asyncio.Task[None]]:
    """A loop with a client of its own, as another process would have. Whatever ends it before its time is raised."""
    async with github_client.connect(
        app_id=str(github.app.id), private_key=github.app.private_key_pem, api_url=github.api_url
    ) as client:
        desk = Desk(receiver_of(pool, github), client, PUBLIC_URL)
        loop = TaskLoop(desk, database_url=database_url, lease_seconds=lease_seconds)
        running = asyncio.create_task(loop.run())
        try:
            yield running
            assert not running.done(), "the loop ended by itself"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def all_done(pool: Pool[Any], *, seconds: float = 60) -> None:
    """Wait until every task is done or given up, the pauses between its tries left out."""
    deadline = asyncio.get_running_loop().time() + seconds
    while await tasks.open_count(pool):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"these do not end: {await left(pool)}")
        await pool.execute(
            "UPDATE run_refs SET named_at = named_at - interval '1 minute' "
            "WHERE EXISTS (SELECT FROM tasks WHERE state = 'open' AND error LIKE 'an event that just came%')"
        )
        hurried = await pool.execute(
            "UPDATE tasks SET due_at = now() WHERE state = 'open' AND error IS NOT NULL AND due_at > now()"
        )
        if hurried != "UPDATE 0":
            await pool.execute(f"SELECT pg_notify('{tasks.CHANNEL}', '')")
        await asyncio.sleep(0.02)


async def left(pool: Pool[Any]) -> list[tuple[Any, ...]]:
    rows = await pool.fetch("SELECT id, kind, lane, tries, error, detail FROM tasks WHERE state = 'open' ORDER BY id")
    return [tuple(row) for row in rows]


async def add(pool: Pool[Any], kind: str = "follow", *, detail: Mapping[str, Any] | None = None) -> None:
    """A task of no delivery, all of one lane."""
    await tasks.add(pool, TaskWanted(kind, "7:branch:main", detail or {}), delivery=None)


async def send(served: Served, event: str, payload: Any, *, guid: str | None = None) -> tuple[int, str]:
    """The status and text of the answer to a signed delivery. Bytes are sent as they are."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": guid or str(uuid.uuid4()),
        "X-Hub-Signature-256": sign(served.secret, body),
    }
    timeout = aiohttp.ClientTimeout(total=30)
    async with served.session.post(
        f"{served.url}/webhooks/github", data=io.BytesIO(body), headers=headers, timeout=timeout
    ) as answer:
        return answer.status, await answer.text()


def assert_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was logged with a traceback, or as an error."""
    found = [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert [(record.name, record.getMessage(), record.exc_info) for record in found] == []
