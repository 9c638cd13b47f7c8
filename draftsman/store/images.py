"""A record of the images that were built, or could not be. Whether one is still there, only the engine knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from draftsman.domain.outcome import ImageUsed
from draftsman.store.database import Database, clean


async def keep(db: Database, image: ImageUsed, *, engine: str, repo: str, dockerfile: str) -> None:
    """Note that the image was built, or used again."""
    await db.execute(
        """
        INSERT INTO images (tag, engine, key, repo, dockerfile, build_seconds) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tag, engine) DO UPDATE SET used_at = now(),
            built_at = CASE WHEN $7 THEN images.built_at ELSE now() END,
            build_seconds = CASE WHEN $7 THEN images.build_seconds ELSE excluded.build_seconds END
        """,
        image.tag,
        engine,
        image.key,
        clean(repo),
        clean(dockerfile),
        image.build_seconds,
        image.cached,
    )


@dataclass(frozen=True, slots=True)
class FailedBuild:
    """A build that failed, and when."""

    sentence: str
    detail: str
    failed_at: datetime


async def failure_of(db: Database, key: str, *, engine: str) -> FailedBuild | None:
    """Return the failure of this key on this engine, None where it did not fail."""
    row = await db.fetchrow(
        "SELECT sentence, detail, failed_at FROM image_failures WHERE engine = $1 AND key = $2", engine, key
    )
    return None if row is None else FailedBuild(row["sentence"], row["detail"], row["failed_at"])


async def keep_failure(db: Database, key: str, *, engine: str, repo: str, sentence: str, detail: str) -> None:
    """Remember that the key failed, now."""
    await db.execute(
        """
        INSERT INTO image_failures (engine, key, repo, sentence, detail) VALUES ($1, $2, lower($3), $4, $5)
        ON CONFLICT (engine, key) DO UPDATE
            SET sentence = excluded.sentence, detail = excluded.detail, failed_at = now()
        """,
        engine,
        key,
        clean(repo),
        clean(sentence),
        clean(detail),
    )


async def forget_failure(db: Database, key: str, *, engine: str) -> None:
    """Forget the failure of a key that built."""
    await db.execute("DELETE FROM image_failures WHERE engine = $1 AND key = $2", engine, key)


async def ask_rebuild(db: Database, repo: str, *, by: str) -> datetime:
    """Have the next run of the repository build its image anew. Returns the time from which images count as new."""
    asked: datetime = await db.fetchval(
        """
        WITH asked AS (
            INSERT INTO image_rebuilds (repo) VALUES (lower($1))
            ON CONFLICT (repo) DO UPDATE SET asked_at = clock_timestamp() RETURNING repo, asked_at
        ), audited AS (
            INSERT INTO audit_events (actor, action, detail)
            SELECT $2, 'image.rebuild_asked', jsonb_build_object('repo', repo) FROM asked
        )
        SELECT asked_at FROM asked
        """,
        clean(repo),
        clean(by),
    )
    return asked


async def rebuild_asked_at(db: Database, repo: str) -> datetime | None:
    """Return when somebody last asked for the repository's images to be built anew, None where nobody did."""
    asked: datetime | None = await db.fetchval("SELECT asked_at FROM image_rebuilds WHERE repo = lower($1)", repo)
    return asked


async def last_used(db: Database, *, engine: str) -> dict[str, datetime]:
    """Return when each tag of this engine was last used by a run."""
    rows = await db.fetch("SELECT tag, used_at FROM images WHERE engine = $1", engine)
    return {row["tag"]: row["used_at"] for row in rows}


@dataclass(frozen=True, slots=True)
class StaleImage:
    """An image that will soon be too old: which repository's, and the branch for whose runs it is."""

    tag: str
    repository_id: int
    repo: str
    default_branch: str


async def stale(db: Database, *, engine: str, built_before: datetime, used_after: datetime) -> list[StaleImage]:
    """Return the images of this engine that were built before then and that runs still used after then, oldest first.

    A repository that was renamed since has none under its old name.
    """
    rows = await db.fetch(
        """
        SELECT i.tag, p.id, p.full_name, p.default_branch FROM images i
        JOIN repositories p ON lower(p.full_name) = lower(i.repo)
        WHERE i.engine = $1 AND i.built_at < $2 AND i.used_at > $3 ORDER BY i.built_at, i.tag
        """,
        engine,
        built_before,
        used_after,
    )
    return [StaleImage(row["tag"], row["id"], row["full_name"], row["default_branch"]) for row in rows]


async def renewed(
    db: Database, tag: str, *, engine: str, build_seconds: float | None = None, built_at: datetime | None = None
) -> None:
    """Note that the image is a new one, though no run used it: built now, or then and elsewhere."""
    await db.execute(
        "UPDATE images SET built_at = coalesce($4, now()), build_seconds = coalesce($3, build_seconds) "
        "WHERE tag = $1 AND engine = $2",
        tag,
        engine,
        build_seconds,
        built_at,
    )
