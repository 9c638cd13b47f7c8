"""A Draftsman whose every part can be hurt: one `serve`, two `worker`s, and lines to all that they stand on."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from draftsman import embedded
from draftsman.settings import Settings
from draftsman.store import database
from draftsman.store.migrate import migrate
from tests.chaos.disk import Disk
from tests.chaos.engine import Engine
from tests.chaos.ledger import Ledger
from tests.chaos.line import Line, laid
from tests.chaos.load import People
from tests.chaos.program import Program, kept_running
from tests.chaos.server import Server, started
from tests.github import GitHubStandIn
from tests.github.state import Addresses
from tests.product import settings_for
from tests.scenario.conftest import EVENTS

LEASE_SECONDS = 5.0
PRESSES = 3
"""Times that a person presses Re-run on one commit."""
WORKERS = ("worker-1", "worker-2")
_ANSWERS_WITHIN = 60.0
_STARTS_WITHIN = 90.0
_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

SETTINGS: dict[str, str] = {
    "DRAFTSMAN_LEASE_SECONDS": str(LEASE_SECONDS),
    "DRAFTSMAN_RECOVERY_SECONDS": "2",
    "DRAFTSMAN_CONCURRENCY": "2",
    "DRAFTSMAN_CONCURRENCY_PER_REPOSITORY": "4",
    # A round kills more than a bad year: what is asked for here is that nothing is lost, not that it is given up.
    "DRAFTSMAN_MAX_CLAIMS": "20",
    "DRAFTSMAN_JOB_CPUS": "1",
    "DRAFTSMAN_JOB_MEMORY_MB": "256",
    "DRAFTSMAN_JOB_PIDS": "200",
    "DRAFTSMAN_JOB_LOG_MB": "5",
    "DRAFTSMAN_JOB_WORKSPACE_MB": "200",
    "DRAFTSMAN_DISK_FREE_MB": "64",
    "DRAFTSMAN_BUILD_FREE_MB": "64",
    "DRAFTSMAN_JOB_TIMEOUT_SECONDS": "120",
    "DRAFTSMAN_ALLOW": "*",
    "DRAFTSMAN_CREATIONS_A_MINUTE": "100000",
    "DRAFTSMAN_POINTS_A_MINUTE": "1000000",
    "DRAFTSMAN_LOG_LEVEL": "info",
}


TRIES_AGAIN = "retries" in Settings.model_fields
"""Whether what ends by our own fault is tried again by itself."""
if TRIES_AGAIN:
    SETTINGS |= {"DRAFTSMAN_RETRIES": "6", "DRAFTSMAN_RETRY_SECONDS": "1.5"}


class StuckError(Exception):
    """Something did not come to rest; the text says what."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The connections of one program."""

    postgres: Line
    redis: Line
    engine: Line


@dataclass
class World:
    """Everything there is. `disks` are small ones that can be filled: of `home`, `database`, `engine`."""

    github: GitHubStandIn
    folder: Path
    postgres: Server
    redis: Server
    engine: Engine
    disks: Mapping[str, Disk]
    serve: Program
    workers: Mapping[str, Program]
    lines: Mapping[str, Lines]
    to_github: Line
    ledger: Ledger = field(default_factory=Ledger)
    people_asked: int = 0
    _pressed: Counter[str] = field(default_factory=Counter)

    @property
    def programs(self) -> Sequence[Program]:
        """Return every process of Draftsman's."""
        return (self.serve, *self.workers.values())

    @property
    def home(self) -> Path:
        """Return the home folder."""
        return self.folder / "home"

    def people(self, name: str) -> People:
        """Return somebody with repositories of their own."""
        return People(self.github, self.ledger, name)

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return what the query finds, straight from the database. One that is away is waited for."""
        until = time.monotonic() + _ANSWERS_WITHIN
        while True:
            try:
                async with asyncio.timeout(10):
                    connection = await asyncpg.connect(self.postgres.url)
                    try:
                        return await connection.fetch(query, *arguments)
                    finally:
                        connection.terminate()
            except _AWAY:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run `draftsman ARGUMENTS` beside it all; return exit code and standard output."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "draftsman.cli.main", *arguments),
            env=dict(self.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the settings of whoever needs no line."""
        own = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}
        return self.serve.environment | own | {"DOCKER_HOST": f"unix://{self.engine.socket}"}

    def worker_called(self, owner: str) -> Program | None:
        """Return the worker whose name the store gives as the holder of a lease; it holds the file of its name open."""
        for worker in self.workers.values():
            with suppress(ProcessLookupError, OSError):
                for link in Path(f"/proc/{worker.pid}/fd").iterdir():
                    with suppress(OSError):
                        file = link.readlink()
                        if file.parent.name == "workers" and file.read_text().strip() == owner:
                            return worker
        return None

    async def until(self, what: str, is_so: Callable[[], Awaitable[Any]], *, seconds: float) -> Any:
        """Return what the condition returns, once that is true. Raises StuckError."""
        deadline = time.monotonic() + seconds
        while True:
            if found := await is_so():
                return found
            if time.monotonic() > deadline:
                raise StuckError(f"{what} did not come to be within {seconds:.0f} s")
            await asyncio.sleep(0.05)

    async def unfinished(self) -> list[str]:
        """Return what is still to be done, in sentences."""
        gone = list(self.ledger.gone)
        found = [
            f"attempt {row['number']} of {row['head_sha'][:7]} is {row['state']} ({row['lease_owner']})"
            for row in await self.rows(
                "SELECT r.head_sha, a.number, a.state, a.lease_owner FROM attempts a JOIN runs r ON r.id = a.run_id "
                "WHERE a.state <> 'finished'"
            )
        ]
        found += [
            f"task {row['kind']} ({row['lane']}), {row['tries']} tries: {row['error']}"
            for row in await self.rows("SELECT kind, lane, tries, error FROM tasks WHERE state = 'open'")
        ]
        found += [
            f"GitHub is not told of attempt {row['number']} of {row['head_sha'][:7]}: {row['error']}"
            for row in await self.rows(
                "SELECT r.head_sha, a.number, (SELECT max(last_error) FROM check_runs c WHERE c.attempt_id = a.id) "
                "AS error FROM unreported u JOIN attempts a ON a.id = u.attempt_id "
                "JOIN runs r ON r.id = a.run_id WHERE r.repository_id <> ALL($1::bigint[])",
                gone,
            )
        ]
        known = {row["guid"] for row in await self.rows("SELECT guid FROM deliveries")}
        for delivery in self.github.deliveries:
            if delivery.event in EVENTS and delivery.guid not in known:
                found.append(f"delivery {delivery.guid} ({delivery.event}) is not known")
        return found

    async def at_rest(self, *, seconds: float) -> None:
        """Wait until nothing is left to do. Raises StuckError naming what is."""
        deadline = time.monotonic() + seconds
        while left := await self.unfinished():
            if time.monotonic() > deadline:
                raise StuckError("; ".join(left[:10]))
            await asyncio.sleep(0.3)

    async def person_reruns_errors(self) -> int:
        """Press Re-run where the newest attempt ended by our own fault, as a person does; return how often."""
        rows = await self.rows(
            "SELECT DISTINCT ON (r.id) r.head_sha, a.conclusion FROM attempts a JOIN runs r ON r.id = a.run_id "
            "ORDER BY r.id, a.number DESC"
        )
        pressed = 0
        for row in rows:
            wanted, home = self.ledger.wanted.get(row["head_sha"]), self.ledger.home.get(row["head_sha"])
            is_wrong = row["conclusion"] == "error" and wanted and "error" not in wanted.ends
            if is_wrong and home and self._pressed[row["head_sha"]] < PRESSES:
                self._pressed[row["head_sha"]] += 1
                await self.github.press_rerun_all(home, row["head_sha"])
                pressed += 1
        self.people_asked += pressed
        return pressed


