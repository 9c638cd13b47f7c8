"""When an event starts another attempt, and which pull request's base counts."""

from __future__ import annotations

import pytest

from draftsman.domain.plan import Tier
from draftsman.domain.renewal import Base, Known, When, counting, renewal
from draftsman.domain.run import Conclusion, Naming, Ref, RefKind, RunState, Trust

BOTH = frozenset((Tier.FAST, Tier.FULL))
T, U = Trust.TRUSTED, Trust.UNTRUSTED
DONE, RUNS, QUEUED, WAITS = RunState.FINISHED, RunState.RUNNING, RunState.QUEUED, RunState.WAITING
MAIN, WEAK = Base("main", BOTH, is_default=True), Base("weak", {Tier.FAST})


def one(trust: Trust, state: RunState, conclusion: Conclusion | None = None, **more: object) -> Known:
    planned = more.pop("planned", BOTH)
    return Known(trust, state, conclusion, planned=planned, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "trust", "base", "when"),
    [
        ([], U, None, When.NOW),
        ([one(T, DONE, Conclusion.SUCCESS)], T, None, When.NEVER),
        # What ends because nothing named the commit is begun again, once it has ended.
        ([one(T, DONE, Conclusion.CANCELLED, is_unwanted=True)], T, None, When.NOW),
        ([one(T, RUNS, is_unwanted=True)], T, None, When.LATER),
        # A trusted event.
        ([one(U, DONE, Conclusion.SUCCESS)], T, None, When.NOW),
        ([one(U, WAITS)], T, None, When.NOW),
        ([one(U, QUEUED)], T, None, When.NOW),
        ([one(U, RUNS)], T, None, When.LATER),
        ([one(U, RUNS), one(T, DONE, Conclusion.SUCCESS)], T, None, When.NEVER),
        ([one(T, RUNS)], U, None, When.NEVER),
        # A pull request into another base.
        ([one(U, DONE, Conclusion.SUCCESS, seen_base="weak")], U, MAIN, When.NOW),
        ([one(U, DONE, Conclusion.SUCCESS, seen_base="main")], U, MAIN, When.NEVER),
        ([one(U, RUNS, seen_base="weak")], U, MAIN, When.LATER),
        ([one(U, WAITS, seen_base="weak")], U, MAIN, When.NEVER),
        ([one(T, DONE, Conclusion.SUCCESS, seen_base="weak")], T, MAIN, When.NEVER),
        ([one(T, DONE, Conclusion.SKIPPED, seen_base="weak", planned=BOTH)], T, MAIN, When.NOW),
        ([one(T, DONE, Conclusion.SKIPPED)], T, MAIN, When.NEVER),
        ([one(T, DONE, Conclusion.SKIPPED)], T, WEAK, When.NOW),
        ([one(T, DONE, Conclusion.NEUTRAL, planned=frozenset())], T, MAIN, When.NOW),
        ([one(T, DONE, Conclusion.SUCCESS, planned=frozenset({Tier.FAST}))], T, MAIN, When.NOW),
        ([one(T, DONE, Conclusion.SUCCESS, planned=frozenset({Tier.FAST}))], T, WEAK, When.NEVER),
        ([one(T, DONE, Conclusion.FAILURE, planned=frozenset())], T, MAIN, When.NEVER),
    ],
)
def test_an_event_starts_what_tells_something_new(
    known: list[Known], trust: Trust, base: Base | None, when: When
) -> None:
    assert renewal(known, trust, base).when is when


def test_another_base_makes_the_plan_anew_and_leaves_the_trust() -> None:
    found = renewal([one(T, DONE, Conclusion.SKIPPED, seen_base="weak")], U, MAIN)
    assert (found.trust, found.replan, found.base_branch) == (T, True, "main")


def pull(number: int, base: str) -> Naming:
    return Naming(Ref(RefKind.PULL_REQUEST, str(number)), "b" * 40, base)


def test_of_several_pull_requests_one_into_the_default_branch_counts() -> None:
    kinds = (RefKind.PULL_REQUEST,)
    assert counting([pull(1, "weak"), pull(2, "main"), pull(3, "weak")], kinds, "main") == pull(2, "main")
    assert counting([pull(1, "old"), pull(2, "weak")], kinds, "main") == pull(2, "weak")
    assert counting([Naming(Ref(RefKind.BRANCH, "x"), "b" * 40)], kinds, "main") is None
