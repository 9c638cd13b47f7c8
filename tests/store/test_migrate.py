"""Migrations, and what is kept beside runs, in a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from draftsman.cli import services
from draftsman.domain.errors import HostError
from draftsman.domain.plan import ProfileOverrides
from draftsman.domain.run import Repository
from draftsman.store import database, leases, profiles, repositories
from draftsman.store.database import Pool
from draftsman.store.migrate import OUTSIDE, State, available, migrate, pending, standing
from tests.bot.work import make_plan
from tests.conftest import database_at
from tests.store import old, old_worker


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


async def test_how_every_migration_stands_is_told(empty: Pool[Any]) -> None:
    names = [name for name, _ in available()]
    assert {one.state for one in await standing(empty)} == {State.PENDING}
    await migrate(empty, carried=available()[:-1])
    found = {one.name: one for one in await standing(empty)}
    assert (found[names[0]].state, found[names[-1]].state) == (State.APPLIED, State.PENDING)
    assert found[names[0]].applied_at is not None
    await empty.execute("UPDATE schema_migrations SET checksum = 'x' WHERE name = $1", names[1])
    await empty.execute("INSERT INTO schema_migrations VALUES ('9999_later', 'y')")
    states = {one.name: one.state for one in await standing(empty)}
    assert (states[names[1]], states["9999_later"]) == (State.CHANGED, State.NEWER)


async def test_a_version_goes_on_with_the_database_of_a_newer_one(
    pool: Pool[Any], database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await pool.execute("INSERT INTO schema_migrations VALUES ('9999_later', 'y')")
    assert await migrate(pool) == []
    async with services.opened(database_url, size=1) as opened:
        assert await opened.fetchval("SELECT count(*) FROM attempts") == 0
    assert "9999_later" in caplog.text
    assert "upgrade it when you can" in caplog.text


async def test_a_worker_of_an_earlier_version_goes_on_while_the_schema_changes(empty: Pool[Any]) -> None:
    """Its own statements, again and again, from before the migrations that it does not know until after them."""
    names = [name for name, _ in available()]
    known = names.index(old_worker.KNOWN) + 1
    await migrate(empty, carried=available()[:known])
    await old.fill(empty, runs=2000, days=0)
    ended: list[UUID] = []
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            ended.append(await old_worker.run_one(empty, len(ended)))

    async def has_done(more: int) -> None:
        until = len(ended) + more
        while len(ended) < until and not working.done():
            await asyncio.sleep(0.01)

    working = asyncio.create_task(work())
    await has_done(5)
    applied = await migrate(empty)
    await has_done(5)
    stop.set()
    await working
    assert applied == names[known:]
    assert len(set(ended)) >= 10
    states = await empty.fetch("SELECT state, conclusion FROM attempts WHERE id = ANY($1)", ended)
    assert {tuple(row) for row in states} == {("finished", "success")}


async def test_a_migration_does_not_make_others_wait_behind_it(empty: Pool[Any], postgres_url: str) -> None:
    """Somebody reads a table for long. Who waits to change it would keep away all who come after."""
    change = [*available(), ("9999_change", "ALTER TABLE repositories ADD COLUMN later TEXT;")]
    await migrate(empty)
    others = await database.connect(f"{database_at(postgres_url, 'empty')}{_settings(postgres_url)}", size=2)
    async with others.acquire() as reader:
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch("SELECT * FROM repositories")
        migrating = asyncio.create_task(migrate(empty, carried=change))
        while not await empty.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            await asyncio.sleep(0.01)
        for number in range(1, 4):
            await repositories.keep(others, Repository(number, f"acme/w{number}", "https://x", "main", False, 3))
            await asyncio.sleep(0.2)
        assert not migrating.done()
        await transaction.rollback()
    assert await migrating == ["9999_change"]
    others.terminate()


async def test_who_keeps_a_table_locked_for_ever_is_named(empty: Pool[Any]) -> None:
    change = [*available(), ("9999_change", "ALTER TABLE repositories ADD COLUMN later TEXT;")]
    await migrate(empty)
    async with empty.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT full_name FROM repositories")
        await asyncio.sleep(1.1)
        with pytest.raises(HostError, match=r"9999_change.*process .*SELECT full_name FROM repositories"):
            await migrate(empty, carried=change, patience_seconds=0.5)
    assert await migrate(empty, carried=change) == ["9999_change"]


async def test_an_index_whose_building_broke_off_is_built_again(empty: Pool[Any]) -> None:
    await empty.execute("CREATE TABLE things (x INT)")
    await empty.execute("INSERT INTO things VALUES (1), (1)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await empty.execute("CREATE UNIQUE INDEX CONCURRENTLY things_by_x ON things (x)")
    sql = f"{OUTSIDE}\n-- By x.\nCREATE INDEX CONCURRENTLY IF NOT EXISTS things_by_x ON things (x);\n"
    assert await migrate(empty, carried=[("0001_things", sql)]) == ["0001_things"]
    assert await empty.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_by_x'::regclass")


async def test_a_migration_that_fails_leaves_those_before_it(empty: Pool[Any]) -> None:
    broken = [("0001_good", "CREATE TABLE good (x INT);"), ("0002_bad", "CREATE TABLE bad (x INT); SELECT 1 / 0;")]
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty, carried=broken)
    assert await migrate(empty, carried=[broken[0], ("0002_bad", "CREATE TABLE bad (x INT);")]) == ["0002_bad"]


def _settings(url: str) -> str:
    return f"{'&' if '?' in url else '?'}lock_timeout=3000"


async def test_what_is_in_line_when_the_line_comes_to_be_keeps_its_turn(empty: Pool[Any]) -> None:
    await migrate(empty, carried=[(name, sql) for name, sql in available() if name < "0008"])
    await empty.execute("INSERT INTO repositories VALUES (7, 'acme/widgets', 'x', 'main', false, 3)")
    for number, state in enumerate(("queued", "waiting", "finished"), start=1):
        await empty.execute(
            "WITH run AS (INSERT INTO runs (repository_id, head_sha) VALUES (7, $1) RETURNING id) "
            "INSERT INTO attempts (run_id, number, trust, state, conclusion, created_at) "
            "SELECT id, 1, 'trusted', $2::text, CASE WHEN $2::text = 'finished' THEN 'success' END, "
            "now() - interval '1 hour' FROM run",
            f"{number:040x}",
            state,
        )
    await migrate(empty)
    rows = await empty.fetch("SELECT state, repository_id, queued_at = created_at AS kept FROM attempts ORDER BY state")
    assert [tuple(row) for row in rows] == [("finished", None, None), ("queued", 7, True), ("waiting", 7, None)]
    claimed = await leases.claim(empty, owner="w1", lease_seconds=30, per_repository=1)
    assert claimed is not None
    assert claimed.run.head_sha == f"{1:040x}"


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
