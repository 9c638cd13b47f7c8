"""Migrations, and what is kept beside runs, in a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from draftsman.domain.errors import HostError
from draftsman.domain.plan import ProfileOverrides
from draftsman.store import database, profiles
from draftsman.store.database import Pool
from draftsman.store.migrate import available, migrate, pending
from tests.bot.work import make_plan
from tests.conftest import database_at


@pytest.fixture
async def empty(postgres_url: str) -> AsyncIterator[Pool[Any]]:
    """A pool on a database without tables."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE DATABASE empty")
    pool = await database.connect(database_at(postgres_url, "empty"), size=4)
    yield pool
    pool.terminate()
    await connection.execute("DROP DATABASE empty WITH (FORCE)")
    await connection.close()


async def test_migrations_are_applied_once_whoever_starts_first(empty: Pool[Any]) -> None:
    names = [name for name, _ in available()]
    assert await pending(empty) == names
    applied = await asyncio.gather(*(migrate(empty) for _ in range(4)))
    assert sorted(applied) == [[], [], [], names]
    assert await pending(empty) == []


async def test_a_database_of_another_build_is_refused(empty: Pool[Any]) -> None:
    await migrate(empty)
    await empty.execute("UPDATE schema_migrations SET checksum = 'other'")
    with pytest.raises(HostError, match="different build"):
        await migrate(empty)


async def test_a_server_that_is_away_is_a_clear_error() -> None:
    with pytest.raises(HostError, match="DATABASE_URL"):
        await database.connect("postgresql://nobody@127.0.0.1:9/x", wait_seconds=0.1)
    with pytest.raises(HostError, match="DATABASE_URL"):
        await database.connect("nonsense", wait_seconds=0.1)


async def test_inference_leaves_what_a_person_set(pool: Pool[Any]) -> None:
    assert await profiles.overrides_for(pool, "acme/widgets") == ProfileOverrides()
    await profiles.keep_inferred(pool, "Acme/Widgets", make_plan(), "hash-1")
    await pool.execute(
        "UPDATE repo_profiles SET validation_fast = '{make lint}', explicit_fields = '{validation_fast}'"
    )
    await profiles.keep_inferred(pool, "acme/widgets", make_plan(setup="pip install ."), "hash-2")
    [row] = await pool.fetch("SELECT * FROM repo_profiles")
    assert (row["repo"], row["setup_command"], row["validation_fast"]) == (
        "acme/widgets",
        "pip install .",
        ["make lint"],
    )
    assert await profiles.overrides_for(pool, "ACME/widgets") == ProfileOverrides(fast=("make lint",))
