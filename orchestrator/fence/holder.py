"""A fence: a small container that owns a network namespace, loads its rules, and holds it for the job that joins.

It asks nothing of the host but NET_ADMIN over that one namespace, and the job that joins has not even that. Without
the holder's word that its rules are in force there is no job; when the holder dies, the job has no network any more.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from draftsman.domain.errors import EngineError
from orchestrator.containers import create_container, remove_container
from orchestrator.engine import Engine, EngineRefusedError
from orchestrator.fence.rules import FencePolicy, fence_rules
from orchestrator.helper import Helper, HelperRun

log = logging.getLogger(__name__)

READY_SECONDS = 30.0
"""How long a holder may take to load its rules: milliseconds where the engine is well."""
_HOST_SECONDS = 60.0
"""How long the host's addresses are taken for the same: a laptop moves from network to network."""
LABEL_FENCE = "draftsman.fence"


def holder_name(job_id: str, epoch: int) -> str:
    """Return the name of the container that holds the fence of a job: that of this claim, and no other one's."""
    return f"draftsman-fence-{job_id}-{epoch}"


async def fell(engine: Engine, holder: str) -> None:
    """Return once the holder of a fence has ended, or is gone."""
    try:
        async with engine.stream("POST", f"containers/{holder}/wait") as answer:
            await answer.read()
    except EngineRefusedError as error:
        if error.status != 404:
            raise


async def stands(engine: Engine, holder: str) -> bool:
    """Return whether the holder of a fence still runs."""
    try:
        found = await engine.call("GET", f"containers/{holder}/json")
    except EngineRefusedError as error:
        if error.status == 404:
            return False
        raise
    return bool(found["State"]["Running"])


def holder_config(
    image: str, rules: str, labels: Mapping[str, str], *, dns: tuple[str, ...] = (), with_ipv6: bool
) -> dict[str, Any]:
    """Return the body of `POST /containers/create` for a holder.

    On the engine's default bridge, whose containers have no resolver that knows the names of others. `with_ipv6` gives
    the namespace its own ::1, which newer engines do by themselves.
    """
    return {
        "Image": image,
        "Entrypoint": ["/bin/sh", "/bin/fence-holder"],
        "Cmd": [],
        "Env": [f"FENCE_RULES={rules}"],
        "Labels": {**labels, LABEL_FENCE: "1"},
        "Hostname": "draftsman",
        "StopSignal": "SIGTERM",
        "HostConfig": {
            "NetworkMode": "bridge",
            "RestartPolicy": {"Name": "no"},
            "Init": True,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["NET_ADMIN"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 32,
            "Memory": 64 * 2**20,
            "MemorySwap": 64 * 2**20,
            "Dns": list(dns),
            **({"Sysctls": {"net.ipv6.conf.lo.disable_ipv6": "0"}} if with_ipv6 else {}),
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
        },
    }


@dataclass(slots=True)
class _Seen:
    """What the host was last seen to have, and when."""

    rules: str
    at: float


class Fences:
    """Raises fences on one engine. Every method raises EngineError."""

    def __init__(self, helper: Helper, policy: FencePolicy, dns: tuple[str, ...] = ()) -> None:
        self.helper = helper
        self._engine: Engine = helper.engine
        self._policy = policy
        self._dns = dns
        self._with_ipv6 = True
        self._seen: _Seen | None = None
        self._looking = asyncio.Lock()

    async def raise_as(self, name: str, labels: Mapping[str, str]) -> str:
        """Return the id of a holder of this name whose rules are in force; one that is left of it gives way."""
        await self.helper.ensure()
        rules = await self.rules()
        try:
            return await self._raised(name, rules, labels)
        except EngineRefusedError as error:
            if not self._with_ipv6 or "sysctl" not in error.message:
                raise
            # The kernel has no IPv6: then there is none to be let in.
            self._with_ipv6 = False
        return await self._raised(name, rules, labels)

    async def _raised(self, name: str, rules: str, labels: Mapping[str, str]) -> str:
        config = holder_config(self.helper.image, rules, labels, dns=self._dns, with_ipv6=self._with_ipv6)
        holder = await self._create(name, config)
        try:
            await self._engine.call("POST", f"containers/{holder}/start")
            await self._until_ready(holder)
        except BaseException:
            await asyncio.shield(remove_container(self._engine, holder))
            raise
        return holder

    async def _create(self, name: str, config: Mapping[str, Any]) -> str:
        try:
            return await create_container(self._engine, config, name=name)
        except EngineRefusedError as error:
            if error.status != 409:
                raise
        # A create of this claim's whose answer was lost.
        await remove_container(self._engine, name)
        return await create_container(self._engine, config, name=name)

    async def _until_ready(self, holder: str) -> None:
        said = bytearray()
        params = {"stdout": "1", "stderr": "1", "follow": "1"}
        try:
            async with (
                asyncio.timeout(READY_SECONDS),
                self._engine.stream("GET", f"containers/{holder}/logs", params=params) as answer,
            ):
                async for chunk in answer.iter_any():
                    said += chunk
                    if b"fence-ready" in said:
                        return
        except TimeoutError as error:
            raise EngineError(f"The network fence was not ready within {READY_SECONDS:.0f} s.") from error
        words = " ".join(bytes(said[8:]).decode("utf-8", "replace").split())[-300:]
        raise EngineError(f"The network fence could not be raised: {words or 'its holder ended without a word'}.")

    async def rules(self) -> str:
        """Return the rules that a fence raised now gets."""
        async with self._looking:
            now = time.monotonic()
            if self._seen is None or now - self._seen.at > _HOST_SECONDS:
                rules = fence_rules(self._policy, await self.host_addresses(), await self._subnets())
                self._seen = _Seen(rules, now)
            return self._seen.rules

    async def host_addresses(self) -> list[str]:
        """Return the addresses of the engine's host, as a container in its network sees them.

        Without those of its loopback and of single links: no fence lets these through whosever they are.
        """
        said = await self.helper.run(HelperRun("exec ip -o addr", network="host"))
        found = []
        for line in said.splitlines():
            words = line.split()
            if len(words) > 3 and words[2] in ("inet", "inet6"):
                address = ipaddress.ip_address(words[3].partition("/")[0])
                if not address.is_loopback and not address.is_link_local:
                    found.append(str(address))
        if not found:
            raise EngineError(f"The addresses of the engine's host could not be read: {said.strip()[:200]!r}.")
        return found

    async def _subnets(self) -> list[str]:
        """Return the subnets of the networks that the engine keeps on its host for containers."""
        filters = json.dumps({"scope": ["local"]})
        networks = await self._engine.call("GET", "networks", params={"filters": filters})
        pools = [pool for one in networks for pool in (one.get("IPAM") or {}).get("Config") or ()]
        return [str(pool["Subnet"]) for pool in pools if pool.get("Subnet")]
