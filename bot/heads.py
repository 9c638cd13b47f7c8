"""What repositories look like at GitHub now, compared with what the store knows."""

from __future__ import annotations

from collections.abc import Sequence

from bot.github import GitHub
from bot.intake import Receiver


async def first_contact(
    github: GitHub, receiver: Receiver, installation_id: int, repositories: Sequence[str] | None
) -> None:
    """Run the default branch of the repositories once."""
    raise NotImplementedError
