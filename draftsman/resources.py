"""Files that ship with the code: Dockerfile templates, the script of backups, the job's entrypoint, and that of
a fence's holder.

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


def alert_pages() -> dict[str, str]:
    """Return the pages on what an administrator has to look after, in Markdown, by file name without its ending."""
    folder = _folder("docs") / "alerts"
    return {item.name.removesuffix(".md"): item.read_text("utf-8") for item in folder.iterdir()}


def entrypoint() -> bytes:
    """Return the script that runs inside every job."""
    return (_folder("runner_image") / "entrypoint").read_bytes()


def backup_script() -> str:
    """Return the script that makes, keeps and restores dumps of the database."""
    return (_folder("dockerfiles") / "backup.sh").read_text("utf-8")


def fence_holder() -> bytes:
    """Return the script that fences a network namespace and holds it."""
    return (_folder("runner_image") / "fence-holder").read_bytes()
