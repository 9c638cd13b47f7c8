"""Remembers builds in Postgres, for all workers on one engine. While it is away, builds go on without it."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from draftsman.domain.errors import BuildError
from draftsman.store import images
from draftsman.store.database import DATABASE_AWAY, Pool
from orchestrator.images.records import KeptFailure

log = logging.getLogger(__name__)


class StoredRecords:
    """What is remembered of the builds of one engine."""

    def __init__(self, pool: Pool[Any], engine: str) -> None:
        self._pool = pool
        self._engine = engine

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
