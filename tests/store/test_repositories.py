"""Repositories that are renamed, replaced and deleted, in a real Postgres: what was set by name stays with its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from draftsman.domain.policy import ApprovalPolicy, RepoPolicy
from draftsman.domain.run import Repository
from draftsman.store import policies, profiles, repositories
from draftsman.store.database import Pool
from draftsman.store.repositories import gone, keep
from tests.bot.work import make_plan

MINE = Repository(7, "acme/widgets", "https://github.com/acme/widgets.git", "main", True, 3)
ANOTHER = replace(MINE, id=8)


async def known(pool: Pool[Any], repository: Repository) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await keep(connection, repository)


async def deleted(pool: Pool[Any], repository: Repository) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await gone(connection, repository.id)


async def put(pool: Pool[Any], name: str = "acme/widgets") -> None:
    async with pool.acquire() as connection, connection.transaction():
        await policies.set_fields(connection, name, {"approval": "open"}, by="ada")
    await profiles.keep_inferred(pool, name, make_plan(), "0" * 64)


async def is_set(pool: Pool[Any], name: str = "acme/widgets") -> tuple[bool, bool]:
    policy = await policies.get(pool, name, RepoPolicy())
    return policy.approval is ApprovalPolicy.OPEN, await profiles.get(pool, name) is not None


async def test_what_is_set_before_the_first_event_is_the_repositorys(pool: Pool[Any]) -> None:
    await put(pool)
    await known(pool, MINE)
    assert await is_set(pool) == (True, True)


async def test_what_is_set_follows_a_renamed_repository(pool: Pool[Any]) -> None:
    await known(pool, MINE)
    await put(pool)
    await known(pool, replace(MINE, full_name="Acme/Gears"))
    assert await is_set(pool) == (False, False)
    assert await is_set(pool, "acme/gears") == (True, True)


async def test_whoever_takes_a_name_inherits_nothing_though_the_renaming_was_not_told(pool: Pool[Any]) -> None:
    await known(pool, MINE)
    await put(pool)
    await known(pool, ANOTHER)
    assert await is_set(pool) == (False, False)
    await put(pool)
    await known(pool, replace(MINE, full_name="acme/gears"))
    assert await is_set(pool, "acme/gears") == (True, True)
    assert await is_set(pool) == (True, True)
    found = await repositories.get(pool, ANOTHER.id)
    assert found is not None
    assert found.full_name == "acme/widgets"


async def test_a_deleted_repository_leaves_nothing_to_the_next_of_its_name(pool: Pool[Any]) -> None:
    await known(pool, MINE)
    await put(pool)
    await deleted(pool, MINE)
    await known(pool, ANOTHER)
    assert await is_set(pool) == (False, False)


async def test_a_deletion_that_is_told_late_takes_nothing_from_the_next_of_its_name(pool: Pool[Any]) -> None:
    await known(pool, MINE)
    await known(pool, ANOTHER)
    await put(pool)
    await deleted(pool, MINE)
    assert await is_set(pool) == (True, True)
