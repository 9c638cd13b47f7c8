"""A run is what is to be known about one commit; an attempt is one execution of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


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
    """What names a commit: a branch, or a pull request."""

    BRANCH = "branch"
    PULL_REQUEST = "pull_request"


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
    """A name that wants a commit checked: branch name, or pull-request number as text."""

    kind: RefKind
    name: str


@dataclass(frozen=True, slots=True)
class Run:
    """One commit of one repository, to be known about once however many events name it."""

    id: UUID
    repository: Repository
    head_sha: str
    subject: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a run. `epoch` grows with each claim and fences out a worker that lost its lease."""

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
