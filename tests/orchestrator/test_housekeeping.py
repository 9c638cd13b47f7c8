"""What upkeep removes, and what it leaves alone."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.containers import remove_container
from orchestrator.engine import Engine
from orchestrator.fence.holder import Fences
from orchestrator.housekeeping.disk_upkeep import old_folders, remove_folder
from orchestrator.housekeeping.engine_upkeep import Ages, EngineUpkeep
from orchestrator.housekeeping.judgement import Known, caches_of, containers_to_go, volumes_to_go
from orchestrator.source import Mirror, Remote
from tests.orchestrator.sandbox_parts import make_commit

NOW = 1_000_000.0
KNOWN = Known("me", {"running": 0, "begun-anew": 3}, NOW, longest_seconds=200_000)


def _container(name: str, age: float, **labels: str) -> dict[str, Any]:
    named = {f"draftsman.{key}": value for key, value in labels.items()}
    return {"Id": name, "Names": [f"/{name}"], "Created": NOW - age, "Labels": named}


@pytest.mark.parametrize(
    ("container", "goes"),
    [
        (_container("a", 3600, job="ended", instance="me"), True),
        (_container("a", 10, job="ended", instance="me"), False),
        (_container("a", 99999, job="running", instance="me"), False),
        (_container("a", 99999, job="ended", instance="another"), False),
        (_container("a", 99999, job="ended"), False),
        (_container("a", 200_001, job="ended", instance="another"), True),
        (_container("a", 200_001, job="running", instance="me"), True),
        (_container("a", 3600, job="running", instance="me", epoch="1"), False),
        (_container("a", 3600, job="begun-anew", instance="me", epoch="2"), True),
        (_container("a", 10, job="begun-anew", instance="me", epoch="2"), True),
        (_container("a", 3600, job="begun-anew", instance="me", epoch="3"), False),
        (_container("a", 3600, job="begun-anew", instance="me"), False),
        (_container("a", 3600, job="begun-anew", instance="another", epoch="2"), False),
        (_container("a", 99999, job="x", instance="run-1"), True),
        (_container("a", 3600, job="x", instance="run-1"), False),
        (_container("a", 99999, helper="1"), True),
        (_container("a", 60, helper="1"), False),
        (_container("a", 99999), False),
        ({"Id": "a", "Created": 0, "Labels": None}, False),
    ],
)
def test_containers(container: dict[str, Any], goes: bool) -> None:
    assert bool(containers_to_go([container], KNOWN)) is goes


def test_volumes() -> None:
    def volume(name: str, **labels: str) -> dict[str, Any]:
        return {"Name": name, "Labels": {f"draftsman.{key.replace('_', '-')}": value for key, value in labels.items()}}

    volumes = [
        volume("view-of-ended", job="ended", instance="me", cache="pip", lower="old-in-use"),
        volume("view-of-running", job="running", instance="me", cache="pip"),
        volume("view-in-use", job="ended-but-there", instance="me", cache="pip"),
        volume("cache", cache="pip"),
        volume("old", cache="pip", sealed_from="cache", sealed_at="1"),
        volume("old-in-use", cache="pip", sealed_from="cache", sealed_at="2"),
        volume("newest", cache="pip", sealed_from="cache", sealed_at="3"),
        volume("newest_whole", whole="newest"),
        volume("old_whole", whole="old"),
        volume("half", cache="pip", sealed_from="cache", sealed_at="8"),
        volume("lost_whole", whole="lost"),
        volume("orphan", cache="pip", sealed_from="gone", sealed_at="9"),
        {"Name": "somebody-elses", "Labels": None},
    ]
    found = volumes_to_go(
        volumes, {"ended-but-there"}, KNOWN, dict.fromkeys((one["Name"] for one in volumes), NOW - 99_999)
    )
    assert {one.name for one in found} == {"view-of-ended", "old", "orphan", "half", "lost_whole"}
    assert list(caches_of(volumes)) == ["cache"]


def test_folders(tmp_path: Path) -> None:
    def run(coroutine: Any) -> None:
        asyncio.run(coroutine)

    commit = make_commit(tmp_path / "repository", {"a": "b"})
    mirrors = {name: Mirror(tmp_path / "mirrors" / f"{name}.git") for name in ("old", "old-in-use", "new")}
    for name, mirror in mirrors.items():
        run(mirror.fetch(Remote("x", str(commit.folder)), commit.sha, "1"))
        if name != "old-in-use":
            run(mirror.release("1"))
        if name != "new":
            os.utime(mirror.folder, (time.time() - 1.5 * 86_400,) * 2)
    for name, at in (("left", 0.0), ("used", time.time())):
        folder = tmp_path / "scratch" / name
        folder.mkdir(parents=True)
        os.utime(folder, (at, at))
    found = old_folders(tmp_path, mirror_days=1)
    assert sorted(Path(one.name).name for one in found) == ["left", "old.git"]
    assert all(remove_folder(one) for one in found)
    assert sorted(one.name for one in (tmp_path / "mirrors").glob("*.git")) == ["new.git", "old-in-use.git"]
    os.utime(mirrors["old-in-use"].folder, (time.time() - 3 * 86_400,) * 2)
    assert [Path(one.name).name for one in old_folders(tmp_path, mirror_days=1)] == ["old-in-use.git"]


@pytest.mark.engine
async def test_on_an_engine_what_is_ours_and_over_goes(engine: Engine, fences: Fences, image: str) -> None:
    instance, ended, running, foreign = (f"tests-{uuid.uuid4()}" for _ in range(4))

    async def unfinished(ids: Collection[str]) -> Mapping[str, int]:
        return {one: 0 for one in ids if one == running}

    jobs = ((ended, instance), (running, instance), (foreign, "another"))
    made = []
    for job, whose in jobs:
        labels = {"draftsman.managed": "1", "draftsman.job": job, "draftsman.instance": whose}
        params, body = {"name": f"draftsman-job-{job}"}, {"Image": image, "Labels": labels}
        made.append(str((await engine.call("POST", "containers/create", params=params, body=body))["Id"]))
        await engine.call("POST", "volumes/create", body={"Name": f"draftsman-view-{job}", "Labels": labels})
    try:
        careful = EngineUpkeep(fences.helper, instance, unfinished, Ages())
        assert not [one for one in await careful.leftovers() if ended in one.name], "made just now"
        upkeep = EngineUpkeep(fences.helper, instance, unfinished, Ages(), grace_seconds=-1)
        found = [one for one in await upkeep.leftovers() if any(job in one.name for job, _ in jobs)]
        assert [(one.kind, one.name) for one in found] == [
            ("container", f"draftsman-job-{ended}"),
            ("volume", f"draftsman-view-{ended}"),
        ]
        assert [await upkeep.remove(one) for one in found] == [True, True]
        left = {str(one["Id"]) for one in await engine.call("GET", "containers/json", params={"all": "1"})}
        assert left & set(made) == set(made[1:])
    finally:
        for container in made:
            await remove_container(engine, container)
        for job, _ in jobs:
            await engine.call("DELETE", f"volumes/draftsman-view-{job}", params={"force": "1"})


@pytest.mark.engine
async def test_a_cache_goes_by_age_and_size_and_never_while_a_job_has_it(
    engine: Engine, fences: Fences, image: str
) -> None:
    async def nobody(_: Collection[str]) -> Mapping[str, int]:
        return {}

    name = f"draftsman_tests-{uuid.uuid4().hex}_pip_cache"
    labels = {"draftsman.managed": "1", "draftsman.cache": "pip"}
    await engine.call("POST", "volumes/create", body={"Name": name, "Labels": labels})
    mounts = [{"Type": "volume", "Source": name, "Target": "/c"}]
    body = {
        "Image": image,
        "Entrypoint": ["sh", "-c", "head -c 3000000 /dev/zero > /c/x"],
        "HostConfig": {"Mounts": mounts},
    }
    container = str((await engine.call("POST", "containers/create", body=body))["Id"])
    small = EngineUpkeep(fences.helper, "me", nobody, Ages(cache_bytes=1_000_000))
    large = EngineUpkeep(fences.helper, "me", nobody, Ages())
    try:
        assert name not in {one.name for one in await small.caches(every=True)}, "a container has it"
        await engine.call("POST", f"containers/{container}/start")
        await engine.call("POST", f"containers/{container}/wait")
        await remove_container(engine, container)
        assert name not in {one.name for one in await large.caches()}
        (found,) = [one for one in await small.caches() if one.name == name]
        assert found.size is not None
        assert found.size >= 3_000_000
        assert await small.remove(found)
    finally:
        await remove_container(engine, container)
        await engine.call("DELETE", f"volumes/{name}", params={"force": "1"})
