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

RUBY = _releases(version_table.RUBY)
RUBY_DEFAULT = "3.4"
"""4.0 no longer carries gems that old Gemfiles do not name (ostruct, logger, benchmark, pstore, ...)."""

GO = _releases(version_table.GO)
GO_DEFAULT = "1.26"
"""The supported one that has been out for a release cycle.

Known up to 1.26; 1.27 and all ends of support from 2026 on follow from the cadence: a release each February and
August, fixed until the second one after it is out.
"""

RUST = _releases(version_table.RUST)
RUST_DEFAULT = RUST[0].version
"""The newest: no other one gets fixes, and a newer one builds what older ones did.

Known up to 1.91; the others follow from the cadence: a release every 42 days since 2015.
"""

DEBIAN_IMAGE = "debian:bookworm-slim"

UV = "0.13.9"
"""The uv that a generated image gets."""

PYTHON_TOOLS: dict[str, tuple[tuple[int, str], ...]] = {
    "poetry": ((10, "poetry==2.5.1"), (9, "poetry==2.2.1"), (8, "poetry==1.8.5"), (7, "poetry==1.5.1")),
    # `locked` pins what PDM itself stands on: later releases of its HTTP library no longer fit it.
    "pdm": ((10, "pdm[locked]==2.29.0"), (9, "pdm[locked]==2.26.9"), (8, "pdm[locked]==2.20.1"), (7, "pdm==2.10.4")),
    "pipenv": ((10, "pipenv==2026.10.3"), (9, "pipenv==2025.0.4"), (8, "pipenv==2024.4.1"), (7, "pipenv==2023.10.3")),
    "hatch": ((10, "hatch==1.18.2"), (9, "hatch==1.15.1"), (8, "hatch==1.14.2"), (7, "hatch==1.7.0")),
    "tox": ((10, "tox==4.67.15"), (9, "tox==4.30.3"), (8, "tox==4.25.0"), (7, "tox==4.8.0")),
    "nox": ((10, "nox==2026.10.20"), (8, "nox==2025.5.1"), (7, "nox==2024.4.15")),
}
"""The managers and task runners of Python images, as pip's words: by the minor version from which on they run."""

RUFF = "0.17.6"
"""The ruff that runs where a repository configures it and names no release of it."""


GOLANGCI_PINS = {"1": "v1.64.8", "2": "v2.13.1"}
"""The golangci-lint that runs where a workflow takes the latest, by the format of its configuration."""

GOLANGCI_BUILT_WITH = (
    ((2, 13), (1, 27)),
    ((2, 9), (1, 26)),
    ((2, 4), (1, 25)),
    ((1, 64), (1, 24)),
    ((1, 60), (1, 23)),
    ((1, 56), (1, 22)),
    ((1, 54), (1, 21)),
    ((1, 52), (1, 20)),
)
"""The first release of golangci-lint that was built with each Go, the newest first. Source: its changelog."""

NODE_MANAGERS: dict[str, tuple[str, ...]] = {
    "npm": ("11.21.2", "10.9.9", "9.9.4", "8.19.4"),
    "pnpm": ("10.34.8", "12.21.0", "11.28.10", "9.15.9", "8.15.9", "7.33.7", "6.35.1"),
    "yarn": ("1.22.22",),
    "@yarnpkg/cli-dist": ("4.18.1", "4.14.1", "4.13.0", "3.8.7", "3.1.1", "2.4.2"),
    "bun": ("1.4.5", "1.3.14", "1.2.23", "1.1.45", "1.0.36"),
}
"""The releases of Node's managers, by npm package, that images get where the repository admits several.

The first that a repository admits is taken, so the first is the one that most use: pnpm 11 and 12 are newer.
"""


def find(releases: tuple[Release, ...], version: str) -> Release | None:
    """Return the line of releases that a version (`3.12.4`, `20`) belongs to, or None where it is unknown."""
    for release in releases:
        if version == release.version or version.startswith(release.version + "."):
            return release
    return None
