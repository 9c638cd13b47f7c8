"""The wires between hosts: a bridge in a network namespace of its own, with a cable to each host and one to us.

Nothing is done to the firewall of the machine: what goes from one host to another never passes its namespace. There is
no way to the world, either; hosts reach each other, and what listens on our end.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys

from tests.chaos.engine import EngineAbsentError

_NETS = 250
_BRIDGE = "switch"
_PORT = "wire"
"""The name of a host's own end, as of a network card."""


class Wires:
    """A network 10.99.N.0/24: our end is .1, hosts are .11 and up. Made by `lay`, all of it gone with `remove`."""

    def __init__(self) -> None:
        token = secrets.token_hex(3)
        self.switch = f"dfhosts-{token}"
        """The namespace of the bridge; those of hosts are called so with a number."""
        self._ours = f"dfh{token}"
        self._net = ""

    @property
    def outside(self) -> str:
        """Return the address of our end: what listens there is reached by all hosts."""
        return f"{self._net}.1"

    def address(self, number: int) -> str:
        """Return the address of a host, counted from 1."""
        return f"{self._net}.{10 + number}"

    def namespace(self, number: int) -> str:
        """Return the name of a host's network namespace."""
        return f"{self.switch}-{number}"

    def lay(self) -> None:
        """Make the bridge and our end. Raises EngineAbsentError where that cannot be done."""
        if sys.platform != "linux" or os.geteuid() != 0:
            raise EngineAbsentError("hosts of our own need a Linux root")
        self._net = _free_net()
        inside = _added(self.switch)
        _ip(*inside, "link", "add", _BRIDGE, "type", "bridge")
        _ip(*inside, "link", "set", _BRIDGE, "up")
        _ip("link", "add", self._ours, "type", "veth", "peer", "name", "ours", "netns", self.switch)
        _ip(*inside, "link", "set", "ours", "master", _BRIDGE, "up")
        _ip("addr", "add", f"{self.outside}/24", "dev", self._ours)
        _ip("link", "set", self._ours, "up")

    def connect(self, number: int) -> None:
        """Make a host's namespace, with its address and a cable to the bridge. Raises EngineAbsentError."""
        host, inside = _added(self.namespace(number)), ("-n", self.switch)
        _ip(*inside, "link", "add", f"host{number}", "type", "veth", "peer", "name", _PORT, "netns", host[1])
        _ip(*inside, "link", "set", f"host{number}", "master", _BRIDGE, "up")
        _ip(*host, "addr", "add", f"{self.address(number)}/24", "dev", _PORT)
        _ip(*host, "link", "set", _PORT, "up")

    def pull(self, number: int) -> None:
        """Cut a host off from the others and from us."""
        _ip("-n", self.switch, "link", "set", f"host{number}", "down")

    def plug(self, number: int) -> None:
        """Let it reach them again."""
        _ip("-n", self.switch, "link", "set", f"host{number}", "up")

    def remove(self) -> None:
        """Remove all of it, as far as it is there; namespaces of hosts go with their engines."""
        subprocess.run(("ip", "link", "del", self._ours), capture_output=True)
        subprocess.run(("ip", "netns", "del", self.switch), capture_output=True)


def _free_net() -> str:
    """Return the first three numbers of a network that this machine has no way to yet."""
    taken = {int(found) for found in re.findall(r"\b10\.99\.(\d+)\.", _ip("-4", "route", "show", "table", "all"))}
    free = sorted(set(range(1, _NETS)) - taken)
    if not free:
        raise EngineAbsentError("all networks 10.99.x.0/24 are in use")
    return f"10.99.{secrets.choice(free)}"


def _added(namespace: str) -> tuple[str, str]:
    """Make a network namespace; return the arguments with which `ip` means it."""
    _ip("netns", "add", namespace)
    inside = ("-n", namespace)
    _ip(*inside, "link", "set", "lo", "up")
    return inside


def _ip(*arguments: str) -> str:
    try:
        done = subprocess.run(("ip", *arguments), capture_output=True, text=True)
    except FileNotFoundError as error:
        raise EngineAbsentError("`ip` is not there: install iproute2") from error
    if done.returncode != 0:
        raise EngineAbsentError(f"`ip {' '.join(arguments)}`: {done.stderr.strip()[-300:]}")
    return done.stdout
