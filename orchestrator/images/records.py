"""What is remembered of builds between attempts: which keys failed, which were pushed, who asked for a rebuild."""

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


@dataclass(frozen=True, slots=True)
class Pushed:
    """An image that lies in the registry: its digest there, and when it was built, by its label."""

    digest: str
    built_at: datetime


class BuildRecords(Protocol):
    """Where that is kept. Keys are image keys, `repo` is OWNER/NAME in any case."""

    async def failure(self, key: str) -> KeptFailure | None:
        """Return the failure of this key, None where it did not fail."""

    async def keep_failure(self, key: str, repo: str, error: BuildError) -> None:
        """Remember that the key failed."""

    async def forget_failure(self, key: str) -> None:
        """Forget a failure: the key built."""

    async def rebuild_asked_at(self, repo: str) -> datetime | None:
        """Return when somebody last asked for the repository's images to be built anew."""

    async def pushed(self, repo: str, key: str) -> Pushed | None:
        """Return the newest image of the key that was pushed, None where none was."""

    async def keep_pushed(self, repo: str, key: str, pushed: Pushed) -> None:
        """Remember what was pushed, unless a newer one was."""

    async def forget_pushed(self, repo: str, key: str, digest: str) -> None:
        """Forget that the key was pushed, where it is of this digest: the registry has it no more."""

    async def base_key(self, repo: str, suffix: str, platform: str) -> str | None:
        """Return the key of the image that the base branch was last checked in, by its tag's suffix there."""

    async def keep_base_key(self, repo: str, suffix: str, platform: str, key: str) -> None:
        """Remember it."""


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

    async def pushed(self, repo: str, key: str) -> Pushed | None:
        """Return None."""
        del repo, key
        return None

    async def keep_pushed(self, repo: str, key: str, pushed: Pushed) -> None:
        """Do nothing."""

    async def forget_pushed(self, repo: str, key: str, digest: str) -> None:
        """Do nothing."""

    async def base_key(self, repo: str, suffix: str, platform: str) -> str | None:
        """Return None."""
        del repo, suffix, platform
        return None

    async def keep_base_key(self, repo: str, suffix: str, platform: str, key: str) -> None:
        """Do nothing."""
