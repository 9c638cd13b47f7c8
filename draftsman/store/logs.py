"""The log of an attempt: zlib-compressed chunks, each of one section, in the order in which they were written."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from draftsman.domain.run import Attempt
from draftsman.store.attempts import HELD, HELD_ROW
from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class Mark:
    """From byte `offset` of a chunk on, its content is of this stream, written `at` (milliseconds since the epoch)."""

    offset: int
    stream: str
    at: int


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Some consecutive bytes of one section. `position` grows within the attempt.

    `job_bytes` counts what the job itself wrote up to the chunk's end, 0 for a chunk of ours. One whose `cut_bytes` are
    not 0 stands for as many bytes that are not kept, and says so.
    """

    position: int
    section: str
    content: bytes
    marks: tuple[Mark, ...] = ()
    job_bytes: int = 0
    cut_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """What is kept of a chunk's size: enough to go on behind it."""

    position: int
    size: int
    job_bytes: int
    cut_bytes: int


async def append(db: Database, attempt: Attempt, section: str, content: bytes, *, position: int | None = None) -> None:
    """Add a chunk at the end, or at `position`; where that is taken, nothing changes: it was kept before.

    A worker that lost its lease adds nothing.
    """
    if position is None:
        position = await db.fetchval(
            "SELECT coalesce(max(position), 0) + 1 FROM log_chunks WHERE attempt_id = $1", attempt.id
        )
    await keep(db, attempt, LogChunk(position, section, content))


async def keep(db: Database, attempt: Attempt, chunk: LogChunk) -> None:
    """Keep a chunk; where its position is taken, nothing changes: it was kept before. A lost lease changes nothing."""
    await db.execute(
        f"""
        INSERT INTO log_chunks (attempt_id, position, section, size, content, marks, job_bytes)
        SELECT $1, $3, $4, $5, $6, $7, $8 FROM attempts WHERE {HELD} FOR SHARE
        ON CONFLICT (attempt_id, position) DO NOTHING
        """,  # noqa: S608
        attempt.id,
        attempt.epoch,
        chunk.position,
        clean(chunk.section),
        len(chunk.content),
        zlib.compress(chunk.content, 6),
        _packed(chunk.marks),
        chunk.job_bytes,
    )


async def cut(db: Database, attempt: Attempt, note: LogChunk, *, before: int) -> None:
    """Drop the chunks between the position of `note` and `before`, and put the note, which says so, in their place.

    Call it in a transaction. A worker that lost its lease changes nothing.
    """
    gone = await db.fetchval(
        "WITH gone AS (DELETE FROM log_chunks WHERE attempt_id = $1 AND position > $3 AND position < $4 "  # noqa: S608
        f"AND EXISTS {HELD_ROW} RETURNING 1) SELECT count(*) FROM gone",
        attempt.id,
        attempt.epoch,
        note.position,
        before,
    )
    if gone:
        await db.execute(
            """
            INSERT INTO log_chunks (attempt_id, position, section, size, content, cut_bytes)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (attempt_id, position)
            DO UPDATE SET size = excluded.size, content = excluded.content, cut_bytes = excluded.cut_bytes
            """,
            attempt.id,
            note.position,
            clean(note.section),
            len(note.content),
            zlib.compress(note.content, 6),
            note.cut_bytes,
        )


async def sizes(db: Database, attempt_id: UUID) -> list[ChunkSize]:
    """Return the sizes of all chunks, in order."""
    rows = await db.fetch(
        "SELECT position, size, job_bytes, cut_bytes FROM log_chunks WHERE attempt_id = $1 ORDER BY position",
        attempt_id,
    )
    return [ChunkSize(**dict(row)) for row in rows]


def _packed(marks: tuple[Mark, ...]) -> bytes | None:
    if not marks:
        return None
    return zlib.compress(json.dumps([[mark.offset, mark.stream, mark.at] for mark in marks]).encode())


def _unpacked(packed: bytes | None) -> tuple[Mark, ...]:
    return tuple(Mark(*one) for one in json.loads(zlib.decompress(packed))) if packed else ()


