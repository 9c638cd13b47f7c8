"""The connection pool, and what statements are run on."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Protocol

import asyncpg

from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError
from draftsman.store.pool import create_pool

log = logging.getLogger(__name__)

Pool = asyncpg.Pool

TELL_SECONDS = 60.0
"""How often somebody who waits for the database tells the log so."""

DATABASE_AWAY = (
    OSError,  # no connection, a broken one, no answer in time
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # asyncpg itself found the connection closed,
    asyncpg.InternalClientError,  # or broken off within an answer: "cannot switch to state 12"
    asyncpg.OperatorInterventionError,  # it shuts down, starts, recovers from a crash
    asyncpg.InsufficientResourcesError,  # no connection, memory or disk left at this moment
    asyncpg.TransactionRollbackError,  # a deadlock: this transaction was the one that had to give way
)
"""What a statement raises where Postgres cannot do it now: the same statement may succeed in a moment."""

DATABASE_REFUSED = (asyncpg.PostgresError,)
"""What a statement raises where Postgres is there and says no: it would say so again. Catch DATABASE_AWAY first."""


class Database(Protocol):
    """What a statement needs: a pool, or a connection inside a transaction."""

    async def execute(self, query: str, *args: Any) -> str: ...

    async def executemany(self, command: str, args: Any) -> None: ...

    async def fetch(self, query: str, *args: Any) -> list[Any]: ...

    async def fetchrow(self, query: str, *args: Any) -> Any: ...

    async def fetchval(self, query: str, *args: Any) -> Any: ...


def clean(text: str) -> str:
    """Return the text as Postgres can keep it: no NUL, no lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _encode(value: Any) -> str:
    return json.dumps(_cleaned(value))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_encode, decoder=json.loads)


async def connect(url: str, *, size: int = 10, wait_seconds: float = 30) -> Pool[Any]:
    """Return a pool, waiting for a server that is not up yet, and telling the log so now and then.

    Raises HostError after `wait_seconds`, and at once where Postgres refuses the connection.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_seconds
    told = -TELL_SECONDS
    while True:
        try:
            return await create_pool(url, size=size, init=_prepare, command_timeout=60, timeout=10)
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
            if loop.time() > deadline:
                sentence = f"Postgres does not answer (DATABASE_URL): {error}"
                raise HostError(sentence, alert=Alert.POSTGRES_AWAY) from error
            if loop.time() - told >= TELL_SECONDS:
                log.warning("waiting for Postgres: %s", error, extra=Alert.POSTGRES_AWAY.extra)
                told = loop.time()
            await asyncio.sleep(0.2)
        except (asyncpg.PostgresError, ValueError) as error:
            sentence = f"Postgres refused the connection (DATABASE_URL): {error}"
            raise HostError(sentence, alert=Alert.POSTGRES_REFUSES) from error
