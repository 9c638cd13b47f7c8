"""How long a job takes to its first command, its image being there: fence, container, source, checkout."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from bench.image_decision import BASE, no_lock, nothing, say_nothing
from bench.measure import Figure, compare
from bench.repository import commit
from draftsman.domain.plan import Plan, Profile
from orchestrator.engine import Engine, connect
from orchestrator.fence.holder import Fences
from orchestrator.fence.rules import FencePolicy
from orchestrator.helper import Helper
from orchestrator.images.build import BuildSettings
from orchestrator.images.ensure import Shop, Wanted, ensure_image
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec, Source
from orchestrator.source import Mirror, Remote

FILES = 100


async def measure(folder: Path) -> list[Figure]:
    """Return the figure: until the first step's command runs, beside the raw engine's container that says a word."""
    repository = folder / "repository-first"
    sha = await asyncio.to_thread(commit, repository, FILES)
    mirror = Mirror(folder / "mirror-first.git")
    await mirror.fetch(Remote("bench/first", str(repository)), sha, "bench")
    engine = await connect()
    plan = Plan(Profile(None, "none", "", ("echo here; sleep 60",), ()), (), f"FROM {BASE}\n", (), ())
    shop = Shop(engine, BuildSettings(), no_lock, nothing, say_nothing)
    try:
        tag = (await ensure_image(shop, Wanted("bench/first", plan))).image.tag
        fences = Fences(Helper(engine, BuildSettings()), FencePolicy())
        await fences.rules()
        runner = DockerRunner(engine, fences)

        async def first_command() -> None:
            bundle = folder / "bench.bundle"
            await mirror.bundle("bench", bundle)
            spec = JobSpec(str(uuid.uuid4()), "bench/first", sha, tag, plan.steps)
            job = await runner.start(spec, Source(bundle))
            logs = runner.logs(job)
            async for batch in logs:
                if any(b"here" in frame.content for frame in batch):
                    break
            await logs.aclose()
            await runner.remove(job)

        async def raw() -> None:
            await _raw(engine, tag)

        floor = "a container of the raw engine that says a word, made and removed"
        return [
            await compare("job in a cached image: until its first command, and its removal", first_command, floor, raw)
        ]
    finally:
        await engine.close()


async def _raw(engine: Engine, image: str) -> None:
    body = {"Image": image, "Entrypoint": ["sh", "-c", "echo here; sleep 60"], "Tty": True}
    made = await engine.call("POST", "containers/create", body=body)
    path = f"containers/{made['Id']}"
    await engine.call("POST", f"{path}/start")
    async with engine.stream("GET", f"{path}/logs", params={"stdout": "1", "follow": "1"}) as answer:
        await answer.readany()
    await engine.call("DELETE", path, params={"force": "1", "v": "1"})
