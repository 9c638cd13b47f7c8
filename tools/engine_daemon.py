"""The engine of our own: its files, its processes, its start and its stop.

The engine lives in one folder (programs, images, log) and in one folder under /run (sockets, pid files),
which a reboot empties. It is started detached, with its output in a file: a pipe that it held open would
keep whatever started us waiting for ever.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools import apt
from tools.engine_address import SYSTEM_SOCKET, engine_answers

# Debian 12's own engine (20.10) knows no heredocs in Dockerfiles; trixie's programs run on it as they are.
SUITE = "trixie"
UNPACKED = ("docker.io", "containerd", "docker-cli", "docker-buildx", "docker-compose", "tini")
# From the machine's own suite: trixie's runc needs a newer C library than Debian 12 has.
INSTALLED = ("runc", "iptables", "iproute2", "ca-certificates", "xz-utils")
PLUGIN_FOLDER = Path("/usr/local/lib/docker/cli-plugins")
PLUGINS = ("docker-buildx", "docker-compose")
START_SECONDS = 90.0
STOP_SECONDS = 30.0


class EngineError(Exception):
    """The engine cannot be had; the text says why and what to do."""


@dataclass(frozen=True)
class EnginePlaces:
    """Where an engine of ours keeps what it needs."""

    home: Path
    state: Path = Path("/run/draftsman-engine")

    @property
    def programs(self) -> Path:
        return self.home / "root"

    @property
    def log(self) -> Path:
        return self.home / "dockerd.log"

    @property
    def pid_file(self) -> Path:
        return self.state / "dockerd.pid"

    @property
    def containerd_pid_file(self) -> Path:
        return self.state / "exec" / "containerd" / "containerd.pid"

    @property
    def path_entries(self) -> tuple[str, str]:
        return str(self.programs / "usr/bin"), str(self.programs / "usr/sbin")


def places(environment: Mapping[str, str]) -> EnginePlaces:
    """The folders of our engine; DRAFTSMAN_ENGINE_HOME moves the large one."""
    return EnginePlaces(Path(environment.get("DRAFTSMAN_ENGINE_HOME") or "/var/lib/draftsman/engine").absolute())


def is_unpacked(where: EnginePlaces) -> bool:
    """Whether the engine's programs are all there (the mark is written last)."""
    return (where.home / "unpacked").exists() and (where.programs / "usr/sbin/dockerd").exists()


def unpack_programs(where: EnginePlaces, say: apt.Say) -> None:
    """Gets the engine's and the client's programs, unless they are there. Raises AptError."""
    if is_unpacked(where):
        return
    where.home.mkdir(parents=True, exist_ok=True)
    apt.unpack_from_suite(UNPACKED, SUITE, where.home / "download", where.programs, say)
    (where.home / "unpacked").touch()


def install_companions(say: apt.Say) -> None:
    """Installs what the engine needs beside its own programs. Raises AptError."""
    apt.install(INSTALLED, say)


def link_plugins(where: EnginePlaces, docker: str, say: apt.Say) -> None:
    """Makes `docker buildx` and `docker compose` work for everybody, where the client finds none."""
    for plugin in PLUGINS:
        name = plugin.removeprefix("docker-")
        if subprocess.run([docker, name, "version"], capture_output=True).returncode == 0:
            continue
        PLUGIN_FOLDER.mkdir(parents=True, exist_ok=True)
        link = PLUGIN_FOLDER / plugin
        link.unlink(missing_ok=True)
        link.symlink_to(where.programs / "usr/libexec/docker/cli-plugins" / plugin)
        say(f"linked {link}")


def running_pid(pid_file: Path, program: str) -> int | None:
    """The process that a pid file names, if it lives and is that program: numbers are used again."""
    try:
        pid = int(pid_file.read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if Path(os.fsdecode(arguments[0])).name == program else None


def start(where: EnginePlaces, say: apt.Say) -> str:
    """Starts the engine and returns its address once it answers. Raises EngineError with the end of its log."""
    _clear_leftovers(where, say)
    where.state.mkdir(parents=True, exist_ok=True)
    order = [
        "dockerd",
        *("--data-root", str(where.home / "data"), "--exec-root", str(where.state / "exec")),
        *("--pidfile", str(where.pid_file), "--host", SYSTEM_SOCKET),
        # Nobody else's settings: /etc/docker/daemon.json belongs to an engine that is not ours.
        *("--config-file", str(where.home / "daemon.json")),
    ]
    (where.home / "daemon.json").write_text("{}\n")
    environment = {**os.environ, "PATH": ":".join([*where.path_entries, os.environ.get("PATH", os.defpath)])}
    began = where.log.stat().st_size if where.log.exists() else 0
    say(f"starting the engine, its log is {where.log}")
    with where.log.open("ab") as log:
        daemon = subprocess.Popen(
            order,
            executable=str(where.programs / "usr/sbin/dockerd"),
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if engine_answers(SYSTEM_SOCKET):
            return SYSTEM_SOCKET
        if daemon.poll() is not None:
            raise EngineError(
                f"The engine ended with exit code {daemon.returncode} before it answered. The end of its log "
                f"({where.log}):\n{_tail(where.log, began)}"
            )
        time.sleep(0.1)
    _end(daemon.pid)
    raise EngineError(
        f"The engine did not answer within {START_SECONDS:.0f} s. The end of its log ({where.log}):\n"
        f"{_tail(where.log, began)}"
    )


def stop(where: EnginePlaces, say: apt.Say) -> bool:
    """Stops our engine with its containers; False when none of ours runs."""
    pid = running_pid(where.pid_file, "dockerd")
    if pid is None:
        return False
    say(f"stopping the engine (process {pid})")
    _end(pid)
    _clear_leftovers(where, say)
    return True


def remove(where: EnginePlaces) -> None:
    """Removes programs, images and log of our engine, which must be stopped."""
    for plugin in PLUGINS:
        link = PLUGIN_FOLDER / plugin
        if link.is_symlink() and link.readlink().is_relative_to(where.home):
            link.unlink()
    for mount in sorted(_mounts_below(where.home, where.state), reverse=True):
        subprocess.run(["umount", "-l", mount], capture_output=True)
    shutil.rmtree(where.home, ignore_errors=True)
    shutil.rmtree(where.state, ignore_errors=True)


def _mounts_below(*folders: Path) -> list[str]:
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [mount for mount in mounted if any(Path(mount).is_relative_to(folder) for folder in folders)]


def _clear_leftovers(where: EnginePlaces, say: apt.Say) -> None:
    """Ends what a killed engine left: its containerd, and pid files that would stop the next start."""
    for pid_file, program in ((where.pid_file, "dockerd"), (where.containerd_pid_file, "containerd")):
        pid = running_pid(pid_file, program)
        if pid is not None:
            say(f"ending a {program} that was left behind (process {pid})")
            _end(pid)
        pid_file.unlink(missing_ok=True)


def _end(pid: int) -> None:
    """Ends a process, politely first, and returns when it is gone."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if _is_gone(pid):
                return
            time.sleep(0.05)


def _is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def _tail(log: Path, began: int, lines: int = 25) -> str:
    with log.open("rb") as file:
        file.seek(began)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
