"""Forward-only migrations: numbered SQL files, applied once each under an advisory lock, with a checksum."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any

from draftsman.domain.errors import HostError
from draftsman.store.database import Pool

_LOCK = 0x64726166  # "draf": one migration at a time, whoever starts first

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT PRIMARY KEY,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)"""


def available() -> list[tuple[str, str]]:
    """Return (name, SQL) of every migration, in order."""
    folder = files("draftsman.store") / "migrations"
    found = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    return [(item.name.removesuffix(".sql"), item.read_text("utf-8")) for item in found]


async def migrate(pool: Pool[Any]) -> list[str]:
    """Apply what is missing and return its names.

    Raises HostError where an applied migration is not the one that this version carries.
    """
    applied: list[str] = []
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_LEDGER)
        rows = await connection.fetch("SELECT name, checksum FROM schema_migrations")
        done = {row["name"]: row["checksum"] for row in rows}
        for name, sql in available():
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            if name not in done:
                await connection.execute(sql)
                await connection.execute(
                    "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", name, checksum
                )
                applied.append(name)
            elif done[name] != checksum:
                raise HostError(
                    f"Migration {name} was applied in another form than this version carries: "
                    "this database belongs to a different build of Draftsman."
                )
    return applied


async def pending(pool: Pool[Any]) -> list[str]:
    """Return the names of the migrations that the database lacks."""
    exists = await pool.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
    rows = await pool.fetch("SELECT name FROM schema_migrations") if exists else []
    done = {row["name"] for row in rows}
    return [name for name, _ in available() if name not in done]
