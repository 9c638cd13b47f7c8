"""What failed here, seen against the last run of the branch that the change goes to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.markdown import cut
from draftsman.domain.finding import Finding
from draftsman.domain.plan import Tier
from draftsman.domain.run import Naming, RefKind, Run
from draftsman.store.steps import StepRecord

SHORT_SHA = 7
LONGEST_NAME = 30
"""Bytes of a branch's name in a phrase: it may have 250."""


@dataclass(frozen=True, slots=True)
class BaseBranch:
    """The branch whose last run is compared with. `is_own`: the run itself is one of that branch."""

    name: str
    is_own: bool

    @property
    def shown(self) -> str:
        """Return the name as a phrase has it."""
        return cut(self.name, LONGEST_NAME)


@dataclass(frozen=True, slots=True)
class Base:
    """The last run of the base branch that says anything."""

    branch: BaseBranch
    head_sha: str
    steps: tuple[StepRecord, ...]
    findings: tuple[Finding, ...]

    @property
    def short_sha(self) -> str:
        """Return the commit as people write it."""
        return self.head_sha[:SHORT_SHA]


def base_branch(run: Run, namings: Sequence[Naming]) -> BaseBranch:
    """Return what the run is compared with.

    That is the branch that its pull request is to be merged into, what names the commit now first; without a pull
    request the default branch. A commit of that very branch is compared with the one before.
    """
    ordered = sorted(namings, key=lambda naming: not naming.is_current)
    bases = [one.base_branch for one in ordered if one.ref.kind is RefKind.PULL_REQUEST and one.base_branch]
    name = bases[0] if bases else run.repository.default_branch
    is_own = any(one.ref.kind is RefKind.BRANCH and one.ref.name == name for one in namings)
    return BaseBranch(name, is_own)


def step_note(step: StepRecord, base: Base | None) -> str:
    """Return what the base says of a step that failed here, empty where it says nothing."""
    if base is None or not step.is_red:
        return ""
    was = _was_red(step, base)
    if was is None:
        return ""
    if base.branch.is_own:
        return f"failed at {base.short_sha} too" if was else f"was green at {base.short_sha}"
    return f"fails on {base.branch.shown} too" if was else "new here"


def is_new(found: Finding, base: Base | None) -> bool | None:
    """Return whether the base has not got the finding, at whatever line; None where the base does not tell."""
    if base is None:
        return None
    if _identity(found) in {_identity(one) for one in base.findings}:
        return False
    return True if _ran(base, found.tier) else None


def verdict_note(steps: Iterable[StepRecord], findings: Sequence[Finding], base: Base | None) -> str:
    """Return in a phrase whether what failed is news, empty where the base does not tell.

    `steps` and `findings` are those of the tier that is shown.
    """
    failed = [step for step in steps if step.is_red]
    if base is None or not failed:
        return ""
    known = [was for step in failed if (was := _was_red(step, base)) is not None]
    if not known:
        return ""
    name, sha = base.branch.shown, base.short_sha
    if not any(known):
        return f"was green at {sha}" if base.branch.is_own else f"new here: {name} passes ({sha})"
    if not all(known):
        news = known.count(False)
        where = sha if base.branch.is_own else f"{name}, {sha}"
        return f"{news} of {len(failed)} failures {'is' if news == 1 else 'are'} new since {where}"
    too = f"failed at {sha} too" if base.branch.is_own else f"fails on {name} too ({sha})"
    more = sum(is_new(found, base) is True for found in findings)
    if not more or not base.findings:
        return too
    return f"{too}, {more} new {'finding' if more == 1 else 'findings'} here"


def _was_red(step: StepRecord, base: Base) -> bool | None:
    """Return whether the same command of the same tier failed there, None where it was not run to its end."""
    same = [one for one in base.steps if (one.tier, one.command) == (step.tier, step.command)]
    ended = [one for one in same if one.state == "finished"]
    return any(one.exit_code != 0 for one in ended) if ended else None


def _ran(base: Base, tier: Tier) -> bool:
    return any(step.tier is tier and step.state == "finished" for step in base.steps)


def _identity(found: Finding) -> tuple[str, str, str, str]:
    """Return what two findings share that are the same one; lines move."""
    return found.path.removeprefix("./"), found.title, found.message, found.tool
