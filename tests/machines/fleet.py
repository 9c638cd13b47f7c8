"""One Draftsman on several machines: `draftsman serve`, a `draftsman worker` beside each host's engine, a registry.

Postgres, Redis and the GitHub stand-in are one for all; each worker has an engine and a home folder of its own. A
machine is a host's engine and the worker beside it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from aiohttp import web
from aiohttp.test_utils import TestServer

from draftsman import embedded
from draftsman.store import database, logs
from draftsman.store.migrate import migrate
from tests.chaos.program import Program, kept_running
from tests.chaos.server import Server, started
from tests.chaos.world import SETTINGS, be_generous
from tests.github import CheckRun, GitHubStandIn
from tests.machines.hosts import Host, Hosts, hosts
from tests.product import settings_for

_STARTS_WITHIN = 120.0
_T = TypeVar("_T")

FAST_LEASES = {"DRAFTSMAN_LEASE_SECONDS": "5", "DRAFTSMAN_HAND_OVER_SECONDS": "10", "DRAFTSMAN_RETRIES": "0"}
"""Waits are scaled down. Nothing is tried again: what goes wrong is seen."""


class Counter:
    """Counts what builds say of themselves: each asks for an address that names it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.url = ""

    async def hear(self, request: web.Request) -> web.Response:
        """Count one."""
        self.heard.append(request.match_info["what"])
        return web.Response(text="heard\n")


@dataclass(frozen=True, slots=True)
class Fleet:
    """A Draftsman on several machines that are up. `workers` are by the number of their host, from 1."""

    github: GitHubStandIn
    postgres: Server
    hosts: Hosts
    serve: Program
    workers: Mapping[int, Program]
    builds: Counter

    def host(self, number: int) -> Host:
        """Return a host by its number, from 1."""
        return self.hosts.members[number - 1]

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return what the query finds in the database."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def value(self, query: str, *arguments: object) -> Any:
        """Return the one value that the query finds."""
        [row] = await self.rows(query, *arguments)
        return row[0]

    async def command(self, *arguments: str) -> str:
        """Run `draftsman ARGUMENTS` beside `serve`; return what it printed. Raises AssertionError where it fails."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "draftsman.cli.main", *arguments),
            env=self.serve.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return output.decode()

    async def lose_machine(self, number: int) -> None:
        """End a machine as the loss of its power does: its worker, its engine and all containers. It stays away."""
        self.workers[number].kill(away_seconds=3600)
        await self.host(number).kill()

    async def until(self, condition: Callable[[], Awaitable[_T | None]], what: str, seconds: float = 90) -> _T:
        """Wait until the condition returns something true, and return that. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := await condition():
                return found
            await asyncio.sleep(0.2)
        raise AssertionError(f"{what} did not come to be\n{await self.seen()}")

    async def shown(self, sha: str) -> dict[str, CheckRun]:
        """Wait until GitHub shows both check runs of a commit as completed, and return them by tier."""

        async def are_completed() -> dict[str, CheckRun] | None:
            runs = {run.name.removeprefix("Draftsman / "): run for run in self.github.check_runs(sha)}
            return runs if len(runs) == 2 and all(run.status == "completed" for run in runs.values()) else None

        return await self.until(are_completed, f"the result of {sha[:7]}", seconds=240)

    async def attempt(self, sha: str) -> asyncpg.Record:
        """Return the newest attempt of a commit, with the name of its worker's host folder where one has it."""
        [row] = await self.rows(
            "SELECT a.*, w.engine AS worker_engine FROM attempts a JOIN runs r ON r.id = a.run_id "
            "LEFT JOIN workers w ON w.name = a.lease_owner WHERE r.head_sha = $1 ORDER BY a.number DESC LIMIT 1",
            sha,
        )
        return row

    async def engines(self) -> dict[int, str]:
        """Return the ids of the hosts' engines, by the number of the host."""
        found = {}
        for host in self.hosts.members:
            code, said = await host.docker("info", "--format", "{{.ID}}")
            found[host.number] = said if code == 0 else ""
        return found

    async def log(self, sha: str) -> str:
        """Return what the first fast step of a commit's newest attempt printed."""
        attempt = await self.attempt(sha)
        pool = await database.connect(self.postgres.url, size=1)
        try:
            return b"".join(
                [one.content async for one in logs.read(pool, attempt["id"]) if one.section == "fast-1"]
            ).decode()
        finally:
            pool.terminate()

    async def jobs(self, number: int, sha: str) -> list[str]:
        """Return the containers of a commit's jobs on a host, by their ids."""
        _, said = await self.host(number).docker(
            *("ps", "--all", "--quiet", "--filter", f"label=draftsman.sha={sha}", "--filter", "name=draftsman-job-")
        )
        return said.split()

    async def seen(self) -> str:
        """Return what there is to see, for people who ask why a test failed."""
        states = await self.rows(
            "SELECT left(r.head_sha, 7) AS sha, a.number, a.state, a.conclusion, a.title, a.lease_owner, a.epoch "
            "FROM attempts a JOIN runs r ON r.id = a.run_id ORDER BY a.created_at"
        )
        said = [program.said()[-3000:] for program in (self.serve, *self.workers.values())]
        return "\n".join([*(str(dict(row)) for row in states), *said])


