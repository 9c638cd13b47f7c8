"""Fixtures on a real Docker engine. Without one they fail, with the sentence that a user would see."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from draftsman.domain.plan import Plan
from orchestrator.caches import CacheMount
from orchestrator.engine import Engine, connect
from orchestrator.fence.holder import Fences
from orchestrator.fence.rules import FencePolicy
from orchestrator.helper import Helper
from orchestrator.images.build import BuildSettings
from orchestrator.images.ensure import Shop, Wanted, ensure_image
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec
from tests.orchestrator.sandbox_parts import Commit, make_commit, make_plan, no_lock, nothing

WITH_GIT = (
    "FROM python:3.13-slim\n"
    "RUN apt-get update && apt-get install -y --no-install-recommends git ca-certificates procps"
    " && rm -rf /var/lib/apt/lists/*\n"
)
"""An image as people have them, for dash as its shell; git is here so that variants share its layer."""
WITH_BASH = WITH_GIT + "RUN ln -sf bash /bin/sh\n"
WITH_BUSYBOX = (
    WITH_GIT
    + "COPY --from=busybox:latest /bin/busybox /opt/busybox/busybox\n"
    + "RUN /opt/busybox/busybox --install -s /opt/busybox && ln -sf /opt/busybox/busybox /bin/sh\n"
    + "ENV PATH=/opt/busybox:/usr/local/bin:/usr/bin:/bin\n"
)
WITH_USER = WITH_GIT + "RUN useradd --create-home --uid 1000 app\nUSER app\n"

Start = Callable[..., JobSpec]


@pytest.fixture(scope="session")
async def engine() -> AsyncIterator[Engine]:
    """A Docker engine."""
    connected = await connect()
    yield connected
    await connected.close()


@pytest.fixture(scope="session")
def fences(engine: Engine) -> Fences:
    """Network fences with nobody's exceptions."""
    return Fences(Helper(engine, BuildSettings()), FencePolicy())


@pytest.fixture
def runner(engine: Engine, fences: Fences) -> DockerRunner:
    """The runner under test."""
    return DockerRunner(engine, fences)


@pytest.fixture(scope="session")
def commit(tmp_path_factory: pytest.TempPathFactory) -> Commit:
    """A repository with one commit."""
    files = {"hello.py": "print('hello')\n", "folder/file name.txt": "text\n"}
    return make_commit(tmp_path_factory.mktemp("commit"), files)


@pytest.fixture(scope="session")
async def image_of(engine: Engine) -> Callable[[str], Awaitable[str]]:
    """Build the runner image on a Dockerfile; returns its tag."""

    async def build(dockerfile: str) -> str:
        shop = Shop(engine, BuildSettings(), no_lock, nothing, nothing)
        used = (await ensure_image(shop, Wanted("draftsman-tests/sandbox", make_plan(dockerfile)))).image
        return used.tag

    return build


@pytest.fixture(scope="session")
async def image(image_of: Callable[[str], Awaitable[str]]) -> str:
    """The runner image that most tests use."""
    return await image_of(WITH_GIT)


@pytest.fixture
async def spec_of(engine: Engine, commit: Commit, image: str) -> AsyncIterator[Callable[..., JobSpec]]:
    """Make a job's spec; what is left of the jobs after the test is removed."""
    made: list[JobSpec] = []

    def make(
        *,
        setup: str = "",
        fast: tuple[str, ...] = (),
        full: tuple[str, ...] = (),
        caches: tuple[CacheMount, ...] = (),
        **changes: object,
    ) -> JobSpec:
        plan: Plan = make_plan("", setup=setup, fast=fast, full=full)
        # A fence of its own for each job takes a quarter of a second: those that are about it ask for one.
        identity = str(uuid.uuid4())
        spec = JobSpec(identity, "acme/widgets", commit.sha, image, plan.steps, caches=caches, network="open")
        made.append(replace(spec, **changes))  # type: ignore[arg-type]
        return made[-1]

    yield make
    runner = DockerRunner(engine)
    for spec in made:
        job = await runner.adopt(spec.id)
        if job is not None:
            await runner.remove(job)
