"""Which addresses a commit may have this host fetch from: a stranger's commit must not reach what only this host can.

A URL is taken where its host resolves to public addresses alone, or where it is on the server that the repository
itself comes from. What was resolved is kept (`Place.addresses`), so that the connection goes to what was looked at.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

from draftsman.domain.errors import PlanError, SourceError

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>[/?][!-~]{0,8000})?"
)
"""No user, no password, no blank, no character that two parsers could read in two ways before the path."""

_PORTS = {"http": 80, "https": 443}
_SECONDS = 20
_EMBEDDING = ipaddress.ip_network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last 32 bits are an IPv4 address."""

Resolve = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Server:
    """Where a URL leads: host in lower case, and port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Place:
    """A URL that may be fetched from, and the addresses that its host has; none where nobody need look."""

    url: str
    server: Server
    addresses: tuple[str, ...] = ()

    @property
    def pin(self) -> str | None:
        """Return the value of git's `http.curloptResolve` (git 2.37), None where there is nothing to pin."""
        if not self.addresses or self.server.host.startswith("["):
            return None  # nothing was resolved, or nothing is to be resolved
        shown = ",".join(f"[{one}]" if ":" in one else one for one in self.addresses)
        return f"{self.server.host}:{self.server.port}:{shown}"


def server_of(url: str) -> Server | None:
    """Return where a URL leads, None where it is no plain http or https URL."""
    found = _URL.fullmatch(url)
    if found is None:
        return None
    port = int(found["port"]) if found["port"] else _PORTS[found["scheme"]]
    return Server(found["host"].lower(), port) if 0 < port < 65536 else None


async def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises OSError where it has none, TimeoutError after 20 s."""
    async with asyncio.timeout(_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def checked_place(url: str, what: str, *, own: Server | None, resolve: Resolve = resolved) -> Place:
    """Return the place of a URL that a commit, or a server that it named, asks for.

    `what` begins the sentence of an error; `own` is the server of the repository itself. Raises PlanError where this
    host must not go there, SourceError where the host's name cannot be resolved.
    """
    server = server_of(url)
    if server is None:
        raise PlanError(
            f"{what} has the URL {shown(url)}: only plain http and https URLs without credentials are fetched."
        )
    if server == own:
        return Place(url, server)
    if _is_local_name(server.host):
        raise PlanError(_refusal(what, url))
    try:
        addresses = await resolve(server.host, server.port)
    except (OSError, UnicodeError) as error:
        if _is_proxied(url):
            return Place(url, server)  # the proxy resolves it, and is the one to say where it may go
        raise SourceError(f"{what} is at {shown(url)}, and that host's name cannot be resolved.", str(error)) from error
    if not addresses or not all(map(is_public, addresses)):
        raise PlanError(_refusal(what, url))
    return Place(url, server, tuple(addresses))


def is_public(address: str) -> bool:
    """Return whether anybody on the internet can reach an address, one inside another included."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # with a zone, as in fe80::1%eth0
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in _EMBEDDING:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_unspecified)


def shown(text: str) -> str:
    """Return a stranger's text for a sentence: printable and short."""
    return "".join(char if char.isprintable() else "?" for char in text[:200])


def _is_local_name(host: str) -> bool:
    name = host.rstrip(".")
    return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))


def _is_proxied(url: str) -> bool:
    scheme = url.partition(":")[0]
    server = server_of(url)
    return server is not None and scheme in getproxies() and not proxy_bypass(server.host)


def _refusal(what: str, url: str) -> str:
    return (
        f"{what} is at {shown(url)}: an address that is not public, and Draftsman fetches from such a one only where "
        "the repository itself is on that server."
    )
