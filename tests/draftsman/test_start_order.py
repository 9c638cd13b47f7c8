"""Services that are started in no order, as a swarm does it: they wait for the database, and for its migrations."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.chaos.line import laid
from tests.conftest import database_at
from tests.github import GitHubStandIn
from tests.product import free_port, scratch_folder

pytestmark = [pytest.mark.services, pytest.mark.engine]


@dataclass
class Service:
    """A `draftsman` process and what it says."""

    process: asyncio.subprocess.Process
    log: Path

    async def says(self, words: str) -> None:
        async with asyncio.timeout(30):
            while words not in self.log.read_text():
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)


@asynccontextmanager
async def started(environment: dict[str, str], log: Path, *arguments: str) -> AsyncIterator[Service]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "draftsman.cli.main", *arguments), env=environment, stdout=output, stderr=output
        )
    try:
        yield Service(process, log)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def well(url: str) -> None:
    """Wait until the address answers 200: a worker does so once it looked for jobs."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            with suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)


@pytest.fixture
async def empty_database(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a database that nobody migrated."""
    name = f"empty_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name}")
    yield database_at(postgres_url, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def test_they_wait_for_the_database_and_for_its_migrations_and_say_so(
    empty_database: str, github: GitHubStandIn
) -> None:
    found = re.search(r"host=([^&]+)", empty_database)
    assert found is not None
    with scratch_folder() as folder:
        socket = folder / "l" / ".s.PGSQL.5432"
        api, worker = free_port(), free_port()
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_"))
        }
        environment = inherited | {
            "DATABASE_URL": empty_database.replace(found[1], str(socket.parent)),
            "REDIS_URL": f"unix://{folder}/no-redis",
            "DRAFTSMAN_HOME": str(folder / "home"),
            "DRAFTSMAN_PORT": str(api),
            "DRAFTSMAN_WORKER_PORT": str(worker),
            "GITHUB_APP_ID": str(github.app.id),
            "GITHUB_PRIVATE_KEY": github.app.private_key_pem,
            "GITHUB_WEBHOOK_SECRET": github.app.webhook_secret,
            "GITHUB_API_URL": github.api_url,
        }
        async with AsyncExitStack() as stack:
            services = [
                await stack.enter_async_context(started(environment, folder / f"{name}.log", name))
                for name in ("serve", "worker")
            ]
            migrating = await stack.enter_async_context(
                started(environment, folder / "migrate.log", "migrate", "--wait")
            )
            for service in (*services, migrating):
                await service.says("waiting for Postgres")
            # It is what migrates that has to wait, so that the others meet a database that nobody migrated.
            migrating.process.terminate()
            await migrating.process.wait()
            await stack.enter_async_context(laid(Path(found[1], socket.name), socket))
            for service in services:
                await service.says("waiting until `draftsman migrate` was run")
            migrated = await stack.enter_async_context(
                started(environment, folder / "migrate.log", "migrate", "--wait")
            )
            assert await migrated.process.wait() == 0, migrated.log.read_text()
            await well(f"http://127.0.0.1:{api}/health")
            await well(f"http://127.0.0.1:{worker}/health")
            for service in services:
                assert service.log.read_text().count("waiting for Postgres") == 1
                assert "Traceback" not in service.log.read_text()
