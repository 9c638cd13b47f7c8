"""What a job may reach, as nftables rules. Pure: values in, text out.

Everything that is not public is refused, and the engine's host with all its addresses; whatever is let through
besides is named by an administrator. The order decides: the first rule that matches has the packet.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from draftsman.domain.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Private, shared, link-local (cloud metadata), benchmark, multicast, reserved and broadcast: RFC 6890 and its IANA
# registries. The documentation ranges are not routed, and so no way to anything.
_REFUSED_4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)
# Beside their like, every range that carries an IPv4 address inside.
_REFUSED_6 = (
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
_PORT = re.compile(r"(?P<host>[0-9.]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Opening:
    """What an administrator lets jobs reach: a network, or with `port` only that TCP port of it."""

    network: Network
    port: int | None = None


@dataclass(frozen=True, slots=True)
class FencePolicy:
    """An administrator's exceptions: `allowed` although private, `denied` although public."""

    allowed: tuple[Opening, ...] = ()
    denied: tuple[Network, ...] = ()


def read_policy(allow: Iterable[str], deny: Iterable[str], proxies: Iterable[str] = ()) -> FencePolicy:
    """Return the policy of settings: networks (`10.1.2.0/24`), addresses, or one port of an address (`10.1.2.3:3141`).

    `proxies` are URLs that jobs are given: those that name an address may be reached. Raises SettingsError.
    """
    allowed = [_opening(entry) for entry in allow]
    allowed += [opening for opening in map(_proxy, dict.fromkeys(proxies)) if opening is not None]
    return FencePolicy(tuple(allowed), tuple(_network(entry, "DRAFTSMAN_FENCE_DENY") for entry in deny))


def fence_rules(policy: FencePolicy, host: Iterable[str], engine_networks: Iterable[str]) -> str:
    """Return the table `inet fence` for `nft -f`.

    `host` are the addresses of the engine's host, `engine_networks` the subnets of its containers. An address with a
    port that the policy names wins over both; a network that it names does not open the host.
    """
    own = [*(ipaddress.ip_network(address) for address in host), *map(_subnet, engine_networks)]
    ports = [one for one in policy.allowed if one.port is not None]
    networks = [one.network for one in policy.allowed if one.port is None]
    out = [
        'oifname "lo" accept',
        "ct state established,related accept",
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept",
        *_each(policy.denied, "reject"),
        *(f"{_family(one.network)} daddr {one.network} tcp dport {one.port} accept" for one in ports),
        *_each(own, "reject"),
        *_each(networks, "accept"),
        *_each(map(ipaddress.ip_network, (*_REFUSED_4, *_REFUSED_6)), "reject"),
        "meta l4proto { tcp, udp, icmp, icmpv6 } accept",
    ]
    into = [
        'iifname "lo" accept',
        "ct state established,related accept",
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
    ]
    return "table inet fence {\n" + _chain("out", "output", out) + _chain("in", "input", into) + "}\n"


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    body = "".join(f"    {rule}\n" for rule in rules)
    return f"  chain {name} {{\n    type filter hook {hook} priority 0; policy drop;\n{body}  }}\n"


def _each(networks: Iterable[Network], verdict: str) -> list[str]:
    """Return a rule for each family, of a set that holds its networks."""
    found = list(networks)
    rules = []
    for version, family in ((4, "ip"), (6, "ip6")):
        members = [str(network) for network in dict.fromkeys(found) if network.version == version]
        if members:
            collapsed = ipaddress.collapse_addresses(ipaddress.ip_network(member) for member in members)  # type: ignore[type-var]
            where = f"{family} daddr {{ {', '.join(map(str, collapsed))} }}"
            if verdict == "reject":
                # A program that connects learns it at once; without a reset it asks again for a second first.
                rules.append(f"{where} meta l4proto tcp reject with tcp reset")
            rules.append(f"{where} {verdict}")
    return rules


def _family(network: Network) -> str:
    return "ip" if network.version == 4 else "ip6"


def _subnet(text: str) -> Network:
    return ipaddress.ip_network(text, strict=False)


def _opening(entry: str) -> Opening:
    match = _PORT.fullmatch(entry.strip())
    if match is None:
        return Opening(_network(entry, "DRAFTSMAN_FENCE_ALLOW"))
    port = int(match["port"])
    if not 0 < port < 65536:
        raise SettingsError(f"DRAFTSMAN_FENCE_ALLOW: {entry!r} names no port from 1 to 65535.")
    return Opening(_network(match["host"].strip("[]"), "DRAFTSMAN_FENCE_ALLOW"), port)


def _network(entry: str, setting: str) -> Network:
    try:
        return ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError as error:
        raise SettingsError(
            f"{setting}: {entry!r} is neither a network (10.1.2.0/24) nor an address"
            + (", nor an address with a port (10.1.2.3:3141)." if setting.endswith("ALLOW") else ".")
        ) from error


def _proxy(url: str) -> Opening | None:
    parts = urlsplit(url if "//" in url else f"//{url}")
    try:
        address = ipaddress.ip_address(parts.hostname or "")
        port = parts.port
    except ValueError:
        return None
    return Opening(ipaddress.ip_network(address), port or (443 if parts.scheme == "https" else 80))
