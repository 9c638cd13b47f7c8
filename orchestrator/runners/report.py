"""The result file of a job, checked. Pure. What is in it was in the hands of code under test."""

from __future__ import annotations

import io
import json
import math
import tarfile
from typing import Any, TypeGuard

from orchestrator.runners.interface import Report, ReportedStep

REPORT_BYTES = 256 * 1024
"""The largest result file that is read: several times what a thousand steps need."""
SUMMARY_BYTES = 64 * 1024
"""The largest summary that is read: a check run shows no more."""
_PHASES = ("start", "checkout", "setup", "fast", "full", "done")
_STEPS = 1000
_SECONDS = 10**7


def file_in_tar(archive: bytes, limit: int = REPORT_BYTES) -> bytes | None:
    """Return the content of the regular file that is the first member of the engine's tar, else None.

    One of more than `limit` bytes is None, too.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as members:
            member = members.next()
            if member is None or not member.isreg() or member.size > limit:
                return None
            content = members.extractfile(member)
            return None if content is None else content.read(limit)
    except (tarfile.TarError, OSError, ValueError):
        return None


def read_report(content: bytes, *, job_id: str, sha: str) -> Report | None:
    """Return the report, or None where it is not what the contract says, or not of this job."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("version") != 1:
        return None
    if value.get("job_id") != job_id or value.get("sha") != sha or value.get("phase") not in _PHASES:
        return None
    steps, exit_code = value.get("steps"), value.get("exit_code")
    if not isinstance(steps, list) or len(steps) > _STEPS or not _is_code(exit_code):
        return None
    reported = [_step(step) for step in steps]
    if any(step is None for step in reported):
        return None
    return Report(value["phase"], exit_code, tuple(step for step in reported if step is not None))


def _step(value: Any) -> ReportedStep | None:
    if not isinstance(value, dict):
        return None
    identity, code, seconds = value.get("id"), value.get("exit_code"), value.get("seconds")
    if not isinstance(identity, str) or len(identity) > 20 or not _is_code(code):
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not 0 <= seconds <= _SECONDS or not math.isfinite(seconds):
        return None
    return ReportedStep(identity, code, float(seconds))


def _is_code(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
