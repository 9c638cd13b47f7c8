"""The machine that Draftsman is composed on: one that may be cut off and switched off, or the one that is there.

The first is an engine of its own in a network namespace of its own, with one cable to the world (a veth pair, and
address translation as for any container): Linux as root. Nothing is done to the engine that everybody uses.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos.engine import Engine, OwnEngine, shared_engine

_CABLE = "dfsmoke"


class MachineError(Exception):
    """The machine cannot be had, or does not do what it is told; the sentence says why."""


class Machine:
    """Where the services run. `github_host` is the name by which they reach this process, `api_host` the way back."""

    may_be_cut = False

    def __init__(self, engine: Engine, *, github_host: str, api_host: str) -> None:
        self.engine = engine
        self.github_host = github_host
        self.api_host = api_host

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which `docker` and `docker compose` mean this machine."""
        return {**os.environ, "DOCKER_HOST": f"unix://{self.engine.socket}", "DOCKER_SOCKET": str(self.engine.socket)}

    async def kill(self, container: str) -> None:
        """End the main process of a container as a crash does; `docker kill` would count as a person's stop."""
        pid = (await self.engine.docker("inspect", "--format", "{{.State.Pid}}", container)).strip()
        if not pid.isdigit() or pid == "0":
            raise MachineError(f"{container} does not run")
        await self.engine.docker(
            *("run", "--rm", "--pid", "host", "--privileged", "--entrypoint", "sh", "redis:7-alpine"),
            *("-c", f"kill -9 {pid}"),
        )

    async def cut(self) -> None:
        """Cut it off from the world: GitHub, the registries, everything."""
        raise MachineError("nobody cuts off a machine that others use")

    async def mend(self) -> None:
        """Connect it again."""

    async def reboot(self) -> None:
        """Take its power away, and start its engine as an operating system does after that."""
        raise MachineError("nobody switches off a machine that others use")


class MachineByHand(Machine):
    """The machine that is there, cut off and started again by whoever sits before it."""

    may_be_cut = True

    async def cut(self) -> None:
        """Have the person cut it off from the internet; the stand-in of GitHub, on this machine, stays."""
        await _ask("Switch the network off (Wi-Fi, cable)")

    async def mend(self) -> None:
        """Have the person connect it again."""
        await _ask("Switch the network on again")

    async def reboot(self) -> None:
        """Have the person restart the engine."""
        await _ask("Restart the Docker engine (Docker Desktop: Restart; Linux: systemctl restart docker)")


async def _ask(what: str) -> None:
    print(f"\n>> {what}, then press Enter.", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


class OwnMachine(Machine):
    """A machine of the smoke test's own."""

    may_be_cut = True

    def __init__(self, engine: OwnEngine, cable: Cable) -> None:
        super().__init__(engine, github_host=cable.outside, api_host=cable.inside)
        self._own = engine
        self._cable = cable

    async def cut(self) -> None:
        """Cut it off from the world: GitHub, the registries, everything."""
        self._cable.pull()

    async def mend(self) -> None:
        """Connect it again."""
        self._cable.plug()

    async def reboot(self) -> None:
        """Take its power away, and start its engine as an operating system does after that."""
        await self._own.kill()
        await self._own.start()


class Cable:
    """A veth pair between this network namespace and the engine's, with its address translation."""

    def __init__(self, namespace: str, number: int) -> None:
        self._namespace = namespace
        self._net = f"10.98.{number}"
        self._name = f"{_CABLE}{number}"
        self.outside, self.inside = f"{self._net}.1", f"{self._net}.2"

    def lay(self) -> None:
        """Connect the namespace to the world. Raises MachineError."""
        peer = f"{self._name}p"
        _run("ip", "link", "add", self._name, "type", "veth", "peer", "name", peer, "netns", self._namespace)
        _run("ip", "addr", "add", f"{self.outside}/24", "dev", self._name)
        inside = ("ip", "-n", self._namespace)
        _run(*inside, "addr", "add", f"{self.inside}/24", "dev", peer)
        _run(*inside, "link", "set", peer, "up")
        self.plug()
        _run(*inside, "route", "add", "default", "via", self.outside)
        for rule in self._rules():
            _run("iptables", "-w", *rule[:2], "-I", *rule[2:])

    def _rules(self) -> Sequence[tuple[str, ...]]:
        # Docker's own chains drop what is forwarded and is none of theirs.
        net = f"{self._net}.0/24"
        return (
            ("-t", "nat", "POSTROUTING", "-s", net, "!", "-o", self._name, "-j", "MASQUERADE"),
            ("-t", "filter", "FORWARD", "-s", net, "-j", "ACCEPT"),
            ("-t", "filter", "FORWARD", "-d", net, "-j", "ACCEPT"),
        )

    def pull(self) -> None:
        """Let nothing through any more."""
        _run("ip", "link", "set", self._name, "down")

    def plug(self) -> None:
        """Let everything through."""
        _run("ip", "link", "set", self._name, "up")

    def remove(self) -> None:
        """Remove it with its rules, as far as they are there."""
        subprocess.run(("ip", "link", "del", self._name), capture_output=True)
        for rule in self._rules():
            subprocess.run(("iptables", "-w", *rule[:2], "-D", *rule[2:]), capture_output=True)


@asynccontextmanager
async def own_machine(folder: Path, images: Sequence[str]) -> AsyncIterator[OwnMachine]:
    """Yield a machine of our own with these images of the shared engine. Raises EngineAbsentError, MachineError."""
    shared = await shared_engine()
    engine = OwnEngine(folder / "engine", folder / "engine-data")
    cable = Cable(engine.namespace, os.getpid() % 250 + 1)
    try:
        await engine.start()
        cable.lay()
        pipe = f"docker -H unix://{shared.socket} save {' '.join(images)} | docker -H unix://{engine.socket} load -q"
        process = await asyncio.create_subprocess_shell(pipe, stdout=asyncio.subprocess.DEVNULL)
        if await process.wait() != 0:
            raise MachineError(f"{', '.join(images)} cannot be taken over from the engine at {shared.socket}")
        yield OwnMachine(engine, cable)
    finally:
        cable.remove()
        await engine.remove()


@asynccontextmanager
async def this_machine(*, by_hand: bool) -> AsyncIterator[Machine]:
    """Yield the machine that is there, `by_hand` with a person before it. Raises EngineAbsentError."""
    engine = await shared_engine()
    gateway = "{{range .IPAM.Config}}{{.Gateway}}{{end}}"
    is_here = Path("/sys/class/net/docker0").exists()
    host = (await engine.docker("network", "inspect", "bridge", "--format", gateway)).strip() if is_here else ""
    kind = MachineByHand if by_hand else Machine
    yield kind(engine, github_host=host or "host.docker.internal", api_host="127.0.0.1")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise MachineError(f"`{' '.join(command)}`: {done.stderr.strip()}")
