"""The wheel of this checkout, installed into an empty virtual environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.venv import HOST_BUNDLE

ROOT = Path(__file__).parents[2]
_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Installed:
    """The wheel, and the program that it gave. `folder` is where its commands are run."""

    wheel: Path
    program: Path
    folder: Path

    def run(
        self, *arguments: str, settings: Mapping[str, str] | None = None, seconds: int = _SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run `draftsman ARGUMENTS`, with nothing of ours in the environment but these settings."""
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=bare_environment() | dict(settings or {}),
            capture_output=True,
            text=True,
            timeout=seconds,
        )


def bare_environment() -> dict[str, str]:
    """Return the environment without Python's and our own variables."""
    ours = ("PYTHON", "VIRTUAL_ENV", "DRAFTSMAN_", "GITHUB_", "DATABASE_URL", "REDIS_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def trust() -> dict[str, str]:
    """Return what has `uv` trust the certificate authorities of this machine."""
    return {"SSL_CERT_FILE": str(HOST_BUNDLE)} if HOST_BUNDLE.exists() else {"UV_SYSTEM_CERTS": "1"}


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into a folder, by way of the sdist, as a release does."""
    _uv("build", "--quiet", "--out-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Installed:
    """Install the wheel with what it depends on into a new environment, away from the checkout."""
    environment = folder / "environment"
    _uv("venv", "--quiet", "--python", sys.executable, str(environment))
    _uv("pip", "install", "--quiet", "--python", str(environment / "bin/python"), str(wheel))
    away = folder / "elsewhere"
    away.mkdir()
    return Installed(wheel, environment / "bin/draftsman", away)


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, *arguments], env=bare_environment() | trust(), check=True, timeout=_SECONDS)
