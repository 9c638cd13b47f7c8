"""Postgres and Redis for a command: those of the settings, or the embedded ones."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from draftsman import embedded
from draftsman.cli.home import prepare_home
from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError
from draftsman.queue import WakeUps
from draftsman.settings import Settings
from draftsman.store import database
from draftsman.store.database import Pool
from draftsman.store.migrate import newer, pending

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
"""How soon a service sees that somebody migrated the database."""


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
async def awaited(url: str, *, size: int = 10, for_ever: bool = True) -> AsyncIterator[Pool[Any]]:
    """Yield a pool on a database whose migrations are all applied, for a service: both are waited for, and told.

    Where services start in no order, as on a swarm, the database may be up, or migrated, after them. Raises HostError
    as `opened` does where it is not `for_ever`, and where Postgres refuses the connection.
    """
    if not for_ever:
        async with opened(url, size=size) as pool:
            yield pool
        return
    pool = await database.connect(url, size=size, wait_seconds=math.inf)
    try:
        await _until_migrated(pool)
        yield pool
    finally:
        pool.terminate()


async def _until_migrated(pool: Pool[Any]) -> None:
    loop = asyncio.get_running_loop()
    told = -database.TELL_SECONDS
    while True:
        try:
            if not (missing := await pending(pool)):
                break
            said = f"the database lacks {len(missing)} migrations: waiting until `draftsman migrate` was run"
            alert = Alert.MIGRATIONS_PENDING
        except database.DATABASE_AWAY as error:
            said, alert = f"waiting for Postgres: {error}", Alert.POSTGRES_AWAY
        if loop.time() - told >= database.TELL_SECONDS:
            log.warning("%s", said, extra=alert.extra)
            told = loop.time()
        await asyncio.sleep(_LOOK_SECONDS)
    if said := await newer(pool):
        log.warning("%s", said)


@asynccontextmanager
async def opened(url: str, *, size: int = 10) -> AsyncIterator[Pool[Any]]:
    """Yield a pool on a database whose migrations are all applied. Raises HostError."""
    pool = await database.connect(url, size=size)
    try:
        if missing := await pending(pool):
            sentence = f"The database lacks {len(missing)} migrations: run `draftsman migrate`."
            raise HostError(sentence, alert=Alert.MIGRATIONS_PENDING)
        if said := await newer(pool):
            log.warning("%s", said)
        yield pool
    finally:
        pool.terminate()
