"""Pulling an image with patience for a slow registry, and none for one that is not there."""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from enum import Enum

from tools.engine_address import connect

SILENCE_SECONDS = 20.0

# What engines answer when the registry cannot be asked, as opposed to its answer "no such image".
UNREACHABLE = re.compile(
    r"dial tcp|no such host|connection refused|connection reset|network is unreachable|timeout|timed out"
    r"|TLS handshake|x509|certificate|proxyconnect|Forbidden|Bad Gateway|Service Unavailable"
    r"|server misbehaving|EOF|no basic auth|toomanyrequests|failed to do request",
    re.IGNORECASE,
)

ADDRESS = re.compile(r"\S*://\S*")


class Pulled(Enum):
    """How an attempt to pull ended."""

    DONE = "pulled"
    UNREACHABLE = "the registry cannot be reached"
    REFUSED = "the registry does not give it"


class _Connection(http.client.HTTPConnection):
    def __init__(self, address: str) -> None:
        super().__init__("docker", timeout=SILENCE_SECONDS)
        self._address = address

    def connect(self) -> None:
        self.sock = connect(self._address, SILENCE_SECONDS)


def pull(address: str, reference: str) -> tuple[Pulled, str]:
    """Pulls `name:tag`; gives up after 20 s without any progress. The text is the cause that the engine names."""
    name, _, tag = reference.rpartition(":")
    query = urllib.parse.urlencode({"fromImage": name, "tag": tag})
    connection = _Connection(address)
    try:
        connection.request("POST", f"/images/create?{query}")
        answer = connection.getresponse()
        if answer.status != 200:
            return _judge(_message(answer.read(65536)))
        while line := answer.readline(1 << 20):
            error = json.loads(line).get("error")
            if error:
                return _judge(str(error))
    except TimeoutError:
        return Pulled.UNREACHABLE, f"no progress for {SILENCE_SECONDS:.0f} s"
    finally:
        connection.close()
    return Pulled.DONE, ""


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")


def _judge(text: str) -> tuple[Pulled, str]:
    return (Pulled.UNREACHABLE if UNREACHABLE.search(text) else Pulled.REFUSED), root_cause(text)


def root_cause(text: str) -> str:
    """The last part of an engine's error, which is a chain `what: of what: why`; without addresses."""
    parts = [part.strip(" :") for part in ADDRESS.sub("", " ".join(text.split())).split(": ")]
    return next((part for part in reversed(parts) if part), "no reason given")[:300]
