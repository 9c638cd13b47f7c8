"""Where a Docker engine answers: DOCKER_HOST, the usual socket, or Docker Desktop's."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

SYSTEM_SOCKET = "unix:///var/run/docker.sock"


def candidates(environment: Mapping[str, str], home: Path) -> list[str]:
    """Addresses to ask, best first. A DOCKER_HOST that is set is the only one: it was set on purpose."""
    chosen = environment.get("DOCKER_HOST", "").strip()
    if chosen:
        return [chosen]
    return [SYSTEM_SOCKET, f"unix://{home}/.docker/run/docker.sock"]


def first_answering(addresses: Iterable[str], answers: Callable[[str], bool]) -> str | None:
    """The first address for which `answers` is true."""
    return next((address for address in addresses if answers(address)), None)


def engine_answers(address: str, timeout_seconds: float = 3.0) -> bool:
    """Whether an engine answers `GET /_ping` at a unix:// or tcp:// address."""
    try:
        with connect(address, timeout_seconds) as connection:
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            head = b""
            while b"\r\n" not in head and len(head) < 4096:
                part = connection.recv(4096)
                if not part:
                    break
                head += part
    except OSError:
        return False
    words = head.split(b"\r\n", 1)[0].split()
    return len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1] == b"200"


def connect(address: str, timeout_seconds: float) -> socket.socket:
    """A connection to the engine at a unix:// or tcp:// address. Raises OSError."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_seconds)
        try:
            connection.connect(parts.path)
        except OSError:
            connection.close()
            raise
        return connection
    if parts.scheme in ("tcp", "http"):
        return socket.create_connection((parts.hostname or "localhost", parts.port or 2375), timeout_seconds)
    raise OSError(f"{address} is neither a unix:// nor a tcp:// address")