async def clear(db: Database, attempt: Attempt) -> None:
    """Remove what an earlier claim of the attempt wrote: it starts again from the beginning.

    A worker that lost its lease removes nothing.
    """
    await db.execute(
        f"DELETE FROM log_chunks WHERE attempt_id = $1 AND EXISTS {HELD_ROW}",  # noqa: S608
        attempt.id,
        attempt.epoch,
    )


async def read(db: Database, attempt_id: UUID, *, after: int = 0) -> AsyncIterator[LogChunk]:
    """Yield the chunks behind position `after`, a hundred at a time."""
    while True:
        rows = await db.fetch(
            "SELECT position, section, content, marks, job_bytes, cut_bytes FROM log_chunks "
            "WHERE attempt_id = $1 AND position > $2 ORDER BY position LIMIT 100",
            attempt_id,
            after,
        )
        for row in rows:
            after = row["position"]
            yield LogChunk(
                after,
                row["section"],
                zlib.decompress(row["content"]),
                _unpacked(row["marks"]),
                row["job_bytes"],
                row["cut_bytes"],
            )
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


PIECE = 64 * 1024
"""Bytes of a chunk that are decompressed at a time, however large it is."""


@dataclass(frozen=True, slots=True)
class PackedChunk:
    """A chunk as it is stored. `start` is the bytes of its section before it, of `section_size` in all."""

    section: str
    start: int
    size: int
    section_size: int
    packed: bytes

    def pieces(self) -> Iterator[bytes]:
        """Yield the content, at most `PIECE` bytes at a time."""
        yield from _pieces(self.packed)


def _pieces(packed: bytes) -> Iterator[bytes]:
    decompressor = zlib.decompressobj()
    while packed and not decompressor.eof:
        piece = decompressor.decompress(packed, PIECE)
        packed = decompressor.unconsumed_tail
        if piece:
            yield piece


async def section_sizes(db: Database, attempt_id: UUID) -> dict[str, int]:
    """Return the bytes of each section, in the order in which the sections began."""
    rows = await db.fetch(
        "SELECT section, sum(size) AS size FROM log_chunks WHERE attempt_id = $1 "
        "GROUP BY section ORDER BY min(position)",
        attempt_id,
    )
    return {row["section"]: row["size"] for row in rows}


async def ends(db: Database, attempt_id: UUID, limits: Mapping[str, int]) -> list[PackedChunk]:
    """Return the chunks that hold the first and the last half of `limits[section]` bytes of each named section.

    They come in the order in which they were written and stay compressed: unpacking is work for a thread.
    """
    rows = await db.fetch(
        """
        SELECT section, start, size, section_size, content FROM (
            SELECT c.position, c.section, c.size, c.content, (w.bytes + 1) / 2 AS half,
                   sum(c.size) OVER (PARTITION BY c.section) AS section_size,
                   sum(c.size) OVER (PARTITION BY c.section ORDER BY c.position) - c.size AS start
            FROM log_chunks c JOIN unnest($2::text[], $3::bigint[]) AS w (section, bytes) ON w.section = c.section
            WHERE c.attempt_id = $1 AND w.bytes > 0
        ) chunks
        WHERE start < half OR section_size - start - size < half
        ORDER BY position
        """,
        attempt_id,
        list(limits),
        list(limits.values()),
    )
    return [PackedChunk(row["section"], row["start"], row["size"], row["section_size"], row["content"]) for row in rows]


async def pieces(db: Database, attempt_id: UUID) -> AsyncIterator[bytes]:
    """Yield the whole log, at most `PIECE` bytes at a time, out of a few chunks that are held at once."""
    after = 0
    while True:
        rows = await db.fetch(
            "SELECT position, content FROM log_chunks WHERE attempt_id = $1 AND position > $2 "
            "ORDER BY position LIMIT 8",
            attempt_id,
            after,
        )
        for row in rows:
            for piece in _pieces(row["content"]):
                yield piece
        if len(rows) < 8:
            return
        after = rows[-1]["position"]
