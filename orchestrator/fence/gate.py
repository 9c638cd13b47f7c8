"""Lets jobs onto the network only behind a fence that was proven, and says why where there is none."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from draftsman.domain.alert import Alert
from draftsman.domain.errors import DraftsmanError, HostError
from orchestrator.fence.holder import Fences
from orchestrator.fence.proof import Proof, prove
from orchestrator.runners.interface import Network

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 60.0
"""How long a fence that could not be proven is not tried again."""
_REMEMBERED_SECONDS = 86_400.0

Policy = Literal["internet", "none"]


class FenceGate:
    """The fence of one engine and runtime. `host_config` is what jobs are made with.

    With `memory`, a fence that held is taken to hold for a day: a command that runs once need not prove it each time.
    """

    def __init__(self, fences: Fences, host_config: Mapping[str, Any], *, memory: Path | None = None) -> None:
        self.fences = fences
        self._host_config = host_config
        self._memory = memory
        self._proving: asyncio.Task[Proof] | None = None
        self._proven_at = 0.0

    def begin(self) -> asyncio.Task[Proof]:
        """Begin the proof, where there is none yet or one that failed a minute ago; it goes on whoever waits for it."""
        if self._proving is None or self._is_worth_another_try(self._proving):
            self._proving = asyncio.create_task(self._find_out())
        return self._proving

    async def proof(self) -> Proof:
        """Return whether the fence holds.

        Whoever waits may be cancelled: a proof that has begun comes to its end, since it has containers to remove.
        """
        return await asyncio.shield(self.begin())

    async def close(self) -> None:
        """Wait until no proof is under way."""
        if self._proving is not None:
            await asyncio.gather(self._proving, return_exceptions=True)

    def _is_worth_another_try(self, proving: asyncio.Task[Proof]) -> bool:
        if not proving.done():
            return False
        failed = proving.cancelled() or proving.exception() is not None or not proving.result().holds
        return failed and time.monotonic() - self._proven_at > _AGAIN_SECONDS

    async def _find_out(self) -> Proof:
        try:
            return await self._remembered() or await self._prove()
        finally:
            self._proven_at = time.monotonic()

    async def _prove(self) -> Proof:
        proof = await prove(self.fences, self._host_config)
        if proof.holds:
            await self._remember()
        else:
            log.error("no network fence: %s", proof.fault, extra=Alert.FENCE_NOT_PROVEN.extra)
        return proof

    async def _remembered(self) -> Proof | None:
        if self._memory is None:
            return None
        try:
            key, _, at = (await asyncio.to_thread(self._memory.read_text)).partition(" ")
            is_young = 0 <= time.time() - float(at) < _REMEMBERED_SECONDS
            return Proof() if is_young and key == await self._key() else None
        except (OSError, ValueError, DraftsmanError):
            return None

    async def _remember(self) -> None:
        if self._memory is None:
            return
        try:
            await asyncio.to_thread(self._memory.write_text, f"{await self._key()} {int(time.time())}")
        except (OSError, DraftsmanError) as error:
            log.warning("that the fence holds was not noted: %s", error)

    async def _key(self) -> str:
        """Return what the proof depends on: the engine, what its host has, the rules, and how jobs are made."""
        engine = self.fences.helper.engine.facts
        parts = [engine.id, engine.version, self.fences.helper.version, await self.fences.rules(), self._host_config]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


UNFENCED = "The job ran without a network fence"
"""How the warning of `choose_network` begins."""


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
            alert=Alert.FENCE_NOT_PROVEN,
        )
    if required:
        raise HostError(
            "The network fence of this machine does not hold, and DRAFTSMAN_FENCE=required says that nothing runs "
            "without it.",
            fault,
            alert=Alert.FENCE_NOT_PROVEN,
        )
    return "open", f"{UNFENCED}: {fault}"