@asynccontextmanager
async def opened(
    folder: Path, engine: Engine, *, disks: Mapping[str, Disk] | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[World]:
    """Yield a world that is up; it ends with the block. `folder` has a short path, which others may pass through."""
    async with AsyncExitStack() as stack:
        github = await stack.enter_async_context(GitHubStandIn.start())
        to_github, port = await stack.enter_async_context(laid(_port_of(github.url)))
        address = f"http://127.0.0.1:{port}"
        github.state.addresses = Addresses(api=address, web=address)
        be_generous(github)
        postgres = Server("Postgres", embedded.postgres, folder / "pg", Path("data/postmaster.pid"))
        redis = Server("Redis", embedded.redis, folder / "redis", Path("data/pid"))
        for server in (postgres, redis):
            await stack.enter_async_context(started(server))
        pool = await database.connect(postgres.url, size=1)
        await migrate(pool)
        pool.terminate()
        own = SETTINGS | {"DRAFTSMAN_HOME": str(folder / "home")} | dict(settings or {})
        environment = settings_for(github, folder) | own
        lines: dict[str, Lines] = {}
        programs: dict[str, Program] = {}
        for name in ("serve", *WORKERS):
            lines[name], urls = await _lines_of(stack, folder / "l" / name, postgres, redis, engine)
            command = "serve" if name == "serve" else "worker"
            program = Program(name, command, environment | urls, folder / f"{name}.log")
            programs[name] = await stack.enter_async_context(kept_running(program))
        serve = programs.pop("serve")
        world = World(github, folder, postgres, redis, engine, disks or {}, serve, programs, lines, to_github)
        await _until_up(world)
        github.webhook_url = f"http://127.0.0.1:{environment['DRAFTSMAN_PORT']}/webhooks/github"
        github.auto_deliver = True
        try:
            yield world
        finally:
            github.auto_deliver = False
            to_github.mend()


async def _lines_of(
    stack: AsyncExitStack, folder: Path, postgres: Server, redis: Server, engine: Engine
) -> tuple[Lines, dict[str, str]]:
    found = re.search(r"host=([^&]+)", postgres.url)
    assert found is not None
    to_postgres, _ = await stack.enter_async_context(laid(Path(found[1], ".s.PGSQL.5432"), folder / ".s.PGSQL.5432"))
    to_redis, _ = await stack.enter_async_context(laid(Path(redis.url.removeprefix("unix://")), folder / "redis"))
    to_engine, _ = await stack.enter_async_context(laid(engine.socket, folder / "docker"))
    urls = {
        "DATABASE_URL": postgres.url.replace(found[1], str(folder)),
        "REDIS_URL": f"unix://{folder / 'redis'}",
        "DOCKER_HOST": f"unix://{folder / 'docker'}",
    }
    return Lines(to_postgres, to_redis, to_engine), urls


def be_generous(github: GitHubStandIn) -> None:
    """Let the App ask as often as it wants: an hour here holds the events of a month."""
    limit = github.state.rate_limit("app")
    limit.limit = limit.remaining = 1_000_000


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


async def _until_up(world: World) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while "listening on" not in world.serve.said() or any(not one.starts for one in world.programs):
        if time.monotonic() > deadline:
            raise StuckError(f"Draftsman did not come up:\n{world.serve.said()[-3000:]}")
        await asyncio.sleep(0.1)
