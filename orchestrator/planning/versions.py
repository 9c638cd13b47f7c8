"""The releases that planning knows (`version_table.py`), its defaults among them, and the tools that it pins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from orchestrator.planning import version_table

AS_OF = date.fromisoformat(version_table.AS_OF)


@dataclass(frozen=True, slots=True)
class Release:
    """A line of releases, and the tag of its image. `lts` is false for Node's odd majors."""

    version: str
    end_of_life: date
    lts: bool = True
    codename: str = ""

    @property
    def supported(self) -> bool:
        """Return whether it got security fixes when the table was made."""
        return self.end_of_life >= AS_OF


def _releases(rows: Iterable[tuple[str, str, bool, str]]) -> tuple[Release, ...]:
    return tuple(Release(version, date.fromisoformat(end), lts, name) for version, end, lts, name in rows)


PYTHON = _releases(version_table.PYTHON)
PYTHON_DEFAULT = "3.13"
"""The newest that nearly every package on PyPI has wheels for."""

NODE = _releases(version_table.NODE)
NODE_DEFAULT = "24"
"""The newest long-term release that has been one for some months (26 became one in October 2026)."""

DEBIAN_IMAGE = "debian:bookworm-slim"

UV = "0.13.9"
"""The uv that a generated image gets."""

RUFF = "0.17.6"
"""The ruff that runs where a repository configures it and names no release of it."""


def find(releases: tuple[Release, ...], version: str) -> Release | None:
    """Return the line of releases that a version (`3.12.4`, `20`) belongs to, or None where it is unknown."""
    for release in releases:
        if version == release.version or version.startswith(release.version + "."):
            return release
    return None
