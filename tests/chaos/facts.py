"""What the oracle judges: what was wanted, and what was found at the end. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TIERS = ("fast", "full")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A commit that somebody pushed, and what must come of it.

    `ends` are the conclusions that its newest attempt may have; `shown` what GitHub must show of each tier, empty where
    GitHub shows the App nothing any more. `lines` counts the numbered lines that the job prints in each tier. A commit
    that `may_be_superseded` may end as cancelled as well.
    """

    sha: str
    what: str
    ends: frozenset[str]
    shown: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    may_be_superseded: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery of GitHub's: whether we said that we have it, and whether the store does."""

    guid: str
    event: str
    accepted: bool
    known: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A check run as GitHub shows it; the oldest has the lowest `id`."""

    id: int
    tier: str
    sha: str
    external_id: str
    status: str
    conclusion: str | None
    title: str

    @property
    def attempt(self) -> int:
        """Return the number of the attempt that it tells of, 0 where it names none."""
        parts = self.external_id.split("/")
        return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else 0


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt as the store has it. `lines` are the numbers of the lines in its log, by tier, in the log's order."""

    id: str
    run: str
    sha: str
    subject: str
    number: int
    state: str
    conclusion: str | None
    title: str
    asked_by: str | None = None
    lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audited:
    """A row of the audit trail that is of an attempt. `epoch` is that of a claim, `now` the state that it led to."""

    attempt: str
    action: str
    epoch: int | None = None
    now: str | None = None
    actor: str = "worker one"


@dataclass(frozen=True, slots=True)
class Answered:
    """A command that somebody wrote as a comment: our replies to it, and our reactions."""

    body: str
    replies: int
    reactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was found. `left` names what was left on the engine and in the home folder; `open` what is
    still to be done; `refused` what GitHub would refuse; `asked_of_gone` the repositories that we have no business with
    any more and still ask about."""

    wanted: tuple[Wanted, ...]
    delivered: tuple[Delivered, ...]
    shown: tuple[Shown, ...]
    attempts: tuple[Attempted, ...]
    audit: tuple[Audited, ...]
    answered: tuple[Answered, ...] = ()
    left: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    asked_of_gone: tuple[str, ...] = ()
