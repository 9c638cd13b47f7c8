"""A run is what is to be known about one commit; an attempt is one execution of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.retry import Cause


class RunState(StrEnum):
    """Where an attempt stands. A run's state is that of its newest attempt."""

    WAITING = "waiting"
    QUEUED = "queued"
    PREPARING = "preparing"
    BUILDING = "building"
    RUNNING = "running"
    FINISHED = "finished"


ACTIVE_STATES = (RunState.PREPARING, RunState.BUILDING, RunState.RUNNING)
"""States in which a worker holds the attempt's lease."""


class Conclusion(StrEnum):
    """How an attempt ended. `error` is ours, never the author's."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    ACTION_REQUIRED = "action_required"
    ERROR = "error"


class Trust(StrEnum):
    """Whether the code comes from somebody who can write to the repository."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class RefKind(StrEnum):
    """What names a commit: a branch, a pull request, an entry of a merge queue, or a tag."""

    BRANCH = "branch"
    PULL_REQUEST = "pull_request"
    MERGE_GROUP = "merge_group"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as GitHub knows it. `id` survives renames, `full_name` (owner/name) does not."""

    id: int
    full_name: str
    clone_url: str
    default_branch: str
    private: bool
    installation_id: int | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """A name that wants a commit checked: name of a branch or tag, or pull-request number as text."""

    kind: RefKind
    name: str


@dataclass(frozen=True, slots=True)
class Naming:
    """A ref that names a run's commit, or once did.

    `base_sha` is what its change is seen against: the commit before a push, the base branch's commit of a pull request;
    `base_branch` is the branch that it is to be merged into. `is_current` says that the ref still names the commit.
    """

    ref: Ref
    base_sha: str | None = None
    base_branch: str | None = None
    is_current: bool = True


HEAD = "head"
"""The subject of a run that tests a commit as it is."""

_MERGE = "merge:"


def merge_subject(base_sha: str) -> str:
    """Return the subject of a run that tests a commit merged into this one."""
    return f"{_MERGE}{base_sha}"


@dataclass(frozen=True, slots=True)
class Run:
    """One commit of one repository, to be known about once however many events name it."""

    id: UUID
    repository: Repository
    head_sha: str
    subject: str
    created_at: datetime

    @property
    def merge_base_sha(self) -> str | None:
        """Return the commit that the head is merged into for the test, None where it is tested as it is."""
        return self.subject.removeprefix(_MERGE) if self.subject.startswith(_MERGE) else None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a run. `epoch` grows with each claim and fences out a worker that lost its lease.

    `tiers` are those that were asked for; `rebuild` has the plan made and the image built anew. `asked_by` is the
    person who asked for it, None for an event.

    `cause` says why a finished one may go better at another try, and `retried_as` is the number of the attempt that
    tries it again. That one is the `retry_of` this number, `reason` is the phrase that says why it is there, and nobody
    takes it up before `not_before`.
    """

    id: UUID
    run: Run
    number: int
    trust: Trust
    state: RunState
    conclusion: Conclusion | None
    title: str | None
    detail: str | None
    epoch: int
    version: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    tiers: frozenset[Tier] = frozenset(CHECKED_TIERS)
    rebuild: bool = False
    asked_by: str | None = None
    cause: Cause | None = None
    retry_of: int | None = None
    retried_as: int | None = None
    reason: str | None = None
    not_before: datetime | None = None
