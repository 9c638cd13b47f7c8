"""The composed services as a person handles them: in a clone of the repository, by lines of the README."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from draftsman.cli import env_file
from tests.github import GitHubStandIn
from tests.screen import Screen
from tests.smoke.machine import Machine

ROOT = Path(__file__).parents[2]
SERVICES = ("api", "worker", "redis", "postgres")
HEALTHY_SECONDS = 180.0
_LINE_SECONDS = 900.0


class SmokeError(Exception):
    """Something is not as a person may expect; the text says what."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service as `docker compose ps` shows it. `health` is empty where it has no check."""

    name: str
    state: str
    health: str
    container: str


class Stack:
    """The services of one clone. `folder` is where a person stands who types."""

    def __init__(self, folder: Path, machine: Machine, screen: Screen, *, project: str, port: int) -> None:
        self.folder = folder
        self.machine = machine
        self.screen = screen
        self.port = port
        self.environment = {**machine.environment, "COMPOSE_PROJECT_NAME": project, "NO_COLOR": "1"}

    @property
    def address(self) -> str:
        """Return where its API is reached from here."""
        return f"http://{self.machine.api_host}:{self.port}"

    async def type(self, line: str) -> str:
        """Run a line as a person types it, in the clone. Raises SmokeError with what it said where it fails."""
        self.screen.say(f"$ {line}")
        output = await self.run(line)
        if line == "docker compose ps":
            # Not all columns: the page that shows this is narrower.
            rows = await self.run('docker compose ps --format "table {{.Service}}\\t{{.Image}}\\t{{.Status}}"')
            print("".join(f"          {row}\n" for row in rows.splitlines()), end="", flush=True)
        return output

    async def run(self, line: str) -> str:
        """Run a line without showing it."""
        process = await asyncio.create_subprocess_exec(
            *(shutil.which("bash") or "bash", "-c", line),
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_LINE_SECONDS):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            raise SmokeError(f"`{line}` did not end within {_LINE_SECONDS:.0f} s") from None
        text = output.decode("utf-8", "replace")
        if process.returncode != 0:
            raise SmokeError(f"`{line}` ended with {process.returncode}:\n{text[-4000:]}")
        return text

    def fill_in(self, github: GitHubStandIn, more: Mapping[str, str]) -> None:
        """Fill in the GitHub App in `.env` and its key beside it, by what `draftsman setup` writes them with."""
        key = self.folder / "private-key.pem"
        env_file.create(key, github.app.private_key_pem)
        path = self.folder / ".env"
        values = {
            "GITHUB_APP_ID": str(github.app.id),
            "GITHUB_PRIVATE_KEY_FILE": f"./{key.name}",
            "GITHUB_WEBHOOK_SECRET": github.app.webhook_secret,
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
            "DRAFTSMAN_PORT": str(self.port),
            "DRAFTSMAN_PUBLIC_URL": self.address,
            **more,
        }
        env_file.write(path, env_file.changed(env_file.read(path), values))

    async def services(self) -> dict[str, Service]:
        """Return the services that have a container, by name."""
        said = await self.run("docker compose ps --all --format json")
        rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return {row["Service"]: Service(row["Service"], row["State"], row["Health"], row["Name"]) for row in rows}

    async def until_healthy(self, names: Collection[str] = SERVICES, *, within: float = HEALTHY_SECONDS) -> None:
        """Wait until these services run and are healthy. Raises SmokeError with their logs where they do not."""
        begin = time.monotonic()
        while time.monotonic() - begin < within:
            there = await self.services()
            if all(name in there and there[name].health == "healthy" for name in names):
                self.screen.say(f"{', '.join(names)}: healthy after {time.monotonic() - begin:.1f} s")
                return
            await asyncio.sleep(0.5)
        states = ", ".join(f"{one.name} {one.state} {one.health}" for one in (await self.services()).values())
        raise SmokeError(f"not healthy within {within:.0f} s: {states}\n{await self.log()}")

    async def log(self, lines: int = 60) -> str:
        """Return the end of what the services said."""
        return await self.run(f"docker compose logs --no-color --tail {lines}")

    async def draftsman(self, arguments: str) -> str:
        """Run `draftsman ARGUMENTS` in the API's container, as the README says."""
        return await self.run(f"docker compose exec -T api draftsman {arguments}")
