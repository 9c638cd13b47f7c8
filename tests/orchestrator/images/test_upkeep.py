"""Which images may go."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draftsman.store import database
from draftsman.store.database import Pool
from draftsman.store.locks import held
from orchestrator.images.labels import Built, find_built, list_built
from orchestrator.images.upkeep import prune, to_prune
from tests.orchestrator.image_parts import Images, make_older, unique
from tests.orchestrator.sandbox_parts import make_plan

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def _built(key: str, *, repo: str = "a/b", age: int = 0, tags: tuple[str, ...] | None = None) -> Built:
    names = (f"draftsman-runner/{repo}:{key}",) if tags is None else tags
    return Built(f"sha256:{repo}{key}{names}", names, key, repo, NOW - timedelta(days=age), (), 1)


def _keys(found: list[Built]) -> list[str]:
    return sorted(image.key for image in found)


def test_the_newest_of_each_repository_stay() -> None:
    images = [_built(str(age), repo=repo, age=age) for repo in ("a/b", "c/d") for age in range(4)]
    images.append(_built("3", age=3, tags=("draftsman-base/a/b:3",)))
    assert _keys(to_prune(images, used=(), keep=3)) == ["3", "3", "3"]
    assert _keys(to_prune(images, used=(), keep=3, repo="C/D")) == ["3"]
    assert len(to_prune(images, used=(), keep=0)) == len(images)
    assert _keys(to_prune(images, used={images[3].id}, keep=3, repo="a/b")) == ["3"]


def test_what_was_replaced_goes_first_and_counts_for_nothing() -> None:
    images = [_built("1", age=1), _built("0", tags=()), _built("2", age=2)]
    assert _keys(to_prune(images, used=(), keep=2)) == ["0"]


def test_the_image_of_the_base_branch_stays_while_any_does() -> None:
    base = _built("9", age=9, tags=("draftsman-runner/a/b:9", "draftsman-runner/a/b:base-0"))
    assert to_prune([_built("1"), base], used=(), keep=1) == []
    assert len(to_prune([_built("1"), base], used=(), keep=0)) == 2


@pytest.mark.engine
async def test_pruning_removes_old_images_and_leaves_those_of_containers(images: Images) -> None:
    tags = [(await images(make_plan(unique()))).tag for _ in range(3)]
    for age, tag in enumerate(tags):
        await make_older(images, tag, days=age + 1)
    holder = await images.engine.call("POST", "containers/create", body={"Image": tags[2], "Cmd": ["true"]})
    try:
        would = await prune(images.engine, keep=1, repo=images.repo, dry_run=True)
        assert tags[1] in {tag for image in would for tag in image.tags}
        assert await find_built(images.engine, tags[1]) is not None
        await prune(images.engine, keep=1, repo=images.repo, dry_run=False)
        left = {tag for image in await list_built(images.engine) if image.repo == images.repo for tag in image.tags}
        assert {tags[0], tags[2]} <= left
        assert tags[1] not in left
    finally:
        await images.engine.call("DELETE", f"containers/{holder['Id']}", params={"force": "1"})


@pytest.mark.engine
@pytest.mark.services
async def test_two_workers_asked_for_one_key_build_once(images: Images, pool: Pool[Any], database_url: str) -> None:
    other = await database.connect(database_url, size=2)
    plan = make_plan(unique() + "RUN sleep 1\n")
    workers = [lambda _, key: held(pool, f"build {key}"), lambda _, key: held(other, f"build {key}")]
    try:
        used = await asyncio.gather(*(images(plan, lock=lock) for lock in workers))
    finally:
        other.terminate()
    assert sorted(image.cached for image in used) == [False, True]
    assert images.log.decode().count("Building draftsman-runner/") == 1
    assert "was built by another run meanwhile" in images.log.decode()
