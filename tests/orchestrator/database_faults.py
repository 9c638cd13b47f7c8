"""A way to a real Postgres that loses an answer: what was asked is done, and nobody hears of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit


class Way:
    """Passes bytes on. The answer to the next request that holds `lose` is awaited, dropped, and the connection cut."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._clients: set[asyncio.StreamWriter] = set()
        self.lose: bytes | None = None
        self.lost = 0
        self.closed = False

    def close(self) -> None:
        """Cut every connection, and let none through from now on."""
        self.closed = True
        for client in self._clients:
            client.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client."""
        if self.closed:
            writer.close()
            return
        self._clients.add(writer)
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        doomed = asyncio.Event()

        async def there() -> None:
            while content := await reader.read(2**16):
                if self.lose is not None and self.lose in content:
                    self.lose = None
                    doomed.set()
                server_writer.write(content)

        async def back() -> None:
            while content := await server_reader.read(2**16):
                if doomed.is_set():
                    self.lost += 1
                    return
                writer.write(content)

        ways = [asyncio.create_task(there()), asyncio.create_task(back())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._clients.discard(writer)
            for end in (writer, server_writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()


@asynccontextmanager
async def way_to(database_url: str) -> AsyncIterator[tuple[Way, str]]:
    """Yield the way and a URL that leads over it to the same database."""
    url = urlsplit(database_url)
    folder = parse_qs(url.query)["host"][0]
    way = Way(f"{folder}/.s.PGSQL.5432")
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield way, f"postgresql://draftsman@127.0.0.1:{port}{url.path}"
