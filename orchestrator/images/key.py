"""What an image depends on, as one key, and the tag that the key gives. Pure.

`draftsman-runner/<owner>/<repo>:<12 hex of the key>`: a reference may hold one colon only, and may hold
neither capitals, nor two dots, three underscores, or a separator at either end of a component (the grammar
of distribution/reference). GitHub allows all of that in names, so a name that the grammar refuses becomes
`x--<what is readable of it>-<its digest>`, a form that no other name may take.
"""

from __future__ import annotations

import hashlib
import json
import platform as machines
import re
from collections.abc import Iterable, Mapping

RUNNER_PREFIX = "draftsman-runner"
"""The image that jobs run in: the base, and the runner layer on top."""
BASE_PREFIX = "draftsman-base"
"""The image as the Dockerfile says it."""
TAG_HEX = 12

_PLAIN = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_LONGEST = 100
"""GitHub's own limit for a repository's name; an owner's is 39. A reference may be 255 in all."""


def image_key(
    *,
    dockerfile: str,
    layer_version: str,
    ca_bundle: bytes | None,
    build_args: Mapping[str, str],
    target: str | None,
    platform: str | None,
    context_digest: str,
    path: str | None = None,
    image_prefix: str = "",
    programs: Iterable[str] = (),
) -> str:
    """Return the key, 64 hex digits: the same for the same image, and for nothing else.

    `context_digest` stands for everything in the build context that the Dockerfile can see; it is empty where nothing
    of the tree is. `path` is where the Dockerfile lies in the tree, `image_prefix` is the mirror that base images come
    from, `programs` are those that the image is asked for.
    """
    parts = {
        "dockerfile": dockerfile,
        "layer_version": layer_version,
        "ca_bundle": None if ca_bundle is None else hashlib.sha256(ca_bundle).hexdigest(),
        "build_args": dict(build_args),
        "target": target,
        "platform": platform,
        "context_digest": context_digest,
        "path": path,
        "image_prefix": image_prefix,
        "programs": sorted(programs),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def image_tag(repo_full_name: str, key: str, prefix: str = RUNNER_PREFIX) -> str:
    """Return the reference for a repository's image: legal, lower-case, and no other repository's.

    GitHub's names are the same whatever their case. Raises ValueError where this is no `owner/name`.
    """
    return f"{image_name(repo_full_name, prefix)}:{key[:TAG_HEX]}"


def image_name(repo_full_name: str, prefix: str = RUNNER_PREFIX) -> str:
    """Return the name of a repository's images, without a tag. Raises ValueError where this is no `owner/name`."""
    owner, separator, name = repo_full_name.lower().partition("/")
    if not (owner and separator and name) or "/" in name:
        raise ValueError(f"{repo_full_name!r} is not the owner/name of a repository.")
    return f"{prefix}/{_component(owner)}/{_component(name)}"


def _component(name: str) -> str:
    """Return a legal component for a name. `x--` begins every spelled one, and no plain one."""
    if _PLAIN.fullmatch(name) and not name.startswith("x--") and len(name) <= _LONGEST:
        return name
    readable = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:40].rstrip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"x--{readable}-{digest}" if readable else f"x--{digest}"


def default_platform() -> str:
    """Return the platform of an engine on a machine like this one, for where no engine is asked."""
    machine = machines.machine().lower()
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    return f"linux/{names.get(machine, machine)}"
