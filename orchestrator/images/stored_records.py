"""Remembers builds in Postgres, for all workers on one engine, and what engines share. Without it, builds go on."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from draftsman.domain.errors import BuildError
from draftsman.store import images, pushed_images
from draftsman.store.database import DATABASE_AWAY, Pool
from orchestrator.images.records import KeptFailure, Pushed

log = logging.getLogger(__name__)


class StoredRecords:
    """What is remembered of the builds of one engine, and with a `registry` (its address) of what engines share.

    A build that failed is one engine's: another may have the memory, or the time, that this one lacks.
    """

    def __init__(self, pool: Pool[Any], engine: str, *, registry: str = "") -> None:
        self._pool = pool
        self._engine = engine
        self._registry = registry

    async def failure(self, key: str) -> KeptFailure | None:
        """Return the failure of this key, None where it did not fail."""
        try:
            found = await images.failure_of(self._pool, key, engine=self._engine)
        except DATABASE_AWAY as error:
            log.warning("whether the build %s failed before is not known: %r", key[:12], error)
            return None
        return None if found is None else KeptFailure(found.sentence, found.detail, found.failed_at)

    async def keep_failure(self, key: str, repo: str, error: BuildError) -> None:
        """Remember that the key failed."""
        try:
            await images.keep_failure(
                self._pool, key, engine=self._engine, repo=repo, sentence=str(error), detail=error.detail
            )
        except DATABASE_AWAY as away:
            log.warning("the failed build %s is not remembered: %r", key[:12], away)

    async def forget_failure(self, key: str) -> None:
        """Forget a failure: the key built."""
        try:
            await images.forget_failure(self._pool, key, engine=self._engine)
        except DATABASE_AWAY as error:
            log.warning("the build %s may be remembered as failed: %r", key[:12], error)

    async def rebuild_asked_at(self, repo: str) -> datetime | None:
        """Return when somebody last asked for the repository's images to be built anew."""
        try:
            return await images.rebuild_asked_at(self._pool, repo)
        except DATABASE_AWAY as error:
            log.warning("whether %s is to be built anew is not known: %r", repo, error)
            return None

    async def pushed(self, repo: str, key: str) -> Pushed | None:
        """Return the newest image of the key that was pushed, None where none was."""
        try:
            found = await pushed_images.newest(self._pool, repo, key, registry=self._registry)
        except DATABASE_AWAY as error:
            log.warning("whether the image %s was pushed is not known: %r", key[:12], error)
            return None
        return None if found is None else Pushed(*found)

    async def keep_pushed(self, repo: str, key: str, pushed: Pushed) -> None:
        """Remember what was pushed, unless a newer one was."""
        try:
            await pushed_images.keep(
                self._pool, repo, key, registry=self._registry, digest=pushed.digest, built_at=pushed.built_at
            )
        except DATABASE_AWAY as error:
            log.warning("that the image %s was pushed is not remembered: %r", key[:12], error)

    async def forget_pushed(self, repo: str, key: str, digest: str) -> None:
        """Forget that the key was pushed, where it is of this digest."""
        try:
            await pushed_images.forget(self._pool, repo, key, registry=self._registry, digest=digest)
        except DATABASE_AWAY as error:
            log.warning("the image %s may be remembered as pushed: %r", key[:12], error)

    async def base_key(self, repo: str, suffix: str, platform: str) -> str | None:
        """Return the key of the image that the base branch was last checked in."""
        try:
            return await pushed_images.base_key(self._pool, repo, suffix, platform)
        except DATABASE_AWAY as error:
            log.warning("the image of the base branch of %s is not known: %r", repo, error)
            return None

    async def keep_base_key(self, repo: str, suffix: str, platform: str, key: str) -> None:
        """Remember it."""
        try:
            await pushed_images.keep_base_key(self._pool, repo, suffix, platform, key)
        except DATABASE_AWAY as error:
            log.warning("the image of the base branch of %s is not remembered: %r", repo, error)
