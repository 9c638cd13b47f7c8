"""A connection that can be cut: what goes over it is passed on, held, or broken off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

End = Path | int
"""Where something listens: a Unix socket, or a port of the loopback address."""


class Line:
    """Passes bytes on between whoever connects and `target`. Make one with `laid`."""

    def __init__(self, target: End) -> None:
        self._target = target
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_cut = False
        self._calls: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Break off every connection, and refuse new ones, until `mend`."""
        self._is_cut = True
        for call in self._calls:
            call.cancel()

    def hold(self) -> None:
        """Let nothing through, and break nothing off, until `mend`: packets get lost on the way."""
        self._flows.clear()

    def mend(self) -> None:
        """Pass everything on again."""
        self._is_cut = False
        self._flows.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect whoever called with the target, until one of them hangs up or the line is cut."""
        call = asyncio.current_task()
        assert call is not None
        self._calls.add(call)
        writers = [writer]
        try:
            if not self._is_cut:
                await self._flows.wait()
                far_reader, far_writer = await self._connected()
                writers.append(far_writer)
                await self._talk((reader, far_writer), (far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # either end is gone, or the line was cut
        finally:
            self._calls.discard(call)
            for one in writers:
                one.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, int):
            return await asyncio.open_connection("127.0.0.1", self._target)
        return await asyncio.open_unix_connection(str(self._target))

    async def _talk(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        tasks = [asyncio.create_task(self._pass_on(*way)) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while content := await reader.read(2**18):
                await self._flows.wait()
                writer.write(content)
                await writer.drain()
            writer.close()
            await writer.wait_closed()  # what is still to be sent goes out


@asynccontextmanager
async def laid(target: End, at: Path | None = None) -> AsyncIterator[tuple[Line, int]]:
    """Yield a line to `target` that is reached at the socket `at`, else at the port that is yielded with it."""
    line = Line(target)
    if at is None:
        server: asyncio.Server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
        port = int(server.sockets[0].getsockname()[1])
    else:
        at.parent.mkdir(parents=True, exist_ok=True)
        server, port = await asyncio.start_unix_server(line.serve, str(at)), 0
    try:
        yield line, port
    finally:
        server.close()
        line.cut()
