"""How long it takes to see that the image of a commit is there already, where its Dockerfile copies from the tree."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from bench.measure import Figure, compare
from bench.repository import commit
from draftsman.domain.plan import Plan, Profile
from orchestrator.engine import connect
from orchestrator.git import git
from orchestrator.images.build import BuildSettings
from orchestrator.images.ensure import Ready, Shop, Wanted, ensure_image
from orchestrator.source import Mirror, Remote
from orchestrator.tree_objects import Commit

FILES = 10_000
BASE = "debian:bookworm-slim"
DOCKERFILE = f"FROM {BASE}\nCOPY pyproject.toml package.json /tmp/\nCOPY src /tmp/src\n"


async def measure(folder: Path) -> list[Figure]:
    """Return the figure, with an image that is built once in `folder` and removed."""
    repository = folder / "repository-image"
    sha = await asyncio.to_thread(commit, repository, FILES)
    mirror = Mirror(folder / "mirror-image.git")
    await mirror.fetch(Remote("bench/shop", str(repository)), sha, "bench")
    engine = await connect()
    shop = Shop(engine, BuildSettings(), no_lock, nothing, say_nothing)
    wanted = Wanted("bench/shop", _plan(), Commit(mirror.folder, sha))
    try:
        ready = await ensure_image(shop, wanted)

        async def decide() -> Ready:
            return await ensure_image(shop, wanted)

        async def least() -> object:
            await git("ls-tree", "-r", "-z", "-l", sha, cwd=mirror.folder)
            return await engine.call("GET", f"images/{ready.image.tag}/json")

        name = f"image of a commit of {FILES:,} files: there already"
        figure = await compare(name, decide, "`git ls-tree` of it, and the engine's answer about one image", least)
        await engine.call("DELETE", f"images/{ready.image.tag}", params={"force": "1"})
        return [figure]
    finally:
        await engine.close()


def _plan() -> Plan:
    profile = Profile("Dockerfile", "none", "", (), ("true",))
    return Plan(profile, (), DOCKERFILE, (), ())


def no_lock(_: str, __: str) -> AbstractAsyncContextManager[None]:
    """Stand for a lock that nobody else holds."""
    return nullcontext()


async def nothing() -> None:
    """Stand where a worker tells that it builds."""


async def say_nothing(content: bytes) -> None:
    """Stand where a run keeps its log."""
