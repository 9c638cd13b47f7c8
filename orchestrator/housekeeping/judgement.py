"""What may go. Pure: what the engine has and what the store knows in, names and reasons out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.cache_views import LABEL_LOWER, LABEL_SEALED, LABEL_WHOLE
from orchestrator.caches import LABEL_CACHE
from orchestrator.helper import LABEL_HELPER
from orchestrator.runners.container import LABEL_EPOCH, LABEL_INSTANCE, LABEL_JOB

GRACE_SECONDS = 120.0
"""What was made just now may not be in the store yet, or is being removed by whoever made it."""
HELPER_SECONDS = 900.0
FOREIGN_SECONDS = 24 * 3600.0
"""How long the job of another instance may be: one whose database is another one now never comes for it."""
LOCAL_SECONDS = 6 * 3600.0
"""How long a `draftsman run` may take: what one that was killed left goes after that."""
LOCAL_PREFIX = "run-"


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that may go. `kind` is container, volume, image, network, mirror or scratch; `size` counts bytes.

    `id` is that of a container: the next job of the same attempt has the same name.
    """

    kind: str
    name: str
    why: str
    size: int | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of our own: which instance this is, which of its attempts are not finished, and the time.

    `fences` has each that is not, with the epoch below which its jobs on this engine are nobody's: another claim of it
    goes on without them. Of all others, what is younger than `grace_seconds` stays. No job is older than
    `longest_seconds`, whoever forgot it.
    """

    instance: str
    fences: Mapping[str, int]
    now: float
    grace_seconds: float = GRACE_SECONDS
    longest_seconds: float = float("inf")


def containers_to_go(containers: Iterable[Mapping[str, Any]], known: Known) -> list[Leftover]:
    """Return the containers that may go, of the answer to `GET /containers/json?all=1`."""
    found = []
    for container in containers:
        labels, age = container.get("Labels") or {}, known.now - float(container.get("Created") or known.now)
        name = str((container.get("Names") or [container["Id"]])[0]).lstrip("/")
        why = ""
        if LABEL_JOB in labels:
            why = _why_job(labels, age, known)
        elif LABEL_HELPER in labels and age > HELPER_SECONDS:
            why = "a helper that should have ended long ago"
        if why:
            found.append(Leftover("container", name, why, id=str(container["Id"])))
    return found


def _why_job(labels: Mapping[str, str], age: float, known: Known) -> str:
    instance = labels.get(LABEL_INSTANCE, "")
    if instance == known.instance:
        fence, epoch = known.fences.get(labels[LABEL_JOB]), labels.get(LABEL_EPOCH, "")
        if fence is None and age > known.grace_seconds:
            return "its attempt has finished"
        # However young it is: nobody makes it now, another claim has the attempt.
        if fence is not None and epoch.isdigit() and int(epoch) < fence:
            return "its attempt goes on without it: another worker has begun it anew"
    if instance == known.instance and age > known.longest_seconds:
        return "older than any job may be"
    if instance.startswith(LOCAL_PREFIX) and age > LOCAL_SECONDS:
        return "left by a `draftsman run` that was killed"
    if instance != known.instance and age > max(FOREIGN_SECONDS, known.longest_seconds):
        return "left by an instance that has another database now, or is gone"
    return ""


def volumes_to_go(
    volumes: Iterable[Mapping[str, Any]], jobs: Collection[str], known: Known, made_at: Mapping[str, float]
) -> list[Leftover]:
    """Return the scratch volumes and the old cache generations that may go, of the answer to `GET /volumes`.

    `jobs` are the ids whose containers are still there; `made_at` is when each volume was made.
    """
    listed = list(volumes)
    sizes = {str(one["Name"]): (one.get("UsageData") or {}).get("Size") for one in listed}
    lowers = {(one.get("Labels") or {}).get(LABEL_LOWER) for one in listed}
    whole = {labels[LABEL_WHOLE] for one in listed if LABEL_WHOLE in (labels := one.get("Labels") or {})}
    newest = _newest_generations(one for one in listed if one["Name"] in whole)
    names = {str(one["Name"]) for one in listed}
    found = []
    for volume in listed:
        labels, name = volume.get("Labels") or {}, str(volume["Name"])
        why = ""
        if labels.get(LABEL_JOB):
            age = known.now - made_at.get(name, known.now)
            why = "" if labels[LABEL_JOB] in jobs else _why_job(labels, age, known)
        elif (source := labels.get(LABEL_SEALED)) and name not in lowers:
            age = known.now - made_at.get(name, known.now)
            why = _why_generation(name, source, newest, names)
            if name not in whole and source in names:
                why = "a copy of a cache that was not finished" if age > HELPER_SECONDS else ""
        elif (copy := labels.get(LABEL_WHOLE)) and copy not in names:
            why = "its copy of a cache is gone"
        if why:
            found.append(Leftover("volume", name, why, sizes[name]))
    return found


def _why_generation(name: str, source: str, newest: Mapping[str, str], names: Collection[str]) -> str:
    if source not in names:
        return "a copy of a cache that is gone"
    return "" if newest.get(source) == name else "a copy of a cache that a newer one replaced"


def caches_of(volumes: Iterable[Mapping[str, Any]]) -> dict[str, int | None]:
    """Return the sizes of the dependency caches themselves, of the answer to `GET /volumes`."""
    return {
        str(one["Name"]): (one.get("UsageData") or {}).get("Size")
        for one in volumes
        if LABEL_CACHE in (labels := one.get("Labels") or {}) and LABEL_JOB not in labels and LABEL_SEALED not in labels
    }


def _newest_generations(volumes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    newest: dict[str, tuple[float, str]] = {}
    for volume in volumes:
        labels = volume.get("Labels") or {}
        if source := labels.get(LABEL_SEALED):
            made = (float(labels.get("draftsman.sealed-at", "0")), str(volume["Name"]))
            newest[source] = max(newest.get(source, made), made)
    return {source: name for source, (_, name) in newest.items()}
