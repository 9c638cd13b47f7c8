"""What workers share through the database, on a real engine."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from draftsman.cli.engine_tools import EngineTools
from draftsman.domain.errors import EngineError
from draftsman.settings import Settings
from draftsman.store.database import Pool
from draftsman.store.locks import held

pytestmark = pytest.mark.engine


def settings(home: Path, docker_host: str | None) -> Settings:
    return Settings(home=home, docker_host=docker_host)


async def test_with_a_registry_builds_wait_for_those_of_any_engine(pool: Pool[Any], tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        shared = settings(tmp_path, os.environ.get("DOCKER_HOST")).model_copy(update={"registry": "r.example.com/team"})
        opened = await EngineTools(shared, pool, stack).ready()
        assert opened.registry is not None
        assert opened.registry.address == "r.example.com/team"
        async with asyncio.timeout(5), held(pool, "build acme/other key"), opened.build_lock("Acme/Widgets", "key"):
            pass
        async with held(pool, "build acme/widgets key"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5), opened.build_lock("Acme/Widgets", "key"):
                    pass


async def test_builds_wait_for_those_of_the_same_engine_only(pool: Pool[Any], tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        engine_tools = EngineTools(settings(tmp_path, os.environ.get("DOCKER_HOST")), pool, stack)
        opened = await engine_tools.ready()
        assert engine_tools.engine_id() == opened.engine.facts.id != ""
        async with asyncio.timeout(5), held(pool, "build another-engine key"), opened.build_lock("a/b", "key"):
            pass
        async with held(pool, f"build {opened.engine.facts.id} key"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5), opened.build_lock("a/b", "key"):
                    pass


async def test_an_engine_that_has_not_answered_has_no_id(pool: Pool[Any], tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        engine_tools = EngineTools(settings(tmp_path, f"unix://{tmp_path}/absent.sock"), pool, stack)
        with pytest.raises(EngineError):
            await engine_tools.ready()
        with pytest.raises(EngineError, match="has not answered yet"):
            engine_tools.engine_id()
