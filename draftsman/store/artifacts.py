"""Files that jobs left, kept for some time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from draftsman.domain.outcome import Artifact
from draftsman.domain.run import Attempt
from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class KeptArtifact:
    """A file of an attempt, without its content. `position` counts from 1; `size` is None where it was too large."""

    position: int
    path: str
    size: int | None


async def keep(db: Database, attempt: Attempt, artifacts: Sequence[Artifact]) -> None:
    """Write the files of an attempt. Call it in the transaction that ends the attempt, which checks the lease."""
    await db.execute("DELETE FROM artifacts WHERE attempt_id = $1", attempt.id)
    for position, artifact in enumerate(artifacts, start=1):
        content = artifact.content
        await db.execute(
            "INSERT INTO artifacts (attempt_id, position, path, size, content) VALUES ($1, $2, $3, $4, $5)",
            attempt.id,
            position,
            clean(artifact.path),
            None if content is None else len(content),
            None if content is None else await asyncio.to_thread(zlib.compress, content, 6),
        )


async def of_attempt(db: Database, attempt_id: UUID) -> list[KeptArtifact]:
    """Return the files of an attempt, in order; those whose time is over are gone."""
    rows = await db.fetch(
        "SELECT position, path, size FROM artifacts WHERE attempt_id = $1 ORDER BY position", attempt_id
    )
    return [KeptArtifact(**dict(row)) for row in rows]


async def content(db: Database, attempt_id: UUID, position: int) -> tuple[str, bytes] | None:
    """Return the path and the content of one file, None where there is none."""
    row = await db.fetchrow(
        "SELECT path, content FROM artifacts WHERE attempt_id = $1 AND position = $2 AND content IS NOT NULL",
        attempt_id,
        position,
    )
    return None if row is None else (row["path"], zlib.decompress(row["content"]))
