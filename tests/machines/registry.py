"""A real image registry: Debian's `docker-registry`, unpacked where our engine's programs are, and not installed.

Installed, its package would start a service that listens to everybody.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import aiohttp

from draftsman.embedded.server import launcher
from tests.chaos.engine import EngineAbsentError
from tools import apt
from tools.engine_daemon import places

_PACKAGE = "docker-registry"
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that answers at `address`, HOST:PORT, without encryption."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]

    def said(self) -> str:
        """Return its log: a line for each request."""
        return (self.folder / "log").read_text("utf-8", "replace")

    async def tags(self, repository: str) -> list[str]:
        """Return the tags of one of its repositories."""
        url = f"http://{self.address}/v2/{repository}/tags/list"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return sorted((await response.json()).get("tags") or []) if response.status == 200 else []

    def pause(self) -> None:
        """Have it answer nobody."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it answer again."""
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def started_registry(folder: Path, address: str) -> AsyncIterator[Registry]:
    """Yield a registry of this address (HOST:PORT) that keeps its images in the folder. Raises EngineAbsentError."""
    program = await asyncio.to_thread(_program)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yml"
    config.write_text(_config(folder / "images", address))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            # It ends with this process, however that ends.
            launcher((str(program), "serve", str(config)), signal.SIGTERM, -1, -1),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    registry = Registry(address, folder, process)
    try:
        await _until_it_answers(registry)
        yield registry
    finally:
        with suppress(ProcessLookupError):
            registry.resume()
        process.terminate()
        process.wait()


def _config(images: Path, address: str) -> str:
    return (
        "version: 0.1\n"
        "log: {level: info, accesslog: {disabled: false}}\n"
        "storage:\n"
        f"  filesystem: {{rootdirectory: {images}}}\n"
        "  delete: {enabled: true}\n"
        f"http: {{addr: '{address}'}}\n"
    )


async def _until_it_answers(registry: Registry) -> None:
    until = time.monotonic() + _START_SECONDS
    async with aiohttp.ClientSession() as session:
        while True:
            with suppress(aiohttp.ClientError):
                async with session.get(f"http://{registry.address}/v2/") as response:
                    if response.status == 200:
                        return
            if registry.process.poll() is not None or time.monotonic() > until:
                raise EngineAbsentError(f"the registry does not start: {registry.said()[-500:]}")
            await asyncio.sleep(0.05)


def _program() -> Path:
    """Return the registry's program, fetched once. Raises EngineAbsentError where that cannot be."""
    if found := shutil.which(_PACKAGE):
        return Path(found)
    home = places(os.environ).home
    unpacked = home / "registry"
    program = unpacked / "usr/bin" / _PACKAGE
    if program.exists():
        return program
    if not apt.is_debian_root():
        raise EngineAbsentError(f"there is no registry: install {_PACKAGE}, or run this on Debian as root")
    home.mkdir(parents=True, exist_ok=True)
    # Others may be at it, too: each unpacks its own, and the first one's stays.
    scratch = Path(mkdtemp(prefix="registry-", dir=home))
    try:
        apt.unpack_from_suite((_PACKAGE,), apt.debian_codename(), scratch / "way", scratch / "root", _say)
        with suppress(OSError):
            (scratch / "root").rename(unpacked)
    except apt.AptError as error:
        raise EngineAbsentError(str(error)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return program


def _say(text: str) -> None:
    print(f"registry: {text}", file=sys.stderr, flush=True)
