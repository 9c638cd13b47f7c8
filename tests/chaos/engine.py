"""The Docker engine of the suite: one of its own, which it may restart and kill, or the one that everybody uses."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from draftsman.cli.tools import build_settings
from draftsman.embedded.server import launcher
from draftsman.settings import load
from orchestrator import engine as docker
from orchestrator.helper import Helper
from tests.chaos.server import children_of
from tools.engine_address import SYSTEM_SOCKET, candidates, engine_answers, first_answering
from tools.engine_daemon import places

START_SECONDS = 90.0
STOP_SECONDS = 40.0
BASE = "python:3.13-slim"
READY = "draftsman-chaos/python:3.13-slim"
"""What the jobs of the load are built on."""
_DOCKERFILE = f"""FROM {BASE}
RUN command -v git || (apt-get update && apt-get install -y --no-install-recommends git ca-certificates)
"""
"""It has what a runner layer would fetch: an engine in a network namespace of its own reaches no package mirror."""


class EngineAbsentError(Exception):
    """No engine of our own can be had here; the sentence says why."""


class Engine:
    """An engine that answers at a Unix socket. The suite leaves one that is not its own alone."""

    is_own = False

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    async def docker(self, *arguments: str) -> str:
        """Return what `docker ARGUMENTS` printed, whether it succeeded or not."""
        process = await asyncio.create_subprocess_exec(
            *("docker", *arguments),
            env=os.environ | {"DOCKER_HOST": f"unix://{self.socket}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        return output.decode()


async def shared_engine() -> Engine:
    """Return the engine that everybody uses, with the image of the load. Raises EngineAbsentError."""
    address = first_answering(candidates(os.environ, Path.home()), engine_answers) or ""
    if not address.startswith("unix://"):
        raise EngineAbsentError(f"no Docker engine answers at a Unix socket ({address or SYSTEM_SOCKET})")
    await _shell(f"docker -H {address} build --quiet --tag {READY} -", _DOCKERFILE)
    return Engine(Path(address.removeprefix("unix://")))


@dataclass(frozen=True, slots=True)
class Apart:
    """What makes an engine take itself for a machine of its own: a host name, and a path that others have, too.

    Its folder is seen at `folder` by the engine and its containers alone, with the socket in it: what is told the same
    to several engines can name one socket.
    """

    hostname: str
    folder: Path

    def command(self, folder: Path) -> tuple[str, ...]:
        """Return the beginning of a command line that is to see it so."""
        order = 'hostname "$1" && mount --bind "$2" "$3" && shift 3 && exec "$@"'
        return ("unshare", "--uts", "--mount", "sh", "-c", order, "sh", self.hostname, str(folder), str(self.folder))


class OwnEngine(Engine):
    """A dockerd of the suite's own, in a network namespace of its own: two engines must not share firewall rules.

    Its containers end with it (there is no live-restore), as they do where a machine restarts.
    """

    is_own = True

    def __init__(
        self,
        folder: Path,
        data: Path,
        *,
        namespace: str = "",
        config: Mapping[str, object] | None = None,
        apart: Apart | None = None,
    ) -> None:
        """Make one that does not run yet. `config` is its daemon.json; a namespace that is there already is used."""
        super().__init__(folder / "docker.sock")
        self._folder = folder
        self._data = data
        self._namespace = namespace or f"chaos-{os.getpid()}"
        self._config = dict(config or {})
        self._apart = apart
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def namespace(self) -> str:
        """Return the name of its network namespace, made when it starts."""
        return self._namespace

    async def start(self) -> None:
        """Start it, and wait until it answers. Raises EngineAbsentError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "daemon.json").write_text(json.dumps(self._config) + "\n")
        if not Path(f"/run/netns/{self._namespace}").exists():
            _run("ip", "netns", "add", self._namespace)
            _run("ip", "-n", self._namespace, "link", "set", "lo", "up")
        where = places(os.environ)
        path = ":".join([*where.path_entries, os.environ.get("PATH", os.defpath)])
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # It ends with the suite, however that ends.
                launcher(self._command(), signal.SIGTERM, -1, -1),
                env=os.environ | {"PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(engine_answers, f"unix://{self.socket}"):
            if self._process.poll() is not None or time.monotonic() > until:
                raise EngineAbsentError(f"dockerd does not start: {self.said()[-500:]}")
            await asyncio.sleep(0.1)

    def _command(self) -> tuple[str, ...]:
        return (
            *(shutil.which("nsenter") or "nsenter", f"--net=/run/netns/{self._namespace}"),
            *(self._apart.command(self._folder) if self._apart else ()),
            "dockerd",
            *("--data-root", str(self._data), "--exec-root", str(self._folder / "exec")),
            *("--pidfile", str(self._folder / "pid"), "--host", f"unix://{self.socket}"),
            *("--config-file", str(self._folder / "daemon.json"), "--shutdown-timeout", "3"),
        )

    def said(self) -> str:
        """Return what it wrote so far."""
        return (self._folder / "log").read_text("utf-8", "replace")

    async def take_over(self, shared: Engine, images: Sequence[str] = (READY,)) -> None:
        """Get from the other engine these images, and what fences stand on. Raises EngineAbsentError."""
        opened = await docker.connect(f"unix://{shared.socket}")
        try:
            helper = Helper(opened, build_settings(load(os.environ)))
            await helper.ensure()
        finally:
            await opened.close()
        theirs, ours = f"docker -H unix://{shared.socket}", f"docker -H unix://{self.socket}"
        await _shell(f"{theirs} save {' '.join(images)} {helper.image} | {ours} load --quiet")

    async def stop(self) -> None:
        """Stop it as a service manager does, with its containers."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Kill it and everything that it started, as the end of a machine does."""
        await self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the engine in the midst of what it does; its containers go on."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            for pid in (self._process.pid, *children_of(self._process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        family = [process.pid, *_below(process.pid)] if number is signal.SIGKILL else [process.pid]
        shims = self._shims() if number is signal.SIGKILL else []
        for pid in (*family, *shims):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
        for pid in self._shims():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # A killed one leaves them, and the next one would refuse to start.
        for name in ("pid", "exec/containerd/containerd.pid", "docker.sock"):
            (self._folder / name).unlink(missing_ok=True)

    def _shims(self) -> list[int]:
        """Return containerd's shims, which are nobody's children, and what runs below them: all of this engine."""
        found = []
        mark = str(self._folder / "exec" / "containerd").encode()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with suppress(OSError):
                    if mark in (folder / "cmdline").read_bytes():
                        found.append(int(folder.name))
        return [pid for shim in found for pid in (*_below(shim), shim)]

    async def remove(self) -> None:
        """Stop it for good, and remove its namespace and what it mounted."""
        await self.stop()
        subprocess.run(("ip", "netns", "del", self._namespace), capture_output=True)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        inside = (one for one in mounts if Path(one).is_relative_to(self._folder) and Path(one) != self._data)
        for mount in sorted(inside, reverse=True):
            subprocess.run(("umount", "-l", mount), capture_output=True)


async def _shell(command: str, text: str = "") -> None:
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate(text.encode())
    if process.returncode != 0:
        raise EngineAbsentError(f"the images cannot be taken over: {said.decode()[-300:]}")


def _below(pid: int) -> list[int]:
    return [one for child in children_of(pid) for one in (*_below(child), child)]


def _run(*command: str) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise EngineAbsentError("an engine of our own needs a Linux root")
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise EngineAbsentError(f"{command[0]} is not there") from error
    if done.returncode != 0:
        raise EngineAbsentError(f"{' '.join(command[:3])}: {done.stderr.strip()[-300:]}")
