"""A job's limits: the instance's own, as a profile changes them, never beyond what an administrator allows. Pure.

Fields of a profile's `limits` and of `DRAFTSMAN_JOB_MOST`: `memory_mb`, `cpus`, `pids`, `timeout_seconds`,
`step_timeout_seconds`, `no_output_timeout_seconds`, `file_size_mb`, `log_mb`, `workspace_mb`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from orchestrator.runners.interface import Limits

_MEGABYTE = 2**20
_FIELDS: Mapping[str, tuple[str, int]] = {
    "memory_mb": ("memory_bytes", _MEGABYTE),
    "cpus": ("cpus", 1),
    "pids": ("pids", 1),
    "timeout_seconds": ("total_seconds", 1),
    "step_timeout_seconds": ("step_seconds", 1),
    "no_output_timeout_seconds": ("silent_seconds", 1),
    "file_size_mb": ("file_bytes", _MEGABYTE),
    "log_mb": ("log_bytes", _MEGABYTE),
    "workspace_mb": ("workspace_bytes", _MEGABYTE),
}


def changed(limits: Limits, given: Iterable[tuple[str, str]]) -> Limits:
    """Return the limits with these changes (`("memory_mb", "8192")`). Raises ValueError for what is no number."""
    values: dict[str, Any] = {}
    for name, text in given:
        field, unit = _FIELDS[name]
        values[field] = (
            float(text) if field in ("cpus", "total_seconds", "step_seconds", "silent_seconds") else (int(text) * unit)
        )
    return replace(limits, **values)


def limits_of(given: Iterable[tuple[str, str]], usual: Limits, most: Limits) -> Limits:
    """Return what a job gets: the profile's values, each at most what `most` allows."""
    wanted, bound = asdict(changed(usual, given)), asdict(most)
    return Limits(**{name: min(value, max(bound[name], getattr(usual, name))) for name, value in wanted.items()})
