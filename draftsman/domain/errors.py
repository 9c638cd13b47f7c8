"""Errors that a person is told about. Each carries one clear sentence; none is ours to guess at."""

from __future__ import annotations

from typing import ClassVar

from draftsman.domain.alert import Alert
from draftsman.domain.retry import Cause


class DraftsmanError(Exception):
    """Something that Draftsman could not do. `str()` is a sentence that says what and what to do.

    `detail` is optional further text (the end of a log, say), shown below the sentence. `cause` says that another try
    may go better, by no doing of the author's; `alert` names the page for whoever looks after this Draftsman.
    `usual_cause` and `usual_alert` are those of errors that name none.
    """

    usual_cause: ClassVar[Cause | None] = None
    usual_alert: ClassVar[Alert | None] = None

    def __init__(
        self, sentence: str, detail: str = "", *, cause: Cause | None = None, alert: Alert | None = None
    ) -> None:
        super().__init__(sentence)
        self.detail = detail
        self.cause = cause or self.usual_cause
        self.alert = alert or self.usual_alert


class AuthorError(DraftsmanError):
    """The repository is at fault: the attempt ends as `failure`."""


class HostError(DraftsmanError):
    """Draftsman, its engine, network or GitHub is at fault: the attempt ends as `error`."""


class SourceError(HostError):
    """The repository could not be fetched. `transient` says that another try may succeed soon."""

    def __init__(self, sentence: str, detail: str = "", *, transient: bool = False, cause: Cause | None = None) -> None:
        super().__init__(sentence, detail, cause=cause or (Cause.SOURCE if transient else None))
        self.transient = transient


class DiskFullError(HostError):
    """The disk that holds Draftsman's own files (mirrors, scratch) is full."""

    usual_cause: ClassVar[Cause | None] = Cause.DISK
    usual_alert: ClassVar[Alert | None] = Alert.DISK_NEARLY_FULL

    def __init__(self, folder: object) -> None:
        super().__init__(
            f"The disk of {folder} is full: free some space there (`draftsman gc` removes what is not needed), then "
            "press Re-run."
        )


class CommitGoneError(AuthorError):
    """The commit is not in the repository any more (a force push, or a deleted fork)."""


class PlanError(AuthorError):
    """A hint or the profile is malformed, so that no plan can be made."""


class BuildError(AuthorError):
    """The Dockerfile did not build. `detail` holds the failing instruction and its output."""


class EngineError(HostError):
    """The Docker engine is away, or refused what it should accept."""

    usual_cause: ClassVar[Cause | None] = Cause.ENGINE
    usual_alert: ClassVar[Alert | None] = Alert.ENGINE_AWAY


class SettingsError(DraftsmanError):
    """A setting is wrong, unknown or missing. The sentence names it."""


class LeaseLostError(Exception):
    """Another worker has the attempt now, or it was ended: whoever meets this stops and changes nothing."""
