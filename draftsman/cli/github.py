"""The GitHub App's client, made out of the settings."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bot import github
from bot.budget import Pace
from draftsman.domain.errors import SettingsError
from draftsman.settings import Settings


def opened_app(settings: Settings) -> AbstractAsyncContextManager[github.GitHub]:
    """Return the App's client, to be entered. Raises SettingsError naming what is missing or unreadable."""
    if settings.github_app_id is None:
        raise SettingsError("GITHUB_APP_ID is not set: `draftsman setup` creates a GitHub App and stores its settings.")
    return github.connect(
        app_id=settings.github_app_id,
        private_key=settings.read_private_key(),
        api_url=settings.github_api_url,
        pace=Pace(settings.creations_a_minute, settings.points_a_minute),
    )
