"""Repositories as the script of a day (`days.py`) sees them: what is there, and what may happen to it now. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

MAIN, RELEASE = "main", "release"


@dataclass(frozen=True)
class Place:
    """A repository; `forks` is the login that contributes from a fork, `weight` how much happens there."""

    name: str
    weight: int
    forks: str = ""
    has_queue: bool = False
    has_checks: bool = False
    policy: tuple[tuple[str, object], ...] = ()

    @property
    def is_gated(self) -> bool:
        return ("approval", "approve-all") in self.policy


PLACES = (
    Place("words", 5, policy=(("run_tags", True),)),
    Place("lines", 4, policy=(("run_tags", True),)),
    Place("pages", 4),
    Place("open", 4, forks="fern", policy=(("approval", "open"),)),
    Place("gate", 4, forks="gail", policy=(("approval", "approve-all"),)),
    Place("queue", 4, has_queue=True),
    Place("notes", 1, has_checks=True),
)


@dataclass(frozen=True)
class Event:
    """Something that somebody does. `name` is of a branch, a pull request or a tag; `commit` a label of a commit."""

    kind: str
    place: str
    name: str = ""
    commit: str = ""
    text: str = ""
    more: str = ""


@dataclass(frozen=True)
class Head:
    """Something that names a commit at the end of the day: a `branch`, `pull`, `tag` or `group`.

    `is_sure` says that what is shown there does not depend on who was quicker: a branch that is there, a pull request
    that is open. Of others it is asked that nothing is unfinished.
    """

    kind: str
    place: str
    name: str
    is_sure: bool = True


@dataclass(eq=False)
class Branch:
    name: str
    is_fork: bool = False
    commits: list[str] = field(default_factory=list)
    exists: bool = True
    is_skipping: bool = False


@dataclass(eq=False)
class Proposal:
    name: str
    branch: Branch
    base: str = MAIN
    is_open: bool = True
    is_draft: bool = False
    is_merged: bool = False
    queued: str = ""
    was_withdrawn: bool = False


@dataclass(eq=False)
class Scene:
    """What a repository looks like while the day is made up. `moved`, `still` and `kept` are of this act.

    `moved`: something happened to it. `still`: somebody acted on what it shows, so nothing may happen to it any more.
    `kept`: somebody wrote there, so it stays open.
    """

    place: Place
    branches: dict[str, Branch] = field(default_factory=dict)
    pulls: dict[str, Proposal] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    renamed: int = 0
    strangers: int = 0
    costs: int = 0
    moved: set[object] = field(default_factory=set)
    still: set[object] = field(default_factory=set)
    kept: set[object] = field(default_factory=set)

    def free(self, *, fork: bool = False) -> list[Branch]:
        """Branches that somebody may push to now."""
        held = {pull.branch for pull in self.pulls.values() if pull.is_open and pull.queued == "waiting"}
        return [b for b in self.branches.values() if b.exists and b.is_fork == fork and b not in self.still | held]

    def loose(self, *, is_open: bool = True) -> list[Proposal]:
        """Pull requests that something may happen to now."""
        found = [p for p in self.pulls.values() if p.is_open == is_open and not p.is_merged]
        return [p for p in found if not {p, p.branch} & self.still and p.queued != "waiting"]

    def at_rest(self) -> list[Proposal]:
        """Open pull requests to which nothing happened in this act."""
        busy = self.moved | self.still | self.kept
        found = [p for p in self.pulls.values() if p.is_open and not {p, p.branch} & busy]
        return [p for p in found if p.queued != "waiting"]

    def named(self, branch: Branch) -> list[Proposal]:
        return [pull for pull in self.pulls.values() if pull.branch is branch]
