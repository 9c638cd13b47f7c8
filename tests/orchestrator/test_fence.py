"""A fence and its proof, on a real engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.engine import Engine
from orchestrator.fence.gate import FenceGate
from orchestrator.fence.holder import Fences
from orchestrator.fence.proof import prove
from orchestrator.runners.container import host_config
from orchestrator.runners.interface import Limits

pytestmark = pytest.mark.engine

HOST_CONFIG = host_config(Limits(), engine_cpus=1)


class Leaky(Fences):
    """A fence whose rules let everything through."""

    async def rules(self) -> str:
        """Return rules that refuse nothing."""
        chains = "".join(
            f"chain {name} {{ type filter hook {hook} priority 0; policy accept; }}\n"
            for name, hook in (("out", "output"), ("in", "input"))
        )
        return f"table inet fence {{\n{chains}}}\n"


async def test_a_fence_that_holds_is_proven_and_leaves_nothing(engine: Engine, fences: Fences) -> None:
    before = await _helpers(engine)
    assert (await prove(fences, HOST_CONFIG)).fault == ""
    assert await _helpers(engine) == before


async def test_a_fence_that_leaks_is_found_out(fences: Fences) -> None:
    proof = await prove(Leaky(fences.helper, fences._policy), HOST_CONFIG)
    assert not proof.holds
    assert "a job reached" in proof.fault


async def test_a_runtime_that_is_not_there_is_a_fault(fences: Fences) -> None:
    proof = await prove(fences, host_config(Limits(), engine_cpus=1, runtime="no-such-runtime"))
    assert "no-such-runtime" in proof.fault


async def test_a_proof_is_remembered_for_the_same_engine_and_rules_only(fences: Fences, tmp_path: Path) -> None:
    class Counting(Fences):
        raised = 0

        async def raise_as(self, name: str, labels: Mapping[str, str]) -> str:
            Counting.raised += 1
            return await super().raise_as(name, labels)

    memory = tmp_path / "proof"
    for _ in range(2):
        counting = Counting(fences.helper, fences._policy)
        assert (await FenceGate(counting, HOST_CONFIG, memory=memory).proof()).holds
    assert Counting.raised == 1
    other = FenceGate(counting, {**HOST_CONFIG, "PidsLimit": 99}, memory=memory)
    assert (await other.proof()).holds
    assert Counting.raised == 2
    memory.write_text("nonsense")
    assert (await FenceGate(counting, HOST_CONFIG, memory=memory).proof()).holds
    assert Counting.raised == 3


async def _helpers(engine: Engine) -> set[str]:
    found = await engine.call(
        "GET", "containers/json", params={"all": "1", "filters": '{"label":["draftsman.helper"]}'}
    )
    return {str(one["Id"]) for one in found}
