"""Forward-only migrations: numbered SQL files, applied once each by one process at a time, with a checksum.

Workers of the version before go on meanwhile. So a migration adds and takes nothing away (a test holds the files to
that), and it never waits long for a lock: all who come after it would wait behind it. It tries again instead.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.resources import files
from typing import Any

import asyncpg

from draftsman.domain.errors import HostError
from draftsman.store.database import DATABASE_AWAY, Database, Pool

log = logging.getLogger(__name__)

OUTSIDE = "-- outside a transaction"
"""First line of a file whose statements are executed one by one: indexes that are built while others write."""

LOCK_SECONDS = 1.0
"""For so long a migration waits for a lock, and everybody who comes after it with it."""

PATIENCE_SECONDS = 600.0
"""For so long it is tried again, and the migrations of another process are waited for."""

_LOCK = 0x64726166  # "draf": one migration at a time, whoever starts first
_LOCK_EVERY = 0.2
_AGAIN_AFTER = 0.5
_LONGEST_STATEMENT = 6 * 3600.0

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT PRIMARY KEY,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)"""

_INDEX = re.compile(r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(\w+)", re.IGNORECASE)
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


class State(StrEnum):
    """How a migration stands to the database and to this version."""

    APPLIED = "applied"
    PENDING = "pending"
    CHANGED = "changed"
    """Applied in another form than this version carries."""
    NEWER = "newer"
    """Applied by a newer version: this one does not carry it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration as it stands. `applied_at` is None for one that is pending."""

    name: str
    state: State
    applied_at: datetime | None = None


def available() -> list[tuple[str, str]]:
    """Return (name, SQL) of every migration, in order."""
    folder = files("draftsman.store") / "migrations"
    found = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    return [(item.name.removesuffix(".sql"), item.read_text("utf-8")) for item in found]


def checksum_of(sql: str) -> str:
    """Return what tells one form of a migration from another."""
    return hashlib.sha256(sql.encode()).hexdigest()


def statements_of(sql: str) -> list[str]:
    """Return the statements of a file that begins with `OUTSIDE`; each ends where a line ends in a semicolon."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    return [one.strip() for one in re.split(r";\s*$", "\n".join(lines), flags=re.MULTILINE) if one.strip()]


async def migrate(
    pool: Pool[Any],
    *,
    carried: Sequence[tuple[str, str]] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> list[str]:
    """Apply what is missing, each file in its own transaction, and return the names.

    `carried` are the migrations that this version carries, by default those of `available`.
    Raises HostError where an applied migration is not the one that this version carries, and where somebody keeps a
    table locked for longer than `patience_seconds`: what was applied until then stays, and another call goes on.
    """
    deadline = asyncio.get_running_loop().time() + patience_seconds
    ours = available() if carried is None else carried
    applied: list[str] = []
    async with pool.acquire() as connection, _alone(connection, deadline):
        await connection.execute(_LEDGER)
        done = await _done(connection)
        if changed := [one.name for one in _standing(ours, done) if one.state is State.CHANGED]:
            raise HostError(
                f"Migration {changed[0]} was applied in another form than this version carries: "
                "this database belongs to a different build of Draftsman."
            )
        for name, sql in ours:
            if name not in done:
                await _apply(connection, name, sql, deadline)
                applied.append(name)
    return applied


async def standing(db: Database) -> list[Migration]:
    """Return how every migration stands, those of newer versions last."""
    return _standing(available(), await _done(db))


async def pending(db: Database) -> list[str]:
    """Return the names of the migrations that the database lacks."""
    return [one.name for one in await standing(db) if one.state is State.PENDING]


async def newer(db: Database) -> str:
    """Return a sentence where a newer version migrated the database, empty where none did.

    This version works on it all the same, since migrations take nothing away.
    """
    found = [one.name for one in await standing(db) if one.state is State.NEWER]
    if not found:
        return ""
    return (
        f"A newer Draftsman migrated this database ({', '.join(found)}). This version works on it all the same; "
        "upgrade it when you can."
    )


async def _done(db: Database) -> dict[str, tuple[str, datetime]]:
    if not await db.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return {}
    rows = await db.fetch("SELECT name, checksum, applied_at FROM schema_migrations ORDER BY name")
    return {row["name"]: (row["checksum"], row["applied_at"]) for row in rows}


def _standing(carried: Sequence[tuple[str, str]], done: Mapping[str, tuple[str, datetime]]) -> list[Migration]:
    known = dict(carried)
    ours = [
        Migration(name, State.PENDING) if name not in done else _known(name, sql, done) for name, sql in known.items()
    ]
    return ours + [Migration(name, State.NEWER, at) for name, (_, at) in done.items() if name not in known]


def _known(name: str, sql: str, done: Mapping[str, tuple[str, datetime]]) -> Migration:
    checksum, at = done[name]
    return Migration(name, State.APPLIED if checksum == checksum_of(sql) else State.CHANGED, at)


@asynccontextmanager
async def _alone(connection: Any, deadline: float) -> AsyncIterator[None]:
    """Be the only one who migrates. The lock is tried, not waited for: a transaction that waits holds up indexes."""
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        if asyncio.get_running_loop().time() > deadline:
            raise HostError("Another process migrates this database and does not come to an end: look at its log.")
        await asyncio.sleep(_LOCK_EVERY)
    try:
        yield
    finally:
        with suppress(*DATABASE_AWAY):  # then the lock went with its connection
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _apply(connection: Any, name: str, sql: str, deadline: float) -> None:
    told = False
    while True:
        try:
            if sql.startswith(OUTSIDE):
                await _apply_outside(connection, name, sql)
            else:
                await _apply_inside(connection, name, sql)
            return
        except _BUSY as error:
            if asyncio.get_running_loop().time() > deadline:
                raise HostError(
                    f"Migration {name} gets no lock: something keeps a table of Draftsman locked. End it, then try "
                    f"again; nothing is half done. {await _who_is_at_it(connection)}".rstrip()
                ) from error
            if not told:
                log.warning("migration %s waits until nobody uses its tables for a moment", name)
                told = True
            await asyncio.sleep(_AGAIN_AFTER)


async def _apply_inside(connection: Any, name: str, sql: str) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {int(LOCK_SECONDS * 1000)}")
        await connection.execute(sql, timeout=_LONGEST_STATEMENT)
        await _note(connection, name, sql)


async def _apply_outside(connection: Any, name: str, sql: str) -> None:
    for statement in statements_of(sql):
        if index := _INDEX.match(statement):
            await _drop_unfinished(connection, index[1])
        await connection.execute(statement, timeout=_LONGEST_STATEMENT)
    await _note(connection, name, sql)


async def _drop_unfinished(connection: Any, index: str) -> None:
    """Drop an index whose building was broken off: it costs writes, and no query uses it."""
    is_broken = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)", index
    )
    if is_broken:
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}", timeout=_LONGEST_STATEMENT)


async def _note(connection: Any, name: str, sql: str) -> None:
    await connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", name, checksum_of(sql))


async def _who_is_at_it(connection: Any) -> str:
    rows = await connection.fetch(
        "SELECT pid, left(regexp_replace(query, '\\s+', ' ', 'g'), 80) AS query FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < now() - interval '1 s' "
        "ORDER BY xact_start LIMIT 3"
    )
    return "; ".join(f"Postgres process {row['pid']}: {row['query']}" for row in rows)
