"""Whether what a build or a setup printed says that a registry or the network failed it. Pure; data with evidence.

Output is written by strangers: whoever prints such a line has their own run tried again, as often as the budget of its
cause lets it (`draftsman/domain/retry.py`), and gains nothing else. What is certain to fail again is told apart: a
package or version that is not there, a refused login, a lock that does not fit. So is a host that no name server knows,
unless everybody knows it: that is a misspelt address.

The time it takes is bounded: of the output only the end is read, of a line only the head, each pattern is anchored to
the beginning of the line and has at most one part of unknown length.
"""

from __future__ import annotations

from dataclasses import dataclass

from draftsman.ansi import harmless
from draftsman.domain.retry import Cause
from orchestrator.outage_signs import KNOWN_HOST, LASTING, SIGNS, Sign

TAIL_BYTES = 64 * 1024
"""How much of the end of one stream is read."""

_LINES = 300
_LINE_LENGTH = 500
_SHOWN_LENGTH = 200


_NO_ROOM = ("no space left on device", "disk quota exceeded", "you don't have enough free space in /var/cache")
_ENGINE_AWAY = ("containerd", "shutting down", "transport is closing", "connection refused", "unavailable", "context ")

_PULL_REFUSED = ("unauthorized", "authentication required", "denied", "x509", "certificate", "unsupported")
_PULL_REGISTRY = (
    "toomanyrequests",
    "too many requests",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
    "gateway time-out",
    "http status: 5",
)
_PULL_NETWORK = (
    "tls handshake timeout",
    "i/o timeout",
    "connection refused",
    "connection reset",
    "connection timed out",
    "context deadline exceeded",
    "client.timeout exceeded",
    "network is unreachable",
    "no route to host",
    "server misbehaving",
    "temporary failure in name resolution",
    "unexpected eof",
    ": eof",
)


@dataclass(frozen=True, slots=True)
class Outage:
    """What failed, by the word of which tool, in which line of its output."""

    cause: Cause
    tool: str
    line: str

    @property
    def evidence(self) -> str:
        """Return the tool's word as a line."""
        return f"{self.tool} said: {self.line}"


def outage_in(output: str) -> Outage | None:
    """Return the outage that the output tells of, None where it tells of none, or of what would fail again."""
    lines = [harmless(line[:_LINE_LENGTH]).rstrip() for line in output[-2 * TAIL_BYTES :].splitlines()[-_LINES:]]
    if any(LASTING.match(line) for line in lines):
        return None
    for line in reversed(lines):
        for sign in SIGNS:
            if _fits(sign, line, lines):
                return Outage(sign.cause, sign.tool, line.strip()[:_SHOWN_LENGTH])
    return None


def pull_cause(message: str) -> Cause | None:
    """Return why an image could not be pulled, None where another try would not help."""
    said = message.lower()
    if any(sign in said for sign in _PULL_REFUSED):
        return None
    if any(sign in said for sign in _PULL_REGISTRY):
        return Cause.REGISTRY
    if any(sign in said for sign in _PULL_NETWORK):
        return Cause.NETWORK
    if "no such host" in said:
        return Cause.NETWORK if KNOWN_HOST.search(said[:2000]) else None
    return disk_cause(said)


def disk_cause(message: str) -> Cause | None:
    """Return DISK where the message says that a disk is full."""
    return Cause.DISK if any(sign in message.lower() for sign in _NO_ROOM) else None


def engine_cause(status: int, message: str) -> Cause | None:
    """Return why an engine refused a request, None where it would refuse it again."""
    said = message.lower()
    comes_or_goes = status >= 500 and any(sign in said for sign in _ENGINE_AWAY)
    return disk_cause(said) or (Cause.ENGINE if comes_or_goes else None)


def _fits(sign: Sign, line: str, lines: list[str]) -> bool:
    if not sign.line.match(line) or (sign.of_known_host and not KNOWN_HOST.search(line)):
        return False
    return not sign.beside or any(text in other for other in lines for text in sign.beside)
