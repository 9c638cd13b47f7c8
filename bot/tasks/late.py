"""Starts an attempt that an event called for while another one was under way that had to end first."""

from __future__ import annotations

from bot.tasks.desk import Desk, LaterError, repository_of
from draftsman.domain.renewal import When
from draftsman.domain.run import Ref, RefKind, Trust
from draftsman.store import runs, tasks
from draftsman.store.runs import Wanted
from draftsman.store.tasks import Task

BUSY_SECONDS = 3.0
"""Until it is looked again whether the attempt that is in the way has ended."""


async def start_late(desk: Desk, task: Task) -> None:
    """Start the attempt if the ref still names the commit. Raises LaterError, PointlessError."""
    detail = task.detail
    wanted = Wanted(
        await repository_of(desk, detail.get("repository_id")),
        detail["head_sha"],
        Ref(RefKind(detail["kind"]), detail["name"]),
        Trust(detail["trust"]),
        subject=detail["subject"],
    )
    async with desk.pool.acquire() as connection, connection.transaction():
        when = await runs.start_late(connection, wanted, delivery=task.delivery)
        if when is not When.LATER:
            await tasks.end(connection, task)
    if when is When.LATER:
        raise LaterError("an attempt is under way that has to end first", BUSY_SECONDS)
    await desk.receiver.wake()
