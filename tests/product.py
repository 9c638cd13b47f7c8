"""Draftsman as people start it: `draftsman up` on free ports and a folder of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from draftsman.embedded import running_url
from tests.github import GitHubStandIn

_START_SECONDS = 60
PROGRAM = (sys.executable, "-m", "draftsman.cli.main")


class ProductError(Exception):
    """Draftsman did not come up. Its log is in the message."""


@dataclass(frozen=True, slots=True)
class Product:
    """A Draftsman that is up."""

    address: str
    folder: Path
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process
    program: tuple[str, ...] = PROGRAM

    @property
    def database_url(self) -> str:
        """Return the URL of its embedded Postgres."""
        url = running_url(self.folder / "data" / "postgres")
        assert url is not None
        return url

    def log(self) -> str:
        """Return what it wrote so far."""
        return (self.folder / "draftsman.log").read_text("utf-8", "replace")

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run `draftsman ARGUMENTS` with its settings; return exit code and standard output."""
        process = await asyncio.create_subprocess_exec(
            *self.program,
            *arguments,
            env=dict(self.environment),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder, removed afterwards.

    Others may pass through it: the embedded Postgres of a root user runs as another one.
    """
    folder = Path(tempfile.mkdtemp(prefix="draftsman-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settings_for(github: GitHubStandIn, folder: Path) -> dict[str, str]:
    """Return an environment in which Draftsman is the stand-in's App, on a free port, and nothing of ours is inherited.

    The App's key is written into the folder.
    """
    port = free_port()
    key = folder / "private-key.pem"
    key.write_text(github.app.private_key_pem)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL") and not name.startswith(("DRAFTSMAN_", "GITHUB_"))
    }
    return inherited | {
        "DRAFTSMAN_PORT": str(port),
        "DRAFTSMAN_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "GITHUB_APP_ID": str(github.app.id),
        "GITHUB_PRIVATE_KEY_FILE": str(key),
        "GITHUB_WEBHOOK_SECRET": github.app.webhook_secret,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
    }


@asynccontextmanager
async def running(
    github: GitHubStandIn, folder: Path, *, program: Sequence[str] = PROGRAM, **settings: str
) -> AsyncIterator[Product]:
    """Yield a Draftsman that is up and that the stand-in knows as its App; stop it afterwards.

    `program` is how it is called.
    """
    environment = settings_for(github, folder) | {
        "DRAFTSMAN_HOME": str(folder / "data"),
        "DRAFTSMAN_ALLOW": "*",
        # One installation has the events of many tests within a minute.
        "DRAFTSMAN_CREATIONS_A_MINUTE": "100000",
        "DRAFTSMAN_POINTS_A_MINUTE": "1000000",
        "DRAFTSMAN_LOG_LEVEL": "warning",
        **settings,
    }
    address = environment["DRAFTSMAN_PUBLIC_URL"]
    with (folder / "draftsman.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *program, "up", env=environment, cwd=folder, stdout=log, stderr=log
        )
    product = Product(address, folder, environment, process, tuple(program))
    try:
        await _until_healthy(product)
        github.webhook_url = f"{address}/webhooks/github"
        github.auto_deliver = True
        yield product
    finally:
        github.auto_deliver = False
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def _until_healthy(product: Product) -> None:
    deadline = time.monotonic() + _START_SECONDS
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline and product.process.returncode is None:
            try:
                async with session.get(f"{product.address}/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # it does not listen yet
            await asyncio.sleep(0.1)
    raise ProductError(f"Draftsman did not come up. Its log:\n{product.log()}")


def free_port() -> int:
    """Return a port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
