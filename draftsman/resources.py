"""Files that ship with the code: Dockerfile templates, the job's entrypoint, and the script of a fence's holder.

In a wheel they lie inside the package; in a checkout at the top level, where people look for them.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def _folder(name: str) -> Traversable:
    packaged = files("draftsman") / "resources" / name
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent / name


def dockerfile_templates() -> dict[str, str]:
    """Return the Jinja templates of generated Dockerfiles by file name."""
    folder = _folder("dockerfiles") / "templates"
    return {item.name: item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".j2")}


def entrypoint() -> bytes:
    """Return the script that runs inside every job."""
    return (_folder("runner_image") / "entrypoint").read_bytes()


def fence_holder() -> bytes:
    """Return the script that fences a network namespace and holds it."""
    return (_folder("runner_image") / "fence-holder").read_bytes()
