"""An HTTP session that connects to the addresses that were looked at, not to what a name means a moment later."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from orchestrator.remote_places import Place, Server

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)


class _Pinned(AbstractResolver):
    """Resolves pinned servers to their addresses, and others (the repository's own, a proxy) as usual."""

    def __init__(self) -> None:
        self.pins: dict[Server, tuple[str, ...]] = {}
        self._usual = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses to connect to."""
        pinned = self.pins.get(Server(host.lower(), port))
        if pinned is None:
            return await self._usual.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in pinned
        ]

    async def close(self) -> None:
        """Close the usual resolver."""
        await self._usual.close()


@asynccontextmanager
async def pinned_session() -> AsyncIterator[tuple[aiohttp.ClientSession, Callable[[Place], None]]]:
    """Yield a session, and what pins a place before it is asked for something."""
    resolver = _Pinned()

    def pin(place: Place) -> None:
        if place.addresses:
            resolver.pins[place.server] = place.addresses

    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=_TIMEOUT,
        trust_env=True,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    ) as session:
        yield session, pin
