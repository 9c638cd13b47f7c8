"""The real projects: which archive each one is, and what must come of it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("projects.toml")
REGISTRIES = ("pypi", "npm", "debian")
LEAST_TESTS = 20


@dataclass(frozen=True, slots=True)
class Project:
    """One published version of a project.

    `archive` is the file's name at its registry, `sha256` that of its bytes. `suite` is the Debian suite of a source
    package. `manager` and `images` are those that the plan must choose, `tests` the least number that must run.
    """

    name: str
    version: str
    registry: str
    archive: str
    sha256: str
    manager: str
    images: tuple[str, ...]
    tests: int
    why: str
    suite: str = ""

    def __str__(self) -> str:
        """Return the name under which tests show it."""
        return self.name


def read_projects() -> tuple[Project, ...]:
    """Return all projects of `projects.toml`, in its order."""
    tables = tomllib.loads(LIST.read_text("utf-8"))["project"]
    return tuple(Project(**{**table, "images": tuple(table["images"])}) for table in tables)
