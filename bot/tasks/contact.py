"""First contact with repositories on which the App was just installed: their default branch runs once."""

from __future__ import annotations

from bot.heads import first_contact
from bot.tasks.desk import Desk, demand_access
from draftsman.store.tasks import Task


async def contact(desk: Desk, task: Task) -> None:
    """Run the default branch of the repositories that came, of all where none is named, never a backlog.

    Raises GitHubError, LaterError, PointlessError.
    """
    await demand_access(desk, task.detail["installation_id"])
    names = task.detail.get("repositories")
    await first_contact(desk.github, desk.receiver, task.detail["installation_id"], names)
    await desk.receiver.wake()
