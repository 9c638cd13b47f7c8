"""All faults of the matrix."""

from __future__ import annotations

from tests.chaos.fault import Fault
from tests.chaos.faults import deliveries, github, jobs, machine, networks, servers, workers

FAULTS: tuple[Fault, ...] = (
    *deliveries.FAULTS,
    *workers.FAULTS,
    *servers.FAULTS,
    *networks.FAULTS,
    *github.FAULTS,
    *machine.FAULTS,
    *jobs.FAULTS,
)

__all__ = ["FAULTS"]
