"""The released versions that planning knows, and the tools that it pins. Refresh the table by hand, with its date.

Sources: https://devguide.python.org/versions/, https://github.com/nodejs/Release.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

AS_OF = date(2026, 11, 23)
"""The day on which this table was last compared with its sources; it decides what counts as supported."""


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


PYTHON = (
    Release("3.15", date(2031, 10, 31)),
    Release("3.14", date(2030, 10, 31)),
    Release("3.13", date(2029, 10, 31)),
    Release("3.12", date(2028, 10, 31)),
    Release("3.11", date(2027, 10, 31)),
    Release("3.10", date(2026, 10, 31)),
    Release("3.9", date(2025, 10, 31)),
    Release("3.8", date(2024, 10, 7)),
    Release("3.7", date(2023, 6, 27)),
    Release("3.6", date(2021, 12, 23)),
)
"""Newest first."""

PYTHON_DEFAULT = "3.13"
"""The newest that nearly every package on PyPI has wheels for."""

NODE = (
    Release("26", date(2029, 4, 30), codename="lithium"),
    Release("25", date(2026, 6, 1), lts=False),
    Release("24", date(2028, 4, 30), codename="krypton"),
    Release("23", date(2025, 6, 1), lts=False),
    Release("22", date(2027, 4, 30), codename="jod"),
    Release("21", date(2024, 6, 1), lts=False),
    Release("20", date(2026, 4, 30), codename="iron"),
    Release("19", date(2023, 6, 1), lts=False),
    Release("18", date(2025, 4, 30), codename="hydrogen"),
    Release("16", date(2023, 9, 11), codename="gallium"),
    Release("14", date(2023, 4, 30), codename="fermium"),
)
"""Newest first."""

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
