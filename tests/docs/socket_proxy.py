"""A proxy before the engine's socket that lets through what a list says, as an administrator would put one there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

_VERSION = re.compile(r"^/v1\.\d+(?=/)")
_HOP = frozenset(("connection", "content-length", "host", "keep-alive", "transfer-encoding"))


@dataclass(frozen=True, slots=True)
class SocketProxy:
    """One that listens at `address` (tcp://). `refused` are the calls that it did not let through."""

    address: str
    let_through: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)


@asynccontextmanager
async def socket_proxy(docker_host: str, allowed: Collection[str]) -> AsyncIterator[SocketProxy]:
    """Yield a proxy to the engine at `docker_host` that lets through the allowed calls, `METHOD /path` with `*`."""
    patterns = {call: re.compile(re.escape(call).replace(r"\*", ".+")) for call in allowed}
    is_socket = docker_host.startswith("unix://")
    base = "http://engine" if is_socket else docker_host.replace("tcp://", "http://")
    connector = aiohttp.UnixConnector(docker_host.removeprefix("unix://")) if is_socket else aiohttp.TCPConnector()
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
    ) as engine:

        async def pass_on(request: web.Request) -> web.StreamResponse:
            asked = f"{request.method} {_VERSION.sub('', request.path)}"
            call = next((call for call, pattern in patterns.items() if pattern.fullmatch(asked)), None)
            if call is None:
                proxy.refused.append(asked)
                return web.json_response({"message": f"not allowed: {asked}"}, status=403)
            proxy.let_through.add(call)
            return await _forward(request, engine, base)

        app = web.Application(client_max_size=2**40)
        app.router.add_route("*", "/{path:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, auto_decompress=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            proxy = SocketProxy(f"tcp://127.0.0.1:{runner.addresses[0][1]}")
            yield proxy
        finally:
            await runner.cleanup()


async def _forward(request: web.Request, engine: aiohttp.ClientSession, base: str) -> web.StreamResponse:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
    body = request.content.iter_any() if request.body_exists else None
    async with engine.request(request.method, f"{base}{request.raw_path}", headers=headers, data=body) as answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response
