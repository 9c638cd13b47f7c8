"""Images that were pushed to a registry, and which of them pull requests from forks use."""

from __future__ import annotations

from datetime import datetime

from draftsman.store.database import Database, clean


async def newest(db: Database, repo: str, key: str, *, registry: str) -> tuple[str, datetime] | None:
    """Return the digest of the newest image of this key in the registry, and when it was built; or None."""
    row = await db.fetchrow(
        "SELECT digest, built_at FROM pushed_images WHERE registry = $1 AND repo = lower($2) AND key = $3",
        registry,
        clean(repo),
        key,
    )
    return None if row is None else (row["digest"], row["built_at"])


async def keep(db: Database, repo: str, key: str, *, registry: str, digest: str, built_at: datetime) -> None:
    """Keep what was pushed, unless a newer image of the key was."""
    await db.execute(
        """
        INSERT INTO pushed_images AS p (registry, repo, key, digest, built_at) VALUES ($1, lower($2), $3, $4, $5)
        ON CONFLICT (registry, repo, key) DO UPDATE
            SET digest = excluded.digest, built_at = excluded.built_at, pushed_at = now()
            WHERE excluded.built_at >= p.built_at
        """,
        registry,
        clean(repo),
        key,
        digest,
        built_at,
    )


async def forget(db: Database, repo: str, key: str, *, registry: str, digest: str) -> None:
    """Forget it, where what is kept has this digest: somebody may have pushed another one meanwhile."""
    await db.execute(
        "DELETE FROM pushed_images WHERE registry = $1 AND repo = lower($2) AND key = $3 AND digest = $4",
        registry,
        clean(repo),
        key,
        digest,
    )


async def base_key(db: Database, repo: str, suffix: str, platform: str) -> str | None:
    """Return the key of the image that the base branch was last checked in, with this Dockerfile and platform."""
    key: str | None = await db.fetchval(
        "SELECT key FROM base_images WHERE repo = lower($1) AND suffix = $2 AND platform = $3",
        clean(repo),
        suffix,
        platform,
    )
    return key


async def keep_base_key(db: Database, repo: str, suffix: str, platform: str, key: str) -> None:
    """Keep that key."""
    await db.execute(
        """
        INSERT INTO base_images (repo, suffix, platform, key) VALUES (lower($1), $2, $3, $4)
        ON CONFLICT (repo, suffix, platform) DO UPDATE SET key = excluded.key, named_at = now()
        """,
        clean(repo),
        suffix,
        platform,
        key,
    )
