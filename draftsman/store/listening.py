"""Notifications of Postgres. They are hints: whoever listens looks for itself every now and then."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import asyncpg

from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED

log = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0


async def listen(database_url: str, channel: str, woken: asyncio.Event) -> None:
    """Set the event at each notification, for ever, on a connection of its own that is made again when it dies."""
    while True:
        try:
            connection = await asyncpg.connect(database_url, timeout=10)
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.debug("listening waits for Postgres: %r", error)
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        try:
            await _until_dead(connection, channel, woken)
        except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
            log.debug("listening again: %r", error)
        finally:
            connection.terminate()


async def _until_dead(connection: Any, channel: str, woken: asyncio.Event) -> None:
    died = asyncio.Event()
    connection.add_termination_listener(lambda _: died.set())
    await connection.add_listener(channel, lambda *_: woken.set())
    woken.set()
    await died.wait()
