"""Lets jobs onto the network only behind a fence that was proven, and says why where there is none."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Literal

from draftsman.domain.errors import HostError
from orchestrator.fence.holder import Fences
from orchestrator.fence.proof import Proof, prove
from orchestrator.runners.interface import Network

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 60.0
"""How long a fence that could not be proven is not tried again."""

Policy = Literal["internet", "none"]


class FenceGate:
    """The fence of one engine and runtime. `host_config` is what jobs are made with."""

    def __init__(self, fences: Fences, host_config: Mapping[str, Any]) -> None:
        self.fences = fences
        self._host_config = host_config
        self._proof: Proof | None = None
        self._proven_at = 0.0
        self._proving = asyncio.Lock()

    async def proof(self) -> Proof:
        """Return whether the fence holds: proven once, and what failed is tried again after a minute."""
        async with self._proving:
            if self._proof is None or (not self._proof.holds and time.monotonic() - self._proven_at > _AGAIN_SECONDS):
                self._proof = await prove(self.fences, self._host_config)
                self._proven_at = time.monotonic()
                if not self._proof.holds:
                    log.error("no network fence: %s", self._proof.fault)
            return self._proof


def choose_network(policy: Policy, *, trusted: bool, fault: str, required: bool) -> tuple[Network, str]:
    """Return which network a job gets, and a warning that goes with it, else empty. Pure.

    `fault` says why the fence does not hold, empty where it does; with `required`, trusted code does not run without it
    either. Raises HostError where the job must not start.
    """
    if policy == "none":
        return "none", ""
    if not fault:
        return "fenced", ""
    if not trusted:
        raise HostError(
            "The network fence of this machine does not hold, and without it no code of strangers runs here.",
            f"{fault} `draftsman doctor --only fence` tries it again.",
        )
    if required:
        raise HostError(
            "The network fence of this machine does not hold, and DRAFTSMAN_FENCE=required says that nothing runs "
            "without it.",
            fault,
        )
    return "open", f"The job ran without a network fence: {fault}"
