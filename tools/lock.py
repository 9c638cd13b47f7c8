"""What `requirements.lock` says, read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Platform(NamedTuple):
    """An operating system and processor, and how Python's markers and `uv` call them."""

    sys_platform: str
    machine: str
    called: str


PLATFORMS = (
    Platform("linux", "x86_64", "x86_64-manylinux_2_28"),
    Platform("linux", "aarch64", "aarch64-manylinux_2_28"),
    Platform("darwin", "arm64", "aarch64-apple-darwin"),
)
"""Where Draftsman runs."""

PYTHONS = ("3.11", "3.13")
"""The oldest Python that it runs on, and that of its image."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One package at one version. `hashes` are the SHA-256 of the files that may be installed for it.

    `marker` says where it is needed, None for everywhere.
    """

    name: str
    version: str
    marker: Marker | None
    hashes: tuple[str, ...]

    @property
    def line(self) -> str:
        """Return the requirement without its hashes."""
        return f"{self.name}=={self.version}" + ("" if self.marker is None else f" ; {self.marker}")


def read(text: str) -> list[Pinned]:
    """Return the packages of a lock. Raises ValueError where a line pins no version, or has no hash."""
    return [_pinned(line) for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def _pinned(line: str) -> Pinned:
    said = Requirement(line.partition("--hash")[0].strip())
    versions = [one.version for one in said.specifier if one.operator == "=="]
    hashes = tuple(_HASH.findall(line))
    if len(versions) != 1 or not hashes:
        raise ValueError(f"{line[:80]!r} pins no version by hash")
    return Pinned(canonicalize_name(said.name), versions[0], said.marker, hashes)
