"""Errors that a person is told about. Each carries one clear sentence; none is ours to guess at."""

from __future__ import annotations


class DraftsmanError(Exception):
    """Something that Draftsman could not do. `str()` is a sentence that says what and what to do.

    `detail` is optional further text (the end of a log, say), shown below the sentence.
    """

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.detail = detail


class AuthorError(DraftsmanError):
    """The repository is at fault: the attempt ends as `failure`."""


class HostError(DraftsmanError):
    """Draftsman, its engine, network or GitHub is at fault: the attempt ends as `error`."""


class SourceError(HostError):
    """The repository could not be fetched. `transient` says that another try may succeed soon."""

    def __init__(self, sentence: str, detail: str = "", *, transient: bool = False) -> None:
        super().__init__(sentence, detail)
        self.transient = transient


class CommitGoneError(AuthorError):
    """The commit is not in the repository any more (a force push, or a deleted fork)."""


class PlanError(AuthorError):
    """A hint or the profile is malformed, so that no plan can be made."""


class BuildError(AuthorError):
    """The Dockerfile did not build. `detail` holds the failing instruction and its output."""


class EngineError(HostError):
    """The Docker engine is away, or refused what it should accept."""


class SettingsError(DraftsmanError):
    """A setting is wrong, unknown or missing. The sentence names it."""


class LeaseLostError(Exception):
    """Another worker has the attempt now, or it was ended: whoever meets this stops and changes nothing."""
