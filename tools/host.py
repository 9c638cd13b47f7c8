#!/usr/bin/env python3
"""Programs that the set-up needs of this machine: installed on Debian as root, named elsewhere."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

# The folder of a script comes first in sys.path, and `venv.py` there would hide the standard library's.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tools import apt  # noqa: E402

PROGRAMS = ("git", "tar", "xz")


@dataclass(frozen=True)
class Need:
    """Something that this machine lacks, and the Debian packages that bring it."""

    name: str
    packages: tuple[str, ...]


def missing_needs() -> list[Need]:
    """What of the set-up's needs this machine lacks."""
    packages = {"xz": "xz-utils"}
    needs = [Need(program, (packages.get(program, program),)) for program in PROGRAMS if shutil.which(program) is None]
    # Debian's python3 comes without what `python3 -m venv` puts into a new environment.
    if importlib.util.find_spec("ensurepip") is None:
        needs.append(Need("python3 -m venv", (f"python3.{sys.version_info.minor}-venv",)))
    if apt.debian_codename() and not Path("/etc/ssl/certs/ca-certificates.crt").exists():
        needs.append(Need("certificate authorities", ("ca-certificates",)))
    return needs


def ensure() -> None:
    """Installs what is missing. Raises AptError, also when it is not ours to install it here."""
    needs = missing_needs()
    if not needs:
        return
    if not apt.is_debian_root():
        names = ", ".join(need.name for need in needs)
        raise apt.AptError(f"This machine lacks {names}: install that, then try again.")
    apt.install([package for need in needs for package in need.packages], say)


def say(text: str) -> None:
    """Prints one line for people."""
    print(f"host: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """The exit code: 0, or 1 when something is missing and cannot be installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ensure", help="install what is missing")
    commands.add_parser("status", help="say what is missing")
    try:
        if parser.parse_args().command == "ensure":
            ensure()
        else:
            print("\n".join(f"missing: {need.name}" for need in missing_needs()) or "nothing is missing")
    except apt.AptError as error:
        print(f"host: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
