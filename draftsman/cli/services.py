"""Postgres and Redis for a command: those of the settings, or the embedded ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from draftsman import embedded
from draftsman.cli.home import prepare_home
from draftsman.domain.errors import HostError
from draftsman.queue import WakeUps
from draftsman.settings import Settings
from draftsman.store import database
from draftsman.store.database import Pool
from draftsman.store.migrate import pending


@dataclass(frozen=True, slots=True)
class Services:
    """URLs of the database and of the queue."""

    database_url: str
    redis_url: str


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[Services]:
    """Yield the URLs of the settings; start an embedded server for each that is not given."""
    home = prepare_home(settings)
    given_database = settings.database_url.get_secret_value() if settings.database_url else None
    given_redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    if given_database and given_redis:
        yield Services(given_database, given_redis)
    elif given_database:
        async with embedded.redis(home / "redis") as redis_url:
            yield Services(given_database, redis_url)
    elif given_redis:
        async with embedded.postgres(home / "postgres") as database_url:
            yield Services(database_url, given_redis)
    else:
        async with embedded.postgres(home / "postgres") as database_url, embedded.redis(home / "redis") as redis_url:
            yield Services(database_url, redis_url)


def found(settings: Settings) -> Services:
    """Return the URLs of the settings, or of the embedded servers that `draftsman up` runs. Raises HostError."""
    database_url, redis_url = found_database(settings), found_redis(settings)
    if database_url is None or redis_url is None:
        raise HostError(
            f"No Draftsman runs with its data in {settings.home}: start it with `draftsman up`, "
            "or set DATABASE_URL and REDIS_URL."
        )
    return Services(database_url, redis_url)


def found_database(settings: Settings) -> str | None:
    """Return the database's URL: of the settings, or of the embedded one where it runs, else None."""
    given = settings.database_url.get_secret_value() if settings.database_url else None
    return given or embedded.running_url(settings.home / "postgres")


def found_redis(settings: Settings) -> str | None:
    """Return the queue's URL: of the settings, or of the embedded one where it runs, else None."""
    given = settings.redis_url.get_secret_value() if settings.redis_url else None
    return given or embedded.running_url(settings.home / "redis")


@asynccontextmanager
async def wake_ups(url: str) -> AsyncIterator[WakeUps]:
    """Yield what wakes workers. Nobody waits for a Redis that is away."""
    opened = WakeUps(url)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def opened(url: str, *, size: int = 10) -> AsyncIterator[Pool[Any]]:
    """Yield a pool on a database whose migrations are all applied. Raises HostError."""
    pool = await database.connect(url, size=size)
    try:
        if missing := await pending(pool):
            raise HostError(f"The database lacks {len(missing)} migrations: run `draftsman migrate`.")
        yield pool
    finally:
        pool.terminate()
