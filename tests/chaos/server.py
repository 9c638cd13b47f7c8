"""A Postgres and a Redis of the suite's own, which can be stopped, killed and frozen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

Run = Callable[[Path], AbstractAsyncContextManager[str]]
"""`embedded.postgres` or `embedded.redis`: starts a killed server again by itself, after a second."""


class Server:
    """One server with its data in `folder`. `url` stays the same however often it is started."""

    def __init__(self, name: str, run: Run, folder: Path, pid_file: Path) -> None:
        self.name = name
        self._run = run
        self._folder = folder
        self._pid_file = folder / pid_file
        self._stack: AsyncExitStack | None = None
        self._turn = asyncio.Lock()
        self.url = ""

    async def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        async with self._turn:
            if self._stack is None:
                stack = AsyncExitStack()
                self.url = await stack.enter_async_context(self._run(self._folder))
                self._stack = stack

    async def stop(self) -> None:
        """Stop it as an administrator does: connections are broken off, nothing is lost."""
        async with self._turn:
            stack, self._stack = self._stack, None
            if stack is not None:
                await stack.aclose()

    def kill(self) -> None:
        """Kill it with all its processes; it is started again by itself."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop all its processes in the midst of what they do."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        pid = int(self._pid_file.read_text().partition("\n")[0])
        for one in (pid, *children_of(pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)


@asynccontextmanager
async def started(server: Server) -> AsyncIterator[Server]:
    """Yield the server, running; stop it afterwards."""
    await server.start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError, ValueError):
            server.thaw()
        await server.stop()


def children_of(parent: int) -> list[int]:
    """Return the processes that this one started (Linux only; none elsewhere)."""
    found = []
    for folder in Path("/proc").iterdir() if Path("/proc/self").exists() else ():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                    found.append(int(folder.name))
    return found
