"""Which of the images that Draftsman built may go, and removing them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from orchestrator.engine import Engine
from orchestrator.images.key import BASE_PREFIX, RUNNER_PREFIX
from orchestrator.images.labels import Built, list_built, remove, used_images

KEPT = 3
"""How many images of a repository stay by default."""

_OLDEST = datetime.min.replace(tzinfo=UTC)


def is_ours(tag: str) -> bool:
    """Return whether a tag is one that Draftsman gave."""
    return tag.startswith((f"{RUNNER_PREFIX}/", f"{BASE_PREFIX}/"))


def to_prune(
    images: Iterable[Built], *, used: Collection[str], keep: int = KEPT, repo: str | None = None
) -> list[Built]:
    """Return the images that may go: all but the newest `keep` of each repository. Pure.

    Those of a container stay, and so does the one that untrusted runs use as the base branch's, where any is kept.
    `repo` limits it to one repository.
    """
    by_repo: dict[str, dict[str, list[Built]]] = defaultdict(lambda: defaultdict(list))
    for image in images:
        if repo is None or image.repo.lower() == repo.lower():
            # Without a name, an image is what a later build of its key replaced.
            by_repo[image.repo.lower()][image.key if image.tags else f"replaced {image.id}"].append(image)
    found: list[Built] = []
    for keys in by_repo.values():
        named = [made for key, made in keys.items() if not key.startswith("replaced ")]
        named.sort(key=lambda made: min(image.built_at or _OLDEST for image in made), reverse=True)
        found += [image for key, made in keys.items() if key.startswith("replaced ") for image in made]
        for made in named[keep:]:
            if keep and any(":base-" in tag for image in made for tag in image.tags):
                continue
            found += made
    return [image for image in found if image.id not in used]


async def prune(engine: Engine, *, keep: int, repo: str | None, dry_run: bool) -> list[Built]:
    """Remove the images that may go. Returns those that went, or with `dry_run` would go."""
    gone: list[Built] = []
    for image in to_prune(await list_built(engine), used=await used_images(engine), keep=keep, repo=repo):
        names = [tag for tag in image.tags if is_ours(tag)] or ([] if image.tags else [image.id])
        if dry_run or all([await remove(engine, name) for name in names]):
            gone.append(image)
    return gone
