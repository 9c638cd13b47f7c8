"""Having a log or a delivery removed at once, whether by the command line or by the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from draftsman.domain.run import RunState
from draftsman.steering import NotNowError
from draftsman.store import attempts, purge
from draftsman.store.database import Pool
from draftsman.store.purge import PurgedLog


async def purge_log(
    pool: Pool[Any], run_id: UUID, *, by: str, reason: str, number: int | None = None
) -> list[PurgedLog]:
    """Remove the logs of a run's attempts, or of the one of this number, and all that quotes them; oldest first.

    Empty where there is no such attempt. Raises NotNowError where one is not finished: nothing is removed then.
    """
    async with pool.acquire() as connection, connection.transaction():
        known = [one for one in await attempts.of_run(connection, run_id) if number in (None, one.number)]
        for attempt in known:
            if attempt.state is not RunState.FINISHED:
                raise NotNowError(
                    f"Attempt {attempt.number} is {attempt.state}, and goes on writing: cancel it "
                    f"(`draftsman runs cancel {str(run_id)[:8]}`), then remove its log."
                )
        purged = [await purge.log(connection, attempt.id, by=by, reason=reason) for attempt in reversed(known)]
    return [one for one in purged if one is not None]


async def purge_delivery(pool: Pool[Any], guid: str, *, by: str, reason: str) -> bool:
    """Remove the body of a delivery for good; its GUID stays known. Returns False where there is no such delivery."""
    async with pool.acquire() as connection, connection.transaction():
        return await purge.delivery(connection, guid, by=by, reason=reason)
