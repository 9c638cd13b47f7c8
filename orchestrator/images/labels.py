"""The images that Draftsman built, as the engine has them: each tells by its labels what it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.engine import Engine, EngineRefusedError

LABEL_MANAGED = "draftsman.managed"
LABEL_KEY = "draftsman.key"
LABEL_REPO = "draftsman.repo"
LABEL_BUILT_AT = "draftsman.built-at"
LABEL_NOTES = "draftsman.notes"
"""What a person should know of how the image was made, as a JSON list."""


@dataclass(frozen=True, slots=True)
class Built:
    """An image of ours. `id` is the engine's, `tags` are all of its names, `size` counts bytes."""

    id: str
    tags: tuple[str, ...]
    key: str
    repo: str
    built_at: datetime | None
    notes: tuple[str, ...]
    size: int


def labels(repo: str, key: str, notes: Iterable[str]) -> dict[str, str]:
    """Return the labels of an image that is built now."""
    return {
        LABEL_MANAGED: "1",
        LABEL_KEY: key,
        LABEL_REPO: repo,
        LABEL_BUILT_AT: datetime.now(UTC).isoformat(timespec="milliseconds"),
        LABEL_NOTES: json.dumps(list(notes)),
    }


async def inspect(engine: Engine, name: str) -> dict[str, Any] | None:
    """Return what the engine says of an image, None where it has none of that name."""
    try:
        answer: dict[str, Any] = await engine.call("GET", f"images/{name}/json")
    except EngineRefusedError as error:
        if error.status == 404:
            return None
        raise
    return answer


async def find_built(engine: Engine, tag: str) -> Built | None:
    """Return the image of this tag, None where there is none, or it is not one of ours."""
    image = await inspect(engine, tag)
    if image is None:
        return None
    found = (image.get("Config") or {}).get("Labels") or {}
    return _read(str(image["Id"]), image.get("RepoTags"), int(image.get("Size") or 0), found)


async def list_built(engine: Engine) -> list[Built]:
    """Return all images of ours, those without a name too, the newest first."""
    filters = json.dumps({"label": [LABEL_MANAGED]})
    answer = await engine.call("GET", "images/json", params={"filters": filters, "all": "0"})
    images = [
        _read(str(one["Id"]), one.get("RepoTags"), int(one.get("Size") or 0), one.get("Labels") or {}) for one in answer
    ]
    found = [image for image in images if image is not None]
    return sorted(found, key=lambda image: image.built_at or datetime.min.replace(tzinfo=UTC), reverse=True)


async def used_images(engine: Engine) -> frozenset[str]:
    """Return the ids of the images that containers were made from, running or not."""
    return frozenset(str(one["ImageID"]) for one in await engine.call("GET", "containers/json", params={"all": "1"}))


async def remove(engine: Engine, name: str) -> bool:
    """Remove a tag or an image without names. Returns whether it is gone; one in use stays."""
    return await engine.delete(f"images/{name}", params={"noprune": "0"})


async def retire(engine: Engine, old: Built, tag: str) -> None:
    """Remove an image whose `tag` another one has by now, which also gets the name that forks find it by."""
    name = tag.rpartition(":")[0]
    for other in old.tags:
        if other != tag and other.startswith(f"{name}:"):
            params = {"repo": name, "tag": other.rpartition(":")[2]}
            await engine.call("POST", f"images/{tag}/tag", params=params)
    await remove(engine, old.id)


def _read(identity: str, tags: Iterable[str] | None, size: int, found: Mapping[str, str]) -> Built | None:
    if LABEL_MANAGED not in found:
        return None
    named = tuple(sorted(tag for tag in tags or () if not tag.startswith("<none>")))
    return Built(
        identity,
        named,
        found.get(LABEL_KEY, ""),
        found.get(LABEL_REPO, ""),
        _time(found.get(LABEL_BUILT_AT, "")),
        _notes(found.get(LABEL_NOTES, "")),
        size,
    )


def _time(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else None


def _notes(text: str) -> tuple[str, ...]:
    try:
        read = json.loads(text)
    except ValueError:
        return ()
    return tuple(map(str, read)) if isinstance(read, list) else ()
