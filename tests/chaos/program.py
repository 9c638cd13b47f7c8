"""A `draftsman` process that is started again whenever it ends, as a service manager does it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

RESTART_SECONDS = 0.5
STOP_SECONDS = 30.0


class Program:
    """`draftsman serve` or `draftsman worker`. Make one with `kept_running`.

    It runs as the leader of a process group; its standard input is a pipe, so that it ends where the suite does.
    """

    def __init__(self, name: str, command: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._not_before = 0.0
        self.starts = 0

    @property
    def pid(self) -> int:
        """Return the process id. Raises ProcessLookupError where it does not run now."""
        if self._process is None or self._process.returncode is not None:
            raise ProcessLookupError(f"{self.name} does not run")
        return self._process.pid

    def kill(self, *, away_seconds: float = RESTART_SECONDS) -> None:
        """Kill it; it comes back after that time."""
        self._not_before = time.monotonic() + away_seconds
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def terminate(self, *, away_seconds: float = RESTART_SECONDS) -> None:
        """Tell it to stop; it comes back once it did, after that time at the earliest."""
        self._not_before = time.monotonic() + away_seconds
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def freeze(self) -> None:
        """Stop it and its children in the midst of what they do."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGCONT)

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings that it runs with."""
        return dict(self._environment)

    def said(self) -> str:
        """Return what it wrote so far."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    async def keep(self) -> None:
        """Run it for ever."""
        while True:
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "draftsman.cli.main", self._command, "--with-parent"),
                    env=dict(self._environment),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self.starts += 1
            await self._process.wait()
            self._not_before = max(self._not_before, time.monotonic() + RESTART_SECONDS)

    async def stop(self) -> None:
        """End it, for good once `keep` is cancelled."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.thaw()
        process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def kept_running(program: Program) -> AsyncIterator[Program]:
    """Yield the program, running; end it afterwards."""
    keeping = asyncio.create_task(program.keep(), name=program.name)
    try:
        yield program
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await program.stop()
