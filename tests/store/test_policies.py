"""Policies of single repositories in a real Postgres."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from draftsman.domain.policy import ApprovalPolicy, PolicyError, RepoPolicy
from draftsman.store import policies
from draftsman.store.database import Pool

REPO = "acme/widgets"
INSTANCE = RepoPolicy(approval=ApprovalPolicy.ALL, trusted=("alice",), supersede=False)


async def put(pool: Pool[Any], repo: str = REPO, **fields: Any) -> None:
    await policies.change(pool, repo, lambda _: fields, by="ada")


async def test_what_is_set_wins_over_the_instance_field_by_field(pool: Pool[Any]) -> None:
    assert await policies.get(pool, REPO, INSTANCE) == INSTANCE
    await put(pool, "Acme/Widgets", approval="open", supersede=True, trusted=["Bob", "acme/maintainers"])
    kept = await policies.get(pool, "ACME/widgets", INSTANCE)
    assert kept == RepoPolicy(ApprovalPolicy.OPEN, ("bob", "acme/maintainers"), supersede=True)
    await put(pool, trusted=None, run_tags=False)
    assert (await policies.get(pool, REPO, INSTANCE)).trusted == ("alice",)
    [stored] = await policies.everywhere(pool)
    assert (stored.repo, list(stored.explicit)) == (REPO, ["approval", "run_tags", "supersede"])


async def test_an_empty_list_is_not_the_instances_list(pool: Pool[Any]) -> None:
    await put(pool, trusted=[])
    assert (await policies.get(pool, REPO, INSTANCE)).trusted == ()


async def test_what_is_cleared_is_gone_and_the_trail_says_who_did_it(pool: Pool[Any]) -> None:
    await put(pool, run_drafts=True, merge_testing=True)
    await put(pool, run_drafts=True)
    async with pool.acquire() as connection, connection.transaction():
        await policies.clear(connection, REPO, ["run_drafts"], by="bob")
        assert list((await policies.stored(connection, REPO)).explicit) == ["merge_testing"]
        await policies.clear(connection, REPO, by="bob")
    assert await policies.everywhere(pool) == []
    rows = await pool.fetch("SELECT actor, action, detail FROM audit_events ORDER BY id")
    assert [(row["actor"], row["action"], row["detail"]["set"], row["detail"]["cleared"]) for row in rows] == [
        ("ada", "policy.changed", {"run_drafts": True, "merge_testing": True}, []),
        ("bob", "policy.changed", {}, ["run_drafts"]),
        ("bob", "policy.changed", {}, ["merge_testing"]),
    ]


@pytest.mark.parametrize("fields", [{"approval": "everybody"}, {"trusted": ["a b"]}, {"trust": True}, {"run_tags": 1}])
async def test_a_wrong_field_is_named_and_nothing_is_kept(pool: Pool[Any], fields: dict[str, Any]) -> None:
    [name] = fields
    with pytest.raises(PolicyError, match=name):
        await put(pool, run_drafts=True, **fields)
    assert await policies.everywhere(pool) == []


async def test_changes_at_the_same_moment_are_all_kept(pool: Pool[Any]) -> None:
    def adding(login: str) -> Any:
        return lambda before: {"trusted": [*before.explicit.get("trusted", ()), login]}

    await asyncio.gather(*(policies.change(pool, REPO, adding(f"u{number}"), by="ada") for number in range(6)))
    kept = await policies.get(pool, REPO, RepoPolicy())
    assert sorted(kept.trusted) == [f"u{number}" for number in range(6)]
