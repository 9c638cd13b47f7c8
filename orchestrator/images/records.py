"""What is remembered of builds between attempts: which keys failed, and for whom a rebuild was asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from draftsman.domain.errors import BuildError


@dataclass(frozen=True, slots=True)
class KeptFailure:
    """A build that failed by the Dockerfile's own fault. It fails again, until the key changes or somebody asks."""

    sentence: str
    detail: str
    failed_at: datetime

    def error(self, repo: str) -> BuildError:
        """Return the error again, with when it was met and how to build anew."""
        return BuildError(
            self.sentence,
            f"This build failed at {self.failed_at:%Y-%m-%d %H:%M} UTC and nothing that it depends on has changed, so "
            f"it was not tried again. `draftsman images rebuild {repo}` has the next run build anew.\n\n{self.detail}",
        )


class BuildRecords(Protocol):
    """Where that is kept. Keys are image keys."""

    async def failure(self, key: str) -> KeptFailure | None:
        """Return the failure of this key, None where it did not fail."""

    async def keep_failure(self, key: str, repo: str, error: BuildError) -> None:
        """Remember that the key failed."""

    async def forget_failure(self, key: str) -> None:
        """Forget a failure: the key built."""

    async def rebuild_asked_at(self, repo: str) -> datetime | None:
        """Return when somebody last asked for the repository's images to be built anew."""


class NoRecords:
    """Remembers nothing: every run of `draftsman run` tries for itself."""

    async def failure(self, key: str) -> KeptFailure | None:
        """Return None."""
        del key
        return None

    async def keep_failure(self, key: str, repo: str, error: BuildError) -> None:
        """Do nothing."""

    async def forget_failure(self, key: str) -> None:
        """Do nothing."""

    async def rebuild_asked_at(self, repo: str) -> datetime | None:
        """Return None."""
        del repo
        return None
