"""What a profile asks for beside the commit itself: the files of its submodules and of Git LFS."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from draftsman.domain.errors import SourceError
from draftsman.domain.plan import Profile
from draftsman.domain.retry import Cause
from orchestrator.lfs import fetch_lfs
from orchestrator.runners.interface import Source
from orchestrator.source import Mirror, Mirrors, Remote
from orchestrator.submodules import fetch_submodules

MAX_SECONDS = 1800.0
"""How long all of it may take."""

log = logging.getLogger(__name__)


async def whole_source(
    mirrors: Mirrors, mirror: Mirror, remote: Remote | None, sha: str, run: str, profile: Profile, folder: Path
) -> Source:
    """Return the commit as a bundle in `folder`, with what its profile asks for. `remote` is where it comes from.

    Raises PlanError for what the commit says wrong, SourceError where something cannot be fetched.
    """
    bundle = folder / "source.bundle"
    await mirror.bundle(run, bundle)
    source = Source(bundle)
    if remote is None or not (profile.submodules or profile.lfs):
        return source
    for name in ("submodules", "lfs"):
        (folder / name).mkdir()
    try:
        async with asyncio.timeout(MAX_SECONDS):
            submodules = (
                await fetch_submodules(mirrors, mirror, remote, sha, run, folder / "submodules")
                if profile.submodules
                else ()
            )
            lfs = await fetch_lfs(mirror, remote, sha, folder / "lfs") if profile.lfs else ()
    except TimeoutError as error:
        raise SourceError(
            f"Submodules and Git LFS files were not fetched within {MAX_SECONDS / 60:.0f} minutes: run this again, or "
            "fetch fewer of them.",
            cause=Cause.SOURCE,
        ) from error
    return Source(bundle, submodules, lfs)
