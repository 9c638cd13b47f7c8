"""Whether an event that names a commit starts another attempt of its run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import ACTIVE_STATES, Conclusion, Naming, RefKind, RunState, Trust


class When(StrEnum):
    """When the attempt that an event calls for starts."""

    NOW = "now"
    LATER = "later"
    """Once the one that is under way has ended; then it is asked again."""
    NEVER = "never"
    """What there is already tells what the event wants to know."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is of a run's attempt. `is_unwanted`: it ends, or ended, because nothing named its commit any more.

    `seen_base` is the base branch of the pull request that it was seen in, None for none; `planned` are the tiers for
    which its plan has commands, `tiers` those that were asked for.
    """

    trust: Trust
    state: RunState
    conclusion: Conclusion | None = None
    is_unwanted: bool = False
    seen_base: str | None = None
    planned: frozenset[Tier] = frozenset()
    tiers: frozenset[Tier] = frozenset(CHECKED_TIERS)


@dataclass(frozen=True, slots=True)
class Base:
    """The branch that a pull request wants a commit in, and the tiers for which its own last plan has commands.

    `is_default` says that it is the default branch, which a push of another branch was seen against as well.
    """

    branch: str
    tiers: Collection[Tier] = ()
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Renewal:
    """When the next attempt starts, with which trust, and whether plans that were kept count no more.

    `base_branch` is that of the pull request that it will be seen in.
    """

    when: When
    trust: Trust
    replan: bool = False
    base_branch: str | None = None


def renewal(known: Sequence[Known], trust: Trust, base: Base | None = None) -> Renewal:
    """Return what an event of this trust calls for, where the run has these attempts, newest first.

    `base` is that of the pull request that counts (`counting`), None where none names the commit. Another one than
    the newest attempt was seen against tells something new where the base's configuration decided, where the change
    was left out, or where the base checks what the commit does not.
    """
    branch = None if base is None else base.branch
    if not known:
        return Renewal(When.NOW, trust, base_branch=branch)
    newest = known[0]
    is_rebased = base is not None and branch != newest.seen_base
    only_untrusted = all(one.trust is Trust.UNTRUSTED for one in known)
    if newest.is_unwanted or (trust is Trust.TRUSTED and only_untrusted):
        is_late = newest.state in ACTIVE_STATES or (newest.is_unwanted and newest.state is not RunState.FINISHED)
        return Renewal(When.LATER if is_late else When.NOW, trust, is_rebased, branch)
    when = When.NEVER
    if base is not None and is_rebased:
        when = _when_rebased(newest, base)
    if when is When.NEVER and not _covers(known):
        # A person had only some checks run; an event calls for all. One that nobody took yet is widened.
        when = When.LATER if newest.state in ACTIVE_STATES else When.NOW
    return Renewal(when, newest.trust, is_rebased, branch)


def _covers(known: Sequence[Known]) -> bool:
    return frozenset().union(*(one.tiers for one in known)) >= frozenset(CHECKED_TIERS)


def _when_rebased(newest: Known, base: Base) -> When:
    if newest.state in ACTIVE_STATES:
        return When.LATER
    # One that nobody took yet is seen against whatever names it then.
    return When.NOW if newest.state is RunState.FINISHED and _is_news(newest, base) else When.NEVER


def _is_news(newest: Known, base: Base) -> bool:
    if newest.trust is Trust.UNTRUSTED:
        return True
    if newest.conclusion is Conclusion.SKIPPED:
        return newest.seen_base is not None or not base.is_default
    has_no_plan = newest.conclusion is not Conclusion.NEUTRAL and not newest.planned
    return not has_no_plan and not set(base.tiers) <= newest.planned


def counting(namings: Sequence[Naming], kinds: Sequence[RefKind], default_branch: str) -> Naming | None:
    """Return the ref whose base counts, of the kinds in this order; None where none of them has a base.

    Of several pull requests it is one into the default branch, else the newest: a stranger can open another one, into
    a branch with less checks. `namings` are those that name the commit now, oldest first.
    """
    for kind in kinds:
        having = [one for one in namings if one.ref.kind is kind and one.base_sha]
        into_default = [one for one in having if one.base_branch == default_branch]
        if having:
            return (into_default or having)[-1]
    return None
