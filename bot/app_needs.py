"""What the App lacks of what Draftsman needs, as GitHub shows it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.setup import EVENTS, PERMISSIONS

_LEVELS = ("read", "write", "admin")


@dataclass(frozen=True, slots=True)
class Lacking:
    """Permissions as (name, level that is needed), and names of events."""

    permissions: tuple[tuple[str, str], ...]
    events: tuple[str, ...]


def lacking(shown: Mapping[str, Any]) -> Lacking:
    """Return what the App, as `GET /app` shows it, has not got."""
    granted, subscribed = shown.get("permissions"), shown.get("events")
    given: Mapping[str, Any] = granted if isinstance(granted, dict) else {}
    heard = subscribed if isinstance(subscribed, list) else []
    return Lacking(
        # What every App has is not always listed.
        tuple(
            (name, level)
            for name, level in PERMISSIONS.items()
            if name != "metadata" and _rank(given.get(name)) < _rank(level)
        ),
        tuple(event for event in EVENTS if event not in heard),
    )


def _rank(level: object) -> int:
    return _LEVELS.index(level) if isinstance(level, str) and level in _LEVELS else -1
