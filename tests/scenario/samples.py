"""Repositories for scenarios whose point is not what their checks do."""

from __future__ import annotations

WORDS = {"README.md": "words\n"}
"""Has nothing to check: its runs end as neutral in a moment, with no container."""

NAMES = ("fast", "full")


def checks(fast: str = "true", full: str = "true", more: str = "") -> dict[str, str]:
    """Return a repository whose tiers are these shell commands, in the image that all such repositories share."""
    config = f"setup = ''\nfast = ['''{fast}''']\nfull = ['''{full}''']\n{more}"
    return {".python-version": "3.13\n", ".draftsman.toml": config}


SLOW = checks(fast="sleep 60")
"""Runs until it is ended, as far as a scenario is concerned."""
