"""What a delivery calls for, as a value that is kept with it, and what an administrator set that decides it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.policy import RepoPolicy
from draftsman.domain.run import Ref, Repository
from draftsman.domain.waiting import Terms
from draftsman.store.runs import Wanted
from draftsman.store.tasks import FIRST_CONTACT, START_LATE, TaskWanted

_NOTHING = "nothing: "


class TaskKind(StrEnum):
    """What is done over a stored delivery, with GitHub's help."""

    FOLLOW = "follow"
    """Ask what a ref names now, and end the runs that nothing names any more."""
    TRUST = "trust"
    """Decide whether a pull request from a fork needs approval."""
    MERGE = "merge"
    """Start the run of a pull request merged into its base."""
    RERUN = "rerun"
    """Start another attempt: a re-run or action button of the check UI."""
    COMMENT = "comment"
    """Do what the commands of a comment say."""
    FIRST_CONTACT = FIRST_CONTACT
    """Run the default branch of repositories that the App was just installed on."""
    START_LATE = START_LATE
    """Start an attempt once the one that is under way has ended."""
    NAME = "name"
    """Ask what a repository is called now: of two events with different names the older one may come last."""


@dataclass(frozen=True, slots=True)
class InstallationNote:
    """The App is installed on this account; what is None is as it was."""

    id: int
    account: str
    account_id: int
    suspended: bool | None = None
    removed: bool | None = None


@dataclass(frozen=True, slots=True)
class RepositoryNote:
    """The repository is called so now, belongs to that installation, or is gone. `formerly` is its name before that."""

    repository: Repository
    gone: bool = False
    formerly: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a delivery calls for. `text` is one sentence, kept with the delivery; `wanted` is the run, if any.

    `notes` are kept with the delivery, `tasks` are done after it.
    """

    text: str
    wanted: Wanted | None = None
    tasks: tuple[TaskWanted, ...] = ()
    notes: tuple[InstallationNote | RepositoryNote, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Return whether the delivery calls for nothing at all."""
        return self.text.startswith(_NOTHING)


@dataclass(frozen=True, slots=True)
class Rules:
    """What an administrator set. `server_url` is GitHub's web address, which repositories are cloned from.

    `policy` is that of the repository at hand; `app_id` is our App's id or client id: events about checks of other Apps
    are not ours. `aliases` says whether `/test` and the like are commands. Where more than `queue_limit` attempts of a
    repository are in line, newer commits end the older ones' of their refs, whatever its policy is; 0 is no limit.
    """

    server_url: str
    skip_markers: tuple[str, ...] = ()
    policy: RepoPolicy = field(default_factory=RepoPolicy)
    app_id: str = ""
    aliases: bool = True
    admission: Admission = EVERYBODY
    queue_limit: int = 0

    @property
    def terms(self) -> Terms:
        """Return what decides why a run waits."""
        return Terms(self.admission, self.queue_limit, self.policy.runs_on)


def nothing(reason: str) -> Decision:
    """Return the decision that the delivery calls for nothing; the reason is a clause."""
    return Decision(f"{_NOTHING}{reason}")


def lane_of(repository_id: int, ref: Ref) -> str:
    """Return the lane in which the tasks about one ref are done one after another."""
    return f"{repository_id}:{ref.kind}:{ref.name}"


def commit_lane(repository_id: int, head_sha: str) -> str:
    """Return the lane in which the re-runs of one commit are done one after another."""
    return f"{repository_id}:commit:{head_sha}"


def follow(repository_id: int, ref: Ref, *, left: str | None = None) -> TaskWanted:
    """Return the task that asks what the ref names now; `left` is a commit that it names no more, whatever is said."""
    detail = {"repository_id": repository_id, "kind": str(ref.kind), "name": ref.name, "left": left}
    return TaskWanted(TaskKind.FOLLOW, lane_of(repository_id, ref), detail)
