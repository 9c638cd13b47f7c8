"""A finding points at a line of the repository: it becomes an annotation of a check run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from draftsman.domain.plan import Tier


class Level(StrEnum):
    """GitHub's annotation levels."""

    NOTICE = "notice"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One message at one place. `path` is relative to the repository; lines and columns count from 1."""

    tier: Tier
    path: str
    line: int
    level: Level
    title: str
    message: str
    tool: str
    end_line: int | None = None
    column: int | None = None
