#!/usr/bin/env python3
"""Makes `.venv` hold exactly what requirements-dev.lock says, and the project itself in editable form.

Does nothing when it already does: a stamp in the environment says what it was made of.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The folder of a script comes first in sys.path, and this file would hide the standard library's `venv`.
sys.path[0] = str(ROOT)

STAMP = ".made-of"
HOST_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
BEGAN = time.monotonic()


class VenvError(Exception):
    """The environment cannot be made; the text says which step failed."""


def wanted_stamp(root: Path) -> str:
    """What the environment is made of: the lock, the project's own description, and the Python version."""
    digest = hashlib.sha256()
    for name in ("requirements-dev.lock", "tools/uv.lock.txt", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return f"{digest.hexdigest()} python {sys.version_info.major}.{sys.version_info.minor}\n"


def is_current(root: Path) -> bool:
    """Whether the environment is there, runs, and was made of what is wanted now."""
    stamp = root / ".venv" / STAMP
    return stamp.exists() and stamp.read_text() == wanted_stamp(root) and _runs(root / ".venv/bin/python")


def make(root: Path) -> None:
    """Makes or updates the environment. Raises VenvError."""
    if is_current(root):
        say("the virtual environment is up to date")
        return
    folder = root / ".venv"
    python = str(folder / "bin/python")
    if not _runs(Path(python)) or _version(python) != sys.version_info[:2]:
        say("making the virtual environment")
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], "make a virtual environment")
    (folder / STAMP).unlink(missing_ok=True)
    uv = _get_uv(root, python)
    say(f"installing what requirements-dev.lock names ({'uv' if uv else 'pip'})")
    if uv:
        locked = ["requirements-dev.lock", "tools/uv.lock.txt"]
        own = ["--quiet", "--python", python]
        _run([uv, "pip", "sync", *own, "--require-hashes", *locked], "install requirements-dev.lock", root)
        _run([uv, "pip", "install", *own, "--no-deps", "-e", "."], "install the project", root)
    else:
        pip = [python, "-m", "pip", "--quiet", "install"]
        _run([*pip, "--require-hashes", "-r", "requirements-dev.lock"], "install requirements-dev.lock", root)
        _run([*pip, "--no-deps", "-e", "."], "install the project", root)
    (folder / STAMP).write_text(wanted_stamp(root))
    say("the virtual environment is ready")


def _get_uv(root: Path, python: str) -> str | None:
    """The pinned uv inside the environment; None where no wheel of it fits this machine."""
    order = [python, "-m", "pip", "--quiet", "install", "--require-hashes", "-r", "tools/uv.lock.txt"]
    done = subprocess.run(order, cwd=root, env=_environment(), capture_output=True, text=True)
    if done.returncode != 0:
        say(f"uv cannot be had, pip does its work: {done.stderr.strip()[-300:]}")
        return None
    return str(root / ".venv/bin/uv")


def _environment() -> dict[str, str]:
    """The environment of installers: the machine's own certificate authorities count, also for uv."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    environment.pop("VIRTUAL_ENV", None)
    if HOST_BUNDLE.exists():
        environment.setdefault("SSL_CERT_FILE", str(HOST_BUNDLE))
    else:
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    return environment


def _run(order: list[str], purpose: str, folder: Path | None = None) -> None:
    done = subprocess.run(order, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise VenvError(f"Could not {purpose}: `{' '.join(order)}` ended with exit code {done.returncode}.")


def _runs(python: Path) -> bool:
    return python.exists() and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


def _version(python: str) -> tuple[int, ...]:
    asked = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True)
    return tuple(int(part) for part in asked.stdout.split())


def remove(root: Path) -> None:
    """Removes the environment."""
    shutil.rmtree(root / ".venv", ignore_errors=True)


def say(text: str) -> None:
    """Prints one line for people, with the seconds since the start."""
    print(f"venv: {text} [{time.monotonic() - BEGAN:.1f} s]", file=sys.stderr, flush=True)


def main() -> int:
    """The exit code: 0, or 1 when the environment cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--remove", action="store_true", help="remove the environment instead")
    given = parser.parse_args()
    try:
        if given.remove:
            remove(ROOT)
        else:
            make(ROOT)
    except VenvError as error:
        print(f"venv: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
