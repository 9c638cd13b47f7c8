"""The log of an attempt: zlib-compressed chunks, each of one section, in the order in which they were written."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from draftsman.domain.run import Attempt
from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Some consecutive bytes of one section. `position` counts from 1 within the attempt."""

    position: int
    section: str
    content: bytes


async def append(db: Database, attempt: Attempt, section: str, content: bytes) -> None:
    """Add a chunk at the end. A worker that lost its lease adds nothing."""
    await db.execute(
        """
        INSERT INTO log_chunks (attempt_id, position, section, size, content)
        SELECT $1, (SELECT coalesce(max(position), 0) + 1 FROM log_chunks WHERE attempt_id = $1), $3, $4, $5
        FROM attempts WHERE id = $1 AND epoch = $2 AND state <> 'finished'
        """,
        attempt.id,
        attempt.epoch,
        clean(section),
        len(content),
        zlib.compress(content, 6),
    )


async def clear(db: Database, attempt: Attempt) -> None:
    """Remove what an earlier claim of the attempt wrote: it starts again from the beginning.

    A worker that lost its lease removes nothing.
    """
    await db.execute(
        "DELETE FROM log_chunks WHERE attempt_id = $1 AND EXISTS (SELECT FROM attempts WHERE id = $1 AND epoch = $2)",
        attempt.id,
        attempt.epoch,
    )


async def read(db: Database, attempt_id: UUID, *, after: int = 0) -> AsyncIterator[LogChunk]:
    """Yield the chunks behind position `after`, a hundred at a time."""
    while True:
        rows = await db.fetch(
            "SELECT position, section, content FROM log_chunks WHERE attempt_id = $1 AND position > $2 "
            "ORDER BY position LIMIT 100",
            attempt_id,
            after,
        )
        for row in rows:
            after = row["position"]
            yield LogChunk(after, row["section"], zlib.decompress(row["content"]))
        if len(rows) < 100:
            return


async def tail(db: Database, attempt_id: UUID, *, limit: int, sections: frozenset[str] | None = None) -> bytes:
    """Return the last bytes of the log, at most `limit`, of the named sections or of all."""
    rows = await db.fetch(
        """
        SELECT content FROM (
            SELECT position, content, sum(size) OVER (ORDER BY position DESC) - size AS behind
            FROM log_chunks WHERE attempt_id = $1 AND ($2::text[] IS NULL OR section = ANY($2))
        ) chunks WHERE behind < $3 ORDER BY position
        """,
        attempt_id,
        None if sections is None else sorted(sections),
        limit,
    )
    return b"".join(zlib.decompress(row["content"]) for row in rows)[-limit:]
