"""What tests stand on: a real Postgres and a real Redis, started once, and a fresh database for each test."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest

from draftsman import embedded
from draftsman.store import database
from draftsman.store.database import Pool
from draftsman.store.migrate import migrate
from tests.github import GitHubStandIn
from tests.kinds import pytest_sessionfinish

__all__ = ["pytest_sessionfinish"]

# Its assertions are the tests': they say what differs.
pytest.register_assert_rewrite("tests.planning.cases")

TEMPLATE = "migrated"


SERVICES = frozenset(("postgres_url", "redis_url", "github", "client", "shared_desk", "program"))
"""Fixtures that start a server."""
LEFT_OUT = pytest.StashKey[int]()

# In CI a failure must be one of the change: the same examples every time. Elsewhere new ones are tried.
# No example has a deadline: what else the machine does is no matter of the code.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

collect_ignore: list[str] = []
if not find_spec("dockerfile"):  # BuildKit's parser, the oracle of our lexer, has no wheel for Linux on arm64
    collect_ignore.append("orchestrator/test_dockerfile_lexer.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what starts servers, so that `make check` can do without; leave out what only a Linux root can run."""
    for item in items:
        if SERVICES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.services)
    if sys.platform == "linux" and os.geteuid() == 0:
        return
    left_out = [item for item in items if item.get_closest_marker("linux_root")]
    config.stash[LEFT_OUT] = len(left_out)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say how many tests this machine cannot run."""
    number = config.stash.get(LEFT_OUT, 0)
    said = [f"left out: {number} tests that only a Linux root can run"] if number else []
    return said + [f"left out: {file}, since BuildKit's parser has no wheel here" for file in collect_ignore]


def database_at(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def services_folder() -> Iterator[Path]:
    """A folder that an unprivileged Postgres can enter; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="draftsman-tests-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def postgres_url(services_folder: Path) -> AsyncIterator[str]:
    """The URL of a running Postgres that has a migrated database to copy."""
    async with embedded.postgres(services_folder / "postgres") as url:
        connection = await asyncpg.connect(url)
        await connection.execute("ALTER SYSTEM SET fsync = off")  # a database lives as long as its test
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
        pool = await database.connect(database_at(url, TEMPLATE), size=1)
        await migrate(pool)
        await pool.close()
        await connection.close()
        yield url


@pytest.fixture(scope="session")
async def redis_url(services_folder: Path) -> AsyncIterator[str]:
    """The URL of a running Redis."""
    async with embedded.redis(services_folder / "redis") as url:
        yield url


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a database of this test's own, migrated and empty."""
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield database_at(postgres_url, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool[Any]]:
    """A pool on the test's own database."""
    opened = await database.connect(database_url, size=8)
    yield opened
    opened.terminate()


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    """The GitHub stand-in. A request that GitHub would refuse fails the test that sent it."""
    async with GitHubStandIn.start() as stand_in:
        yield stand_in
        stand_in.assert_no_violations()
