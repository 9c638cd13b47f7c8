"""`draftsman images`: which images are there, having one built anew, and removing old ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from draftsman.ansi import harmless
from draftsman.cli import person, services, terminal
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import HostError
from draftsman.settings import Settings
from draftsman.store import images
from orchestrator import engine as docker
from orchestrator.engine import Engine
from orchestrator.images.key import RUNNER_PREFIX
from orchestrator.images.labels import Built, list_built, used_images
from orchestrator.images.upkeep import prune


async def list_images(settings: Settings, *, repo: str | None, as_json: bool) -> int:
    """Print the images on the engine, the newest first."""
    engine = await docker.connect(settings.docker_host)
    try:
        shown = await _rows(engine, repo, await _last_used(settings, engine.facts.id))
    finally:
        await engine.close()
    if as_json:
        print(json.dumps(shown, indent=2))
        return 0
    if not shown:
        terminal.console(to_stderr=True).print("No images: Draftsman has built none on this engine.")
        return 0
    table = [("repository", "image", "age", "size", "in use")]
    for row in shown:
        size, in_use = _size(row["size_bytes"]), "yes" if row["in_use"] else ""
        table.append((harmless(row["repo"]), harmless(row["tag"]), _age(row["age_seconds"]), size, in_use))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        # Not rich's table: piped, that would cut names to the width of a terminal.
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        terminal.console().print(line.rstrip(), markup=False)
    return 0


async def _rows(engine: Engine, repo: str | None, last_used: dict[str, datetime]) -> list[dict[str, Any]]:
    used = await used_images(engine)
    now = datetime.now(UTC)
    return [
        {
            "repo": image.repo,
            "tag": tag,
            "key": image.key,
            "built_at": None if image.built_at is None else image.built_at.isoformat(),
            "age_seconds": None if image.built_at is None else int((now - image.built_at).total_seconds()),
            "size_bytes": image.size,
            "in_use": image.id in used,
            "last_used_at": last_used[tag].isoformat() if tag in last_used else None,
            "notes": list(image.notes),
        }
        for image in await list_built(engine)
        if repo is None or image.repo.lower() == repo.lower()
        for tag in _runner_tags(image)
    ]


def _runner_tags(image: Built) -> Iterable[str]:
    """Return the name that runs use it by; what it was built on lies below it and takes no room of its own."""
    return [tag for tag in image.tags if tag.startswith(f"{RUNNER_PREFIX}/") and ":base-" not in tag][:1]


async def _last_used(settings: Settings, engine: str) -> dict[str, datetime]:
    """Return when runs last used each tag; nothing where no database is there (`draftsman run` needs none)."""
    url = services.found_database(settings)
    if url is None:
        return {}
    async with services.opened(url, size=1) as pool:
        return await images.last_used(pool, engine=engine)


async def rebuild_images(settings: Settings, repo: str) -> int:
    """Have the next run of a repository build its image anew. Raises HostError where no Draftsman runs."""
    url = services.found_database(settings)
    if url is None:
        raise HostError(
            f"No Draftsman runs with its data in {settings.home}: start it with `draftsman up`, or set DATABASE_URL. "
            "For a run without one there is `draftsman run --rebuild`."
        )
    async with services.opened(url, size=1) as pool:
        await images.ask_rebuild(pool, repo, by=person.actor())
    terminal.console().print(f"The next run of {quoted(repo)} builds its image anew, from fresh base images.")
    return 0


async def prune_images(settings: Settings, *, repo: str | None, keep: int, dry_run: bool) -> int:
    """Remove old images and say which."""
    engine = await docker.connect(settings.docker_host)
    try:
        gone = await prune(engine, keep=keep, repo=repo, dry_run=dry_run)
    finally:
        await engine.close()
    shown = terminal.console()
    for image in gone:
        shown.print(f"{'would remove' if dry_run else 'removed'} {quoted(', '.join(image.tags) or image.id[:19])}")
    count = f"{len(gone)} image{'' if len(gone) == 1 else 's'}"
    shown.print(f"{count} {'would go' if dry_run else 'removed'}.")
    return 0


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "unknown"
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {name}"
    return f"{seconds} s"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
