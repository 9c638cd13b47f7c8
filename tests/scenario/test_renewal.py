"""Images are built anew before they are too old: the next run finds a fresh one, and waits for nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.chaos.engine import shared_engine
from tests.github import GitHubStandIn
from tests.machines.registry import started_registry
from tests.product import free_port, running, scratch_folder
from tests.scenario.conftest import SETTINGS, World
from tests.scenario.samples import checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine, pytest.mark.linux_root]

# An image is renewed after half a minute, and too old after a whole one.
AGE = {**SETTINGS, "DRAFTSMAN_IMAGE_MAX_AGE_DAYS": str(60 / 86_400)}


@pytest.fixture
async def base() -> AsyncIterator[str]:
    """A base image in a registry that answers: an image is built anew from a fresh one, or not at all."""
    engine = await shared_engine()
    with scratch_folder() as folder:
        async with started_registry(folder / "registry", f"127.0.0.1:{free_port()}") as registry:
            name = f"{registry.address}/python:3.13-slim"
            await engine.docker("tag", "python:3.13-slim", name)
            await engine.docker("push", "--quiet", name)
            yield name
            await engine.docker("rmi", "--no-prune", name)


async def test_the_default_branchs_image_is_renewed_ahead_of_its_time(base: str) -> None:
    files = {**checks(more='dockerfile = "Dockerfile"\n'), "Dockerfile": f"FROM {base}\nRUN date > /made\n"}
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github, running(github, folder, **AGE) as product:
            world = World(github, product)
            home = await github.create_repository("acme/renewed", files=files)
            await world.results(await home.commit({"a.md": "a"}, branch="main"))
            # Of a branch alone, with an image of its own: nobody's runs wait for that.
            other = files | {"Dockerfile": f"{files['Dockerfile']}RUN true\n"}
            await world.results(await home.commit(other, branch="other"))

            code, said = await product.command("images", "renew", "--json")
            assert (code, json.loads(said)["images"]) == (0, [])
            await asyncio.sleep(32)
            _, said = await product.command("images", "renew", "--dry-run")
            assert "1 image would be built anew." in said
            code, said = await product.command("images", "renew", "--json")
            (renewed,) = json.loads(said)["images"]
            assert (code, renewed["repo"], renewed["why_not"]) == (0, "acme/renewed", "")
            _, said = await product.command("images", "renew", "--dry-run")
            assert "0 images would be built anew." in said

            shown = await world.results(await home.commit({"b.md": "b"}, branch="main"))
            assert "image cached" in shown["fast"].title, world.seen()
