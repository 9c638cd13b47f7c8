"""Asks what a repository is called now, and keeps that.

An event carries the name of when it happened. One that comes late, after the repository got another name, would bring
the old one back, and with it an address that may be somebody else's by now.
"""

from __future__ import annotations

from bot.events.common import repository_of as as_kept
from bot.paging import pages
from bot.payload import PayloadError
from bot.tasks.asking import READ_METADATA
from bot.tasks.desk import Desk, PointlessError, repository_of
from draftsman.store import repositories
from draftsman.store.tasks import Task


async def name(desk: Desk, task: Task) -> None:
    """Keep what GitHub calls the repository. Raises GitHubError, PointlessError."""
    known = await repository_of(desk, task.detail.get("repository_id"))
    # Asked with a token for this repository alone, which is what the list then holds.
    listed = pages(
        lambda query: desk.github.request(known, READ_METADATA, "GET", "/installation/repositories", query=query),
        under="repositories",
    )
    found = [item async for page in listed for item in page if item.get("id") == known.id]
    if not found:
        raise PointlessError(f"GitHub does not show {known.full_name}")
    try:
        called = as_kept({"repository": found[0], "installation": {"id": known.installation_id}}, desk.rules)
    except PayloadError as error:
        raise PointlessError(f"the repository is not as GitHub documents it, {error}") from error
    async with desk.pool.acquire() as connection, connection.transaction():
        await repositories.keep(connection, called)