@asynccontextmanager
async def fleet(
    folder: Path, *, settings: Mapping[str, str] | None = None, own: Mapping[int, Mapping[str, str]] | None = None
) -> AsyncIterator[Fleet]:
    """Yield a fleet of two machines that is up. `settings` are those of all programs, `own` those of single workers.

    `folder` has a short path, which others may pass through.
    """
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(hosts(folder))
        github = await stack.enter_async_context(GitHubStandIn.start())
        be_generous(github)
        postgres = Server("Postgres", embedded.postgres, folder / "pg", Path("data/postmaster.pid"))
        redis = Server("Redis", embedded.redis, folder / "redis", Path("data/pid"))
        for server in (postgres, redis):
            await stack.enter_async_context(started(server))
        pool = await database.connect(postgres.url, size=1)
        await migrate(pool)
        pool.terminate()
        shared = _environment(github, folder, postgres, redis, up) | dict(settings or {})
        serve = Program("serve", "serve", shared | {"DRAFTSMAN_HOME": str(folder / "home")}, folder / "serve.log")
        workers = {
            host.number: Program(
                f"worker-{host.number}",
                "worker",
                shared
                | {"DRAFTSMAN_HOME": str(folder / f"home{host.number}"), "DOCKER_HOST": host.docker_host}
                # What is asked of workers stands in the settings of each.
                | dict((own or {}).get(host.number, {})),
                folder / f"worker-{host.number}.log",
            )
            for host in up.members
        }
        for program in (serve, *workers.values()):
            await stack.enter_async_context(kept_running(program))
        builds = await _counter(stack, up.outside)
        made = Fleet(github, postgres, up, serve, workers, builds)
        await _until_up(made)
        github.webhook_url = f"{shared['DRAFTSMAN_PUBLIC_URL']}/webhooks/github"
        github.auto_deliver = True
        try:
            yield made
        finally:
            github.auto_deliver = False


def _environment(github: GitHubStandIn, folder: Path, postgres: Server, redis: Server, up: Hosts) -> dict[str, str]:
    own = {
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis.url,
        "DRAFTSMAN_REGISTRY": f"{up.registry.address}/team",
    }
    return settings_for(github, folder) | SETTINGS | FAST_LEASES | own


async def _counter(stack: AsyncExitStack, address: str) -> Counter:
    counter = Counter()
    application = web.Application()
    application.router.add_get("/{what}", counter.hear)
    server = TestServer(application, host=address)
    await server.start_server()
    stack.push_async_callback(server.close)
    counter.url = f"http://{address}:{server.port}"
    return counter


async def _until_up(made: Fleet) -> None:
    async def are_there() -> bool:
        there = await made.value("SELECT count(*) FROM workers WHERE engine IS NOT NULL AND stopped_at IS NULL")
        return "listening on" in made.serve.said() and there == len(made.workers)

    await made.until(are_there, "Draftsman", seconds=_STARTS_WITHIN)
