"""Profiles in a real Postgres: who sets what, and who wins."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from draftsman.domain.plan import ProfileOverrides
from draftsman.domain.profile import RepoProfile
from draftsman.domain.profile_rules import edited, replaced
from draftsman.store import profiles
from draftsman.store.database import Pool
from tests.bot.work import make_plan

REPO = "acme/widgets"


async def set_fields(pool: Pool[Any], given: dict[str, object], clearing: tuple[str, ...] = ()) -> RepoProfile:
    return await profiles.change(pool, REPO, lambda one: edited(one, given, clearing), actor="ada")


async def audited(pool: Pool[Any]) -> list[tuple[str, str, dict[str, Any]]]:
    rows = await pool.fetch("SELECT actor, action, detail FROM audit_events ORDER BY id")
    return [(row["actor"], row["action"], row["detail"]) for row in rows]


async def test_every_field_is_kept_and_read_back(pool: Pool[Any]) -> None:
    given: dict[str, object] = {
        "dockerfile": "ci/Dockerfile",
        "dockerfile_target": "test",
        "build_args": {"B": "2", "A": "1"},
        "dependency_manager": "uv",
        "setup": "",
        "fast": ["make lint"],
        "full": [],
        "submodules": True,
        "lfs": False,
    }
    kept = await set_fields(pool, given)
    assert kept == await profiles.get(pool, "Acme/Widgets")
    assert kept.explicit == replaced(RepoProfile(REPO), given).explicit
    assert (await profiles.overrides_for(pool, "ACME/widgets")).build_args == (("A", "1"), ("B", "2"))
    [row] = await pool.fetch("SELECT * FROM repo_profiles")
    assert (row["setup_command"], row["validation_fast"], row["dockerfile_mode"]) == ("", ["make lint"], "path")
    assert (row["submodules"], row["lfs"]) == (True, False)


async def test_a_cleared_field_is_the_inferred_one_again(pool: Pool[Any]) -> None:
    await profiles.keep_inferred(pool, REPO, make_plan(), "hash")
    await set_fields(pool, {"setup": "make deps", "fast": ["make lint"]})
    assert (await profiles.overrides_for(pool, REPO)).setup == "make deps"
    cleared = await set_fields(pool, {}, ("setup",))
    assert cleared.value("setup") == "uv sync"
    assert await profiles.overrides_for(pool, REPO) == ProfileOverrides(fast=("make lint",))
    assert await pool.fetchval("SELECT setup_command FROM repo_profiles") == "uv sync"


async def test_a_run_brings_what_is_inferred_up_to_date_and_leaves_what_is_set(pool: Pool[Any]) -> None:
    await profiles.keep_inferred(pool, REPO, make_plan(), "hash-1")
    before = await set_fields(pool, {"fast": ["make lint"], "generated_dockerfile": "FROM mine\n"})
    overrides = before.overrides()
    run = replace(make_plan(setup="pip install .", fast=("make lint",)), dockerfile="FROM mine\n")
    await profiles.keep_inferred(pool, REPO, run, "hash-2", overrides=overrides)
    after = await profiles.get(pool, REPO)
    assert after is not None
    assert after.explicit == before.explicit
    assert after.inferred is not None
    assert (after.value("setup"), after.inferred["fast"]) == ("pip install .", ("ruff check .",))
    assert after.inferred["generated_dockerfile"] == "FROM python:3.12-slim\n"
    assert after.version == before.version + 1


async def test_an_edited_dockerfile_is_kept_and_flagged_when_another_one_is_generated(pool: Pool[Any]) -> None:
    async def run(generated: str) -> RepoProfile:
        before = await profiles.get(pool, REPO) or RepoProfile(REPO)
        overrides = before.overrides()
        edited_text = overrides.generated_dockerfile
        plan = replace(
            make_plan(), dockerfile=edited_text or generated, fallback=generated if edited_text is not None else None
        )
        await profiles.keep_inferred(pool, REPO, plan, "hash", overrides=overrides)
        after = await profiles.get(pool, REPO)
        assert after is not None
        return after

    await run("# profile 1\nFROM python:3.12\n")
    await set_fields(pool, {"generated_dockerfile": "FROM python:3.12\nRUN mine\n"})
    assert not (await run("# profile 2\nFROM python:3.12\n")).is_edit_outdated
    moved = await run("# profile 2\nFROM python:3.13\n")
    assert moved.is_edit_outdated
    assert moved.value("generated_dockerfile") == "FROM python:3.12\nRUN mine\n"
    assert not (await set_fields(pool, {"generated_dockerfile": "FROM python:3.13\nRUN mine\n"})).is_edit_outdated
    assert not (await set_fields(pool, {}, ("generated_dockerfile",))).is_edit_outdated


async def test_a_field_cleared_during_a_run_does_not_come_back_as_inferred(pool: Pool[Any]) -> None:
    overrides = (await set_fields(pool, {"fast": ["make lint"]})).overrides()
    await set_fields(pool, {}, ("fast",))
    await profiles.keep_inferred(pool, REPO, make_plan(fast=("make lint",)), "hash", overrides=overrides)
    after = await profiles.get(pool, REPO)
    assert after is not None
    assert after.value("fast") == ()


async def test_a_run_that_infers_the_same_changes_nothing_that_can_be_seen(pool: Pool[Any]) -> None:
    await profiles.keep_inferred(pool, REPO, make_plan(), "hash-1")
    first = await profiles.get(pool, REPO)
    await profiles.keep_inferred(pool, REPO, make_plan(), "hash-2")
    assert await profiles.get(pool, REPO) == first
    assert await pool.fetchval("SELECT dockerfile_hash FROM repo_profiles") == "hash-2"
    assert len(await audited(pool)) == 1


async def test_of_two_editors_who_read_the_same_one_is_told(pool: Pool[Any]) -> None:
    start = await set_fields(pool, {"setup": "a"})
    first = await profiles.update(pool, start, edited(start, {"setup": "b"}), actor="ada")
    assert await profiles.update(pool, start, edited(start, {"setup": "c"}), actor="bob") is None
    assert await profiles.delete(pool, start, actor="bob") is False
    assert await profiles.get(pool, REPO) == first
    assert await profiles.insert(pool, RepoProfile(REPO), actor="bob") is None
    assert [actor for actor, _, _ in await audited(pool)] == ["ada", "ada"]


async def test_changes_of_different_fields_at_once_are_all_kept(pool: Pool[Any]) -> None:
    given: list[dict[str, object]] = [{"setup": "a"}, {"fast": ["b"]}, {"full": ["c"]}, {"dependency_manager": "pip"}]
    await asyncio.gather(*(set_fields(pool, one) for one in given))
    assert await profiles.overrides_for(pool, REPO) == ProfileOverrides(
        setup="a", fast=("b",), full=("c",), dependency_manager="pip"
    )


async def test_the_audit_trail_says_who_changed_what_and_keeps_no_value_of_a_build_argument(pool: Pool[Any]) -> None:
    await set_fields(pool, {"dockerfile": "Dockerfile", "build_args": {"TOKEN": "hush"}, "setup": "a"})
    kept = await set_fields(pool, {"fast": ["b"]}, ("setup",))
    await set_fields(pool, {"fast": ["b"]})
    await profiles.delete(pool, kept, actor="bob")
    events = await audited(pool)
    assert [(actor, action) for actor, action, _ in events] == [
        ("ada", "profile.created"),
        ("ada", "profile.changed"),
        ("bob", "profile.deleted"),
    ]
    assert events[0][2]["set"] == {"dockerfile": "Dockerfile", "build_args": ["TOKEN"], "setup": "a"}
    assert (events[1][2]["set"], events[1][2]["cleared"]) == ({"fast": ["b"]}, ["setup"])
    assert all(detail["repo"] == REPO for _, _, detail in events)
    assert "hush" not in str(events)


async def test_a_profile_that_is_made_again_is_another_one(pool: Pool[Any]) -> None:
    first = await set_fields(pool, {"setup": "a"})
    await profiles.delete(pool, first, actor="ada")
    assert await profiles.get(pool, REPO) is None
    second = await set_fields(pool, {"setup": "a"})
    assert (second.id, second.version) != (first.id, first.version)


async def test_pages_hold_every_profile_once(pool: Pool[Any]) -> None:
    for number in range(7):
        await profiles.keep_inferred(pool, f"acme/w-{number}", make_plan(), "hash")
    names: list[str] = []
    while page := await profiles.page(pool, after=names[-1] if names else "", limit=3):
        names += [profile.repo for profile in page]
    assert names == [f"acme/w-{number}" for number in range(7)]
