"""`draftsman serve` and `draftsman worker` while Redis is away, and when it comes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from draftsman import embedded
from draftsman.domain.run import Conclusion
from draftsman.store.database import Pool
from tests.github import GitHubStandIn
from tests.orchestrator.test_claims import finished, queue_run
from tests.product import free_port, scratch_folder

pytestmark = [pytest.mark.services, pytest.mark.engine]


@asynccontextmanager
async def running(command: str, environment: dict[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "draftsman.cli.main", command, env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def health(address: str) -> dict[str, Any]:
    """Return what /health says, once there is one that answers."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while True:
            try:
                async with session.get(f"{address}/health") as response:
                    assert response.status == 200
                    return dict(await response.json())
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def test_both_start_and_work_without_redis_and_use_it_when_it_comes(
    pool: Pool[Any], database_url: str, github: GitHubStandIn
) -> None:
    with scratch_folder() as folder:
        async with embedded.redis(folder / "redis") as redis_url:
            pass  # only its address is needed
        port = free_port()
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_"))
        }
        environment = inherited | {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "DRAFTSMAN_JOB_NETWORK": "none",
            "DRAFTSMAN_HOME": str(folder / "data"),
            "DRAFTSMAN_PORT": str(port),
            "DRAFTSMAN_ALLOW": "*",
            "GITHUB_APP_ID": str(github.app.id),
            "GITHUB_PRIVATE_KEY": github.app.private_key_pem,
            "GITHUB_WEBHOOK_SECRET": github.app.webhook_secret,
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
        }
        address = f"http://127.0.0.1:{port}"
        async with AsyncExitStack() as stack:
            logs = {command: folder / f"{command}.log" for command in ("serve", "worker")}
            processes = [
                await stack.enter_async_context(running(command, environment, log)) for command, log in logs.items()
            ]
            assert (await health(address))["redis"] is False
            attempt = await finished(pool, await queue_run(pool, "a"))
            assert attempt.conclusion is Conclusion.ERROR
            for log in logs.values():
                assert "Redis is away" in log.read_text()
            async with embedded.redis(folder / "redis"):
                async with asyncio.timeout(15):
                    while not (await health(address))["redis"] or "heard again" not in logs["worker"].read_text():
                        await asyncio.sleep(0.1)
            assert [process.returncode for process in processes] == [None, None]
