"""The folder that Draftsman keeps its data in."""

from __future__ import annotations

from pathlib import Path

from draftsman.domain.errors import HostError
from draftsman.settings import Settings


def prepare_home(settings: Settings) -> Path:
    """Return the data folder, made where it is missing. Raises HostError where it cannot be made."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"DRAFTSMAN_HOME: {settings.home} cannot be made ({error.strerror}).") from error
    return settings.home
