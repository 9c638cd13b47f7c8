"""A swarm of the tests' hosts, with the repository's own stack deployed on it as docs/swarm.md says.

The GitHub stand-in is on our end of the wires. The overlay networks are encrypted where the kernel can do that.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.chaos.engine import READY, shared_engine
from tests.github import CheckRun, GitHubStandIn
from tests.images.engine_client import find_client
from tests.images.ensure import ensure
from tests.machines.hosts import Host, Hosts, hosts

ROOT = Path(__file__).parents[2]
STACK = ROOT / "docker-stack.yml"
NAME = "draftsman"
SERVICES = ("redis:7-alpine", "postgres:16-alpine")
BASES = ("python:3.13.9-slim-trixie", *SERVICES)
ENCRYPTED = '    driver_opts: { encrypted: "true" }\n'
UP_SECONDS = 240.0

SETTINGS = {
    "DRAFTSMAN_ALLOW": "*",
    "DRAFTSMAN_CONCURRENCY": "2",
    "DRAFTSMAN_CONCURRENCY_PER_REPOSITORY": "4",
    "DRAFTSMAN_JOB_CPUS": "1",
    "DRAFTSMAN_JOB_MEMORY_MB": "256",
    "DRAFTSMAN_DISK_FREE_MB": "64",
    "DRAFTSMAN_RECOVERY_SECONDS": "5",
    # Minutes in life: a test wants to see both ends of them.
    "DRAFTSMAN_HAND_OVER_SECONDS": "40",
    "DRAFTSMAN_CREATIONS_A_MINUTE": "100000",
    "DRAFTSMAN_POINTS_A_MINUTE": "1000000",
}
LEAVE_SECONDS = 55


class SwarmError(Exception):
    """Something of the swarm is not as it must be; the text says what."""


@dataclass
class Swarm:
    """The stack, up. `manager` is the host with the data; `settings` are those of the stack file's variables."""

    hosts: Hosts
    github: GitHubStandIn
    folder: Path
    token: str
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def manager(self) -> Host:
        """Return the host that manages the swarm and has the database."""
        return self.hosts.members[0]

    @property
    def other(self) -> Host:
        """Return the host that has a worker alone."""
        return self.hosts.members[1]

    @property
    def address(self) -> str:
        """Return where the API answers."""
        return f"http://{self.manager.address}:3000"

    async def deploy(self, image: str) -> None:
        """Say `docker stack deploy` with this image of ours, and wait until all of it is up."""
        self.settings |= {"DRAFTSMAN_IMAGE": image, "DOCKER_SOCKET": str(self.hosts.socket)}
        process = await asyncio.create_subprocess_exec(
            *("docker", "stack", "deploy", "--detach=true", "--compose-file", "docker-stack.yml", NAME),
            cwd=self.folder,
            env=os.environ | self.settings | {"DOCKER_HOST": self.manager.docker_host},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode != 0:
            raise SwarmError(said.decode())
        await self.until(f"the stack with {image}", lambda: self.is_up(image), seconds=UP_SECONDS)

    async def is_up(self, image: str) -> bool:
        """Return whether every task that should run runs, ours with this image, and nothing is being updated."""
        listed = await ok(self.manager, "stack", "ps", NAME, "--filter", "desired-state=running", "--format", _TASKS)
        tasks = [line.split("|") for line in listed.splitlines()]
        if any(not state.startswith("Running") for _, _, _, state in tasks):
            return False
        running = {(name.partition(".")[0].removeprefix(f"{NAME}_"), node) for name, _, node, _ in tasks}
        wanted = {(name, "host-1") for name in ("api", "redis", "postgres", "backup", "worker")} | {
            ("worker", host) for host in await self.active()
        }
        are_new = all(f"{image}@" in f"{used}@" for name, used, _, _ in tasks if "_api" in name or "_worker" in name)
        return running == wanted and are_new and not await self._is_updating()

    async def _is_updating(self) -> bool:
        for service in ("api", "worker"):
            state = await ok(
                self.manager,
                *("service", "inspect", f"{NAME}_{service}", "--format"),
                "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}",
            )
            if state not in ("", "completed"):
                return True
        return False

    async def active(self) -> list[str]:
        """Return the names of the nodes that take tasks."""
        listed = await ok(self.manager, "node", "ls", "--format", "{{.Hostname}} {{.Availability}}")
        return [line.split()[0] for line in listed.splitlines() if line.endswith("Active")]

    async def container(self, host: Host, service: str) -> str:
        """Return the container of a service on a host. Raises SwarmError where none runs."""
        found = await ok(host, "ps", "--quiet", "--filter", f"name={NAME}_{service}.", "--filter", "status=running")
        if not found:
            raise SwarmError(f"{service} does not run on {host.address}")
        return found.splitlines()[0]

    async def draftsman(self, host: Host, service: str, *arguments: str) -> str:
        """Return what `draftsman ARGUMENTS` prints, said in the container of a service on a host."""
        return await ok(host, "exec", await self.container(host, service), "draftsman", *arguments)

    async def rest(self, method: str, path: str) -> tuple[int, str]:
        """Ask the REST API; return status and text."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.address}/api/v1/{path}") as response,
        ):
            return response.status, await response.text()

    async def rows(self, query: str) -> list[list[str]]:
        """Return what the query finds, as text."""
        postgres = await self.container(self.manager, "postgres")
        said = await ok(self.manager, "exec", postgres, *_PSQL, query)
        return [line.split("|") for line in said.splitlines() if line]

    async def until(self, what: str, is_so: Callable[[], Awaitable[Any]], *, seconds: float = 120) -> Any:
        """Return what the condition returns, once that is true. Raises SwarmError with what is seen instead."""
        deadline = time.monotonic() + seconds
        while True:
            if found := await is_so():
                return found
            if time.monotonic() > deadline:
                raise SwarmError(f"{what} did not come to be within {seconds:.0f} s\n{await self.seen()}")
            await asyncio.sleep(0.5)

    async def seen(self) -> str:
        """Return what the swarm, the services' logs and GitHub show, for people who ask why."""
        _, tasks = await self.manager.docker("stack", "ps", "--no-trunc", NAME)
        logs = [
            (await self.manager.docker("service", "logs", "--tail", "40", f"{NAME}_{service}"))[1]
            for service in ("migrate", "api", "worker")
        ]
        return "\n".join([tasks, *logs, self.github.render_check_runs()])

    def shown(self, sha: str) -> dict[str, CheckRun]:
        """Return the check runs of a commit by name, of several of one name the newest."""
        return {run.name: run for run in sorted(self.github.check_runs(sha), key=lambda run: run.id)}

    async def ended(self, *shas: str, seconds: float = 240) -> list[str]:
        """Wait until both check runs of each commit are completed; return their conclusions in order."""

        async def is_so() -> list[str]:
            runs = [list(self.shown(sha).values()) for sha in shas]
            if any(len(one) < 2 or any(run.status != "completed" for run in one) for one in runs):
                return []
            return [str(run.conclusion) for one in runs for run in one]

        found: list[str] = await self.until(f"the end of {len(shas)} commits", is_so, seconds=seconds)
        return found


_TASKS = "{{.Name}}|{{.Image}}|{{.Node}}|{{.CurrentState}}"
_PSQL = ("psql", "--username", "draftsman", "--dbname", "draftsman", "--no-align", "--tuples-only", "--command")


async def ok(host: Host, *arguments: str) -> str:
    """Return what `docker ARGUMENTS` printed. Raises SwarmError where it fails."""
    code, said = await host.docker(*arguments)
    if code != 0:
        raise SwarmError(f"`docker {' '.join(arguments[:4])}` on {host.address}: {said}")
    return said


@asynccontextmanager
async def deployed(folder: Path) -> AsyncIterator[tuple[Swarm, str]]:
    """Yield the swarm with the stack on it, and the image of ours in its registry. Raises EngineAbsentError."""
    await asyncio.to_thread(ensure, find_client(), BASES, print)
    own = await _built()
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(hosts(folder, images=(READY, own, *SERVICES)))
        github = await stack.enter_async_context(GitHubStandIn.start("0.0.0.0", public_host=up.outside))
        limit = github.state.rate_limit("app")
        limit.limit = limit.remaining = 1_000_000
        swarm = Swarm(up, github, folder / "stack", secrets.token_hex(24))
        await _join(up)
        _write(swarm)
        await _keep_secrets(swarm)
        swarm.settings["DRAFTSMAN_LEAVE_SECONDS"] = str(LEAVE_SECONDS)
        image = await _pushed(swarm, own, "1")
        await swarm.deploy(image)
        github.webhook_url = f"{swarm.address}/webhooks/github"
        github.auto_deliver = True
        try:
            yield swarm, image
        finally:
            github.auto_deliver = False


async def _built() -> str:
    """Build our image on the engine that everybody uses; return its name, the same for the same content."""
    shared = await shared_engine()
    order = ("build", "--quiet", "--file", "dockerfiles/draftsman.Dockerfile", str(ROOT))
    process = await asyncio.create_subprocess_exec(
        *("docker", *order),
        cwd=ROOT,
        env=os.environ | {"DOCKER_HOST": f"unix://{shared.socket}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    if process.returncode != 0:
        raise SwarmError(complained.decode())
    name = f"draftsman-test-swarm:{said.decode().strip().removeprefix('sha256:')[:12]}"
    await shared.docker("tag", said.decode().strip(), name)
    return name


async def _join(up: Hosts) -> None:
    first, *others = up.members
    await ok(first, "swarm", "init", "--advertise-addr", first.address)
    token = await ok(first, "swarm", "join-token", "--quiet", "worker")
    for host in others:
        await ok(host, "swarm", "join", "--token", token, "--advertise-addr", host.address, f"{first.address}:2377")
    await ok(first, "node", "update", "--label-add", "draftsman.data=true", "host-1")


def _write(swarm: Swarm) -> None:
    """Lay out what `docker stack deploy` reads: the stack file, its config, `.env`."""
    (swarm.folder / "dockerfiles").mkdir(parents=True)
    shutil.copy(ROOT / "dockerfiles" / "backup.sh", swarm.folder / "dockerfiles")
    text = STACK.read_text("utf-8")
    if not encrypts(swarm.manager):
        text = text.replace(ENCRYPTED, "")
    (swarm.folder / "docker-stack.yml").write_text(text)
    github = {
        "GITHUB_APP_ID": str(swarm.github.app.id),
        "GITHUB_API_URL": swarm.github.api_url,
        "GITHUB_SERVER_URL": swarm.github.server_url,
        "DRAFTSMAN_PUBLIC_URL": swarm.address,
    }
    (swarm.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in (SETTINGS | github).items()))


def encrypts(host: Host) -> bool:
    """Return whether the kernel has what an encrypted overlay network needs, tried in the host's namespace."""
    inside = ("ip", "-n", host.engine.namespace, "xfrm", "state")
    ends = ("src", host.address, "dst", host.wires.outside, "proto", "esp", "spi", "0x1")
    cipher = ("mode", "transport", "aead", "rfc4106(gcm(aes))", f"0x{'11' * 20}", "64")
    can = subprocess.run((*inside, "add", *ends, *cipher), capture_output=True).returncode == 0
    subprocess.run((*inside, "delete", *ends), capture_output=True)
    return can


async def _keep_secrets(swarm: Swarm) -> None:
    kept = {
        "draftsman_github_private_key": swarm.github.app.private_key_pem,
        "draftsman_github_webhook_secret": swarm.github.app.webhook_secret,
        "draftsman_admin_token": swarm.token,
        "draftsman_postgres_password": secrets.token_hex(24),
    }
    for name, value in kept.items():
        file = swarm.folder / "secret"
        file.write_text(value)
        await ok(swarm.manager, "secret", "create", name, str(file))
        file.unlink()


async def _pushed(swarm: Swarm, own: str, tag: str) -> str:
    name = f"{swarm.hosts.registry.address}/draftsman:{tag}"
    await ok(swarm.manager, "tag", own, name)
    await ok(swarm.manager, "push", "--quiet", name)
    return name


async def changed(swarm: Swarm, image: str, tag: str) -> str:
    """Push an image that differs from the other one as a newer version does; return its name."""
    name = f"{swarm.hosts.registry.address}/draftsman:{tag}"
    made = await ok(swarm.manager, "create", image)
    await ok(swarm.manager, "commit", "--change", f"LABEL test.version={tag}", made, name)
    await ok(swarm.manager, "rm", made)
    await ok(swarm.manager, "push", "--quiet", name)
    return name
