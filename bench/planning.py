"""How long a plan takes, from a mirror that has the commit to the plan, at several sizes of repository."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.measure import Figure, compare
from bench.repository import commit
from draftsman import resources
from draftsman.domain.plan import Plan, ProfileOverrides
from orchestrator.git import git
from orchestrator.planner import Planner
from orchestrator.planning.hints import wanted
from orchestrator.source import Mirror, Remote

SIZES = (100, 10_000)
"""Files of a repository."""


async def measure(folder: Path) -> list[Figure]:
    """Return a figure for each size, made in `folder`."""
    planner = Planner()
    try:
        return [await _measure_size(folder, files, planner) for files in SIZES]
    finally:
        await planner.close()


async def _measure_size(folder: Path, files: int, planner: Planner) -> Figure:
    repository = folder / f"repository-{files}"
    sha = await asyncio.to_thread(commit, repository, files)
    mirror = Mirror(folder / f"mirror-{files}.git")
    await mirror.fetch(Remote("bench/shop", str(repository)), sha, "bench")

    async def plan() -> Plan:
        tree = await mirror.tree(sha, wanted)
        return await planner.plan(
            tree, repo="bench/shop", overrides=ProfileOverrides(), templates=resources.dockerfile_templates()
        )

    async def listing() -> bytes:
        return await git("ls-tree", "-r", "-z", "-l", sha, cwd=mirror.folder)

    return await compare(f"plan of a repository of {files:,} files", plan, "`git ls-tree` of it", listing)
