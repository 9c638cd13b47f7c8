"""What the tests of images are made of: a shop on the real engine, commits, and the images of one test."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from draftsman.domain.errors import BuildError
from draftsman.domain.outcome import ImageUsed
from draftsman.domain.plan import Plan
from orchestrator.engine import Engine
from orchestrator.images.build import BuildSettings
from orchestrator.images.ensure import Ready, Shop, Wanted, ensure_image
from orchestrator.images.labels import list_built
from orchestrator.images.records import KeptFailure, Pushed
from orchestrator.images.registry import Registry
from orchestrator.tree_objects import Commit
from tests.orchestrator.engine_fixtures import WITH_GIT
from tests.orchestrator.sandbox_parts import make_commit, no_lock


@dataclass
class Remembered:
    """Records in memory."""

    failures: dict[str, KeptFailure] = field(default_factory=dict)
    asked_at: datetime | None = None
    images: dict[tuple[str, str], Pushed] = field(default_factory=dict)
    bases: dict[tuple[str, str, str], str] = field(default_factory=dict)

    async def failure(self, key: str) -> KeptFailure | None:
        """Return what failed."""
        return self.failures.get(key)

    async def keep_failure(self, key: str, repo: str, error: BuildError) -> None:
        """Remember it."""
        del repo
        self.failures[key] = KeptFailure(str(error), error.detail, datetime.now(UTC))

    async def forget_failure(self, key: str) -> None:
        """Forget it."""
        self.failures.pop(key, None)

    async def rebuild_asked_at(self, repo: str) -> datetime | None:
        """Return when it was asked."""
        del repo
        return self.asked_at

    async def pushed(self, repo: str, key: str) -> Pushed | None:
        """Return what was pushed."""
        return self.images.get((repo, key))

    async def keep_pushed(self, repo: str, key: str, pushed: Pushed) -> None:
        """Remember it."""
        self.images[repo, key] = pushed

    async def forget_pushed(self, repo: str, key: str, digest: str) -> None:
        """Forget it."""
        if (known := self.images.get((repo, key))) is not None and known.digest == digest:
            del self.images[repo, key]

    async def base_key(self, repo: str, suffix: str, platform: str) -> str | None:
        """Return the key of the base's image."""
        return self.bases.get((repo, suffix, platform))

    async def keep_base_key(self, repo: str, suffix: str, platform: str, key: str) -> None:
        """Remember it."""
        self.bases[repo, suffix, platform] = key


class Images:
    """Calls `ensure_image` for one test, in a repository of its own, and remembers the log and how often it built."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.repo = f"draftsman-tests/images-{uuid.uuid4().hex[:12]}"
        self.records = Remembered()
        self.registry: Registry | None = None
        self.log = b""
        self.built = 0
        self._folder = folder

    async def ready(
        self, plan: Plan, *, lock: Any = no_lock, settings: BuildSettings | None = None, **of: Any
    ) -> Ready:
        """Return what `ensure_image` returns; `of` are fields of what is wanted."""

        async def output(text: bytes) -> None:
            self.log += text

        async def building() -> None:
            self.built += 1

        shop = Shop(
            self.engine,
            settings or BuildSettings(timeout_seconds=300),
            lock,
            building,
            output,
            self.records,
            registry=self.registry,
        )
        return await ensure_image(shop, Wanted(**{"repo": self.repo, "plan": plan, **of}))

    async def __call__(self, plan: Plan, **changes: Any) -> ImageUsed:
        """Return the image."""
        return (await self.ready(plan, **changes)).image

    def commit(self, files: Mapping[str, str]) -> Commit:
        """Return a commit with these files."""
        return Commit(self.repository(files), "HEAD")

    def repository(self, files: Mapping[str, str]) -> Path:
        """Return the folder of a repository with one commit of these files."""
        return make_commit(self._folder / uuid.uuid4().hex, dict(files)).folder

    def committed(self, folder: Path) -> Commit:
        """Return the commit of everything that lies in a repository now."""
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        for command in (["add", "--all"], [*identity, "commit", "--quiet", "--message=Next"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
        return Commit(folder, "HEAD")

    async def remove(self) -> None:
        """Remove what the test built."""
        for image in await list_built(self.engine):
            if image.repo == self.repo:
                await self.engine.call("DELETE", f"images/{image.id}", params={"force": "1"})


@pytest.fixture
async def images(engine: Engine, tmp_path: Path) -> AsyncIterator[Images]:
    """The function under test."""
    made = Images(engine, tmp_path)
    yield made
    await made.remove()


def unique(dockerfile: str = WITH_GIT) -> str:
    """Return the Dockerfile, made one that was not built before."""
    return f"{dockerfile}ENV UNIQUE={uuid.uuid4().hex}\n"


async def run(tag: str, *command: str) -> str:
    """Return what a command says in the image."""
    done = await asyncio.to_thread(
        subprocess.run,
        ["docker", "run", "--rm", "--network=none", tag, *command],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


async def make_older(images: Images, tag: str, *, days: float) -> str:
    """Make the image of this tag one that was built days ago. Returns its id."""
    before = datetime.now(UTC) - timedelta(days=days)
    change = f'LABEL draftsman.built-at="{before.isoformat(timespec="seconds")}"'
    made = await images.engine.call("POST", "containers/create", body={"Image": tag, "Cmd": ["true"]})
    name, _, suffix = tag.rpartition(":")
    params = {"container": made["Id"], "repo": name, "tag": suffix, "changes": change}
    try:
        aged = await images.engine.call("POST", "commit", params=params)
    finally:
        await images.engine.call("DELETE", f"containers/{made['Id']}", params={"force": "1"})
    return str(aged["Id"])


async def age_of(images: Images, tag: str) -> timedelta:
    """Return how old the image says it is."""
    labels = (await images.engine.call("GET", f"images/{tag}/json"))["Config"]["Labels"]
    return datetime.now(UTC) - datetime.fromisoformat(labels["draftsman.built-at"])
