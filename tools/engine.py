#!/usr/bin/env python3
"""A Docker engine for `make demo` and `make test`: the one that answers, else, on Debian as root, one of our own.

Needs nothing but Python's standard library, so that it runs before there is a virtual environment.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The folder of a script comes first in sys.path, and `venv.py` there would hide the standard library's.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tools import apt, engine_daemon  # noqa: E402
from tools.engine_address import SYSTEM_SOCKET, candidates, engine_answers, first_answering  # noqa: E402

LOCK = Path("/run/draftsman-engine.lock")


def say(text: str) -> None:
    """Prints one line for people, with the seconds since the start."""
    print(f"engine: {text} [{time.monotonic() - BEGAN:.1f} s]", file=sys.stderr, flush=True)


BEGAN = time.monotonic()


def answering_address() -> str | None:
    """The address of an engine that answers now."""
    return first_answering(candidates(os.environ, Path.home()), engine_answers)


def up() -> str:
    """The address of an engine, started if there was none. Raises EngineError or AptError."""
    address = answering_address()
    if address is None and os.environ.get("DOCKER_HOST") not in (None, "", SYSTEM_SOCKET):
        raise engine_daemon.EngineError(
            f"DOCKER_HOST is {os.environ['DOCKER_HOST']}, where no engine answers: start it, or unset DOCKER_HOST."
        )
    if address is not None and (_has_client() or not apt.is_debian_root()):
        say(f"an engine answers at {address}")
        return address
    if not apt.is_debian_root():
        raise engine_daemon.EngineError(_what_to_install())
    with _only_one():
        where = engine_daemon.places(os.environ)
        address = answering_address()
        engine_daemon.unpack_programs(where, say)
        engine_daemon.link_plugins(where, shutil.which("docker", path=_client_path()) or "docker", say)
        if address is None:
            engine_daemon.install_companions(say)
            address = engine_daemon.start(where, say)
        say(f"an engine answers at {address}")
        return address


def down() -> bool:
    """Stops the engine that `up` started; False when there is none."""
    if not apt.is_debian_root():
        return False
    with _only_one():
        return engine_daemon.stop(engine_daemon.places(os.environ), say)


def remove() -> None:
    """Stops the engine that `up` started and removes its programs and images."""
    if not apt.is_debian_root():
        return
    with _only_one():
        where = engine_daemon.places(os.environ)
        engine_daemon.stop(where, say)
        engine_daemon.remove(where)


def status() -> int:
    """Prints which engine answers; 0 when one does."""
    address = answering_address()
    if address is None:
        print("no engine answers")
        return 1
    pid = engine_daemon.running_pid(engine_daemon.places(os.environ).pid_file, "dockerd")
    print(f"{address}, " + (f"ours (process {pid})" if pid is not None else "not started by us"))
    return 0


def environment_lines() -> str:
    """Shell lines that make `docker` and the engine's address known to what runs after them."""
    lines = []
    address = answering_address()
    if address is not None:
        lines.append(f"export DOCKER_HOST={shlex.quote(address)}")
    if not shutil.which("docker"):
        lines.append(f"export PATH={shlex.quote(_client_path())}")
    return "\n".join(lines)


def _client_path() -> str:
    """PATH with our own client behind those that the machine has."""
    return ":".join([os.environ.get("PATH", os.defpath), *engine_daemon.places(os.environ).path_entries])


def _has_client() -> bool:
    """Whether there is a `docker` command that can build with BuildKit."""
    docker = shutil.which("docker", path=_client_path())
    if docker is None:
        return False
    return subprocess.run([docker, "buildx", "version"], capture_output=True).returncode == 0


def _what_to_install() -> str:
    if sys.platform == "darwin":
        return "No Docker engine answers: install and start Docker Desktop (or colima), then try again."
    if apt.debian_codename():
        return "No Docker engine answers: start one, or run this as root, which gets and starts one."
    return "No Docker engine answers: install Docker Engine for this system, start it, then try again."


@contextmanager
def _only_one() -> Iterator[None]:
    """One engine set-up at a time on this machine."""
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of the engine")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """The exit code: 0, or 1 when there is no engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="find or start an engine; the last line is its DOCKER_HOST")
    commands.add_parser("down", help="stop the engine that `up` started")
    commands.add_parser("remove", help="stop the engine that `up` started, remove its programs and images")
    commands.add_parser("status", help="say which engine answers")
    commands.add_parser("env", help='print shell lines for DOCKER_HOST and PATH: eval "$(tools/engine.py env)"')
    command = parser.parse_args().command
    try:
        if command == "up":
            print(up())
        elif command == "down":
            say("stopped" if down() else "no engine of ours runs")
        elif command == "remove":
            remove()
        elif command == "status":
            return status()
        else:
            print(environment_lines())
    except (apt.AptError, engine_daemon.EngineError) as error:
        print(f"engine: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
