"""A profile's limits within what an administrator allows."""

from __future__ import annotations

import pytest

from draftsman.domain.profile_rules import LIMITS
from orchestrator.limits import changed, limits_of
from orchestrator.runners.interface import Limits

USUAL = Limits(memory_bytes=4 * 2**30, cpus=2, total_seconds=1800)


@pytest.mark.parametrize(
    ("given", "most", "memory"),
    [
        ((), {}, 4096),
        ((("memory_mb", "1024"),), {}, 1024),
        ((("memory_mb", "9000"),), {}, 4096),
        ((("memory_mb", "9000"),), {"memory_mb": "8192"}, 8192),
        ((("memory_mb", "9000"),), {"memory_mb": "1024"}, 4096),
    ],
)
def test_memory(given: tuple[tuple[str, str], ...], most: dict[str, str], memory: int) -> None:
    found = limits_of(given, USUAL, changed(USUAL, most.items()))
    assert found.memory_bytes == memory * 2**20
    assert found.cpus == 2


def test_every_limit_of_a_profile_is_one_of_a_job() -> None:
    for name in LIMITS:
        assert limits_of([(name, "1")], USUAL, USUAL) != USUAL
