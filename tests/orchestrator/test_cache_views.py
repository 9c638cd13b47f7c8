"""Caches: a stranger starts warm and poisons nothing; users and private repositories are kept apart."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from orchestrator.cache_views import CacheViews
from orchestrator.caches import CacheMount, cache_mounts, cache_scope
from orchestrator.engine import Engine
from orchestrator.fence.holder import Fences
from orchestrator.images.image_user import image_uid
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec
from tests.hostile.beside import attack
from tests.orchestrator.engine_fixtures import WITH_USER
from tests.orchestrator.sandbox_parts import Commit

pytestmark = [pytest.mark.engine, pytest.mark.hostile]

SpecOf = Callable[..., JobSpec]


class Caches:
    """Runs jobs with caches of an owner that nobody else has."""

    def __init__(self, engine: Engine, fences: Fences, runner: DockerRunner, commit: Commit, spec_of: SpecOf) -> None:
        self.views = CacheViews(fences.helper, "tests")
        self.engine = engine
        self.owner = f"tests-{uuid.uuid4().hex[:12]}"
        self._runner, self._commit, self._spec_of = runner, commit, spec_of

    async def run(
        self, command: str, *, trusted: bool, uid: int | None = 0, private: bool = False, **spec: object
    ) -> str:
        """Return what a job says that has the owner's pip cache at /c."""
        mounts = cache_mounts(["pip"], cache_scope(self.owner, private=private), uid=uid)
        wanted = self._spec_of(fast=(command,), **spec)
        opened = await self.views.open(mounts, uid=uid, job=wanted.id, trusted=trusted)
        at_c: tuple[CacheMount, ...] = tuple(replace(mount, path="/c") for mount in opened)
        ended = await attack(self._runner, self._commit, replace(wanted, caches=at_c), with_neighbour=False)
        job = await self._runner.adopt(wanted.id)
        assert job is not None
        await self._runner.remove(job)
        await self.views.close(wanted.id)
        return ended.seen.text("fast-1")

    async def volumes(self) -> list[str]:
        """Return the volumes of this owner, and views that are left of its jobs."""
        answer = await self.engine.call("GET", "volumes")
        return sorted(str(one["Name"]) for one in answer["Volumes"] if self.owner in str(one))


@pytest.fixture
async def caches(
    engine: Engine, fences: Fences, runner: DockerRunner, commit: Commit, spec_of: SpecOf
) -> AsyncIterator[Caches]:
    """Caches of a new owner, removed afterwards."""
    made = Caches(engine, fences, runner, commit, spec_of)
    yield made
    for name in await made.volumes():
        await engine.delete(f"volumes/{name}")


async def test_a_stranger_starts_warm_and_poisons_nothing(caches: Caches) -> None:
    assert await caches.run("ls /c; echo good > /c/wheel", trusted=True) == ""
    said = await caches.run("cat /c/wheel; echo evil > /c/wheel; touch /c/more; rm -rf /c/x; ls /c", trusted=False)
    assert said == "good\nmore\nwheel\n"
    assert await caches.run("cat /c/wheel; ls /c", trusted=True) == "good\nwheel\n", "nothing of it is left"
    assert await caches.run("ls /c; cat /c/wheel", trusted=False) == "wheel\ngood\n", "nor for another stranger"
    names = await caches.volumes()
    assert len(names) == 3, names
    assert sum("_sealed_" in name for name in names) == 2, "a copy, and what says that it is whole"


async def test_a_stranger_without_a_cache_starts_empty(caches: Caches) -> None:
    assert await caches.run("ls -A /c; touch /c/x && echo can write", trusted=False) == "can write\n"
    assert await caches.volumes() == []


async def test_a_public_repositorys_stranger_reads_nothing_of_a_private_one(caches: Caches) -> None:
    await caches.run("echo secret > /c/private-wheel", trusted=True, private=True)
    assert await caches.run("ls -A /c", trusted=False) == ""
    assert await caches.run("ls -A /c", trusted=False, private=True) == "private-wheel\n"


async def test_an_image_with_a_user_of_its_own_has_a_cache_that_it_can_write(
    caches: Caches, engine: Engine, image_of: Callable[[str], Awaitable[str]]
) -> None:
    image = await image_of(WITH_USER)
    uid = await image_uid(engine, image)
    assert uid == 1000
    said = await caches.run("id -u; touch /c/mine && stat -c %u /c/mine /c", trusted=True, uid=uid, image=image)
    assert said == "1000\n1000\n1000\n"
    assert await caches.run("ls /c; touch /c/y && echo ok", trusted=False, uid=uid, image=image) == "mine\nok\n"
    assert await caches.run("ls -A /c", trusted=True) == "", "root has another one"
    assert await caches.run("ls -d /c 2>&1 | head -c 9", trusted=True, uid=None, image=image) == "ls: canno\n"
