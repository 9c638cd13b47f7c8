"""A record of the images that were built. Whether one is still there, only the engine knows."""

from __future__ import annotations

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
