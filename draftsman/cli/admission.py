"""Whose repositories are run, out of the settings."""

from __future__ import annotations

from draftsman.settings import Settings
from draftsman.store.leases import Admission


def admission_of(settings: Settings) -> Admission:
    """Return what DRAFTSMAN_ALLOW and DRAFTSMAN_DENY say."""
    return Admission(
        allow=tuple(name.lower() for name in settings.allow), deny=tuple(name.lower() for name in settings.deny)
    )
