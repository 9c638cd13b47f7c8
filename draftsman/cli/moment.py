"""Moments as people write them: `90m`, `2h`, `3d`, or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

_AGO = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since(text: str | None) -> datetime | None:
    """Return the moment that `--since` names, in UTC where it says nothing else. Raises typer.BadParameter."""
    if text is None:
        return None
    try:
        if found := _AGO.fullmatch(text.strip()):
            return datetime.now(UTC) - timedelta(**{_UNITS[found["unit"]]: int(found["number"])})
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter("write 90m, 2h or 3d, or a date: 2026-11-26T09:00", param_hint="--since") from None
