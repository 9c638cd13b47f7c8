"""What is tried again how often, and after which pause."""

from __future__ import annotations

import pytest

from draftsman.domain.errors import AuthorError, BuildError, EngineError, HostError, SourceError
from draftsman.domain.retry import BUDGETS, LONGEST_SECONDS, Cause, RetryRules, pause_before_retry

RULES = RetryRules(retries=3, seconds=30)


def pauses(cause: Cause, rules: RetryRules = RULES) -> list[float]:
    """The pauses before each retry of an attempt that this cause ends again and again."""
    found: list[float] = []
    while (pause := pause_before_retry(cause, [cause] * len(found), rules)) is not None:
        found.append(pause)
    return found


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (Cause.REGISTRY, [30, 120, 480]),
        (Cause.NETWORK, [30, 120, 480]),
        (Cause.SOURCE, [30, 120, 480]),
        (Cause.ENGINE, [30, 120, 480]),
        (Cause.KILLED, [0, 0]),
        (Cause.WORKER, [30]),
        (Cause.DISK, [120]),
    ],
)
def test_each_cause_has_its_budget_and_its_pauses(cause: Cause, expected: list[float]) -> None:
    assert pauses(cause) == expected


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_a_budget_and_a_phrase_and_can_be_turned_off(cause: Cause) -> None:
    assert cause in BUDGETS
    assert cause.phrase
    assert pauses(cause, RetryRules(0)) == []
    assert len(pauses(cause, RetryRules(1))) == 1


def test_a_pause_is_never_longer_than_an_hour() -> None:
    assert max(pauses(Cause.REGISTRY, RetryRules(20, 3600))) == LONGEST_SECONDS


def test_other_causes_do_not_spend_a_budget_but_all_together_end() -> None:
    rules = RetryRules(retries=2, seconds=30)
    earlier = [Cause.NETWORK, Cause.SOURCE, Cause.NETWORK]
    assert pause_before_retry(Cause.REGISTRY, earlier, rules) == 30
    assert pause_before_retry(Cause.SOURCE, earlier, rules) == 120
    assert pause_before_retry(Cause.NETWORK, earlier, rules) is None
    assert pause_before_retry(Cause.REGISTRY, [*earlier, Cause.SOURCE], rules) is None


def test_errors_say_whether_another_try_may_go_better() -> None:
    assert EngineError("x").cause is Cause.ENGINE
    assert EngineError("x", cause=Cause.DISK).cause is Cause.DISK
    assert SourceError("x", transient=True).cause is Cause.SOURCE
    assert SourceError("x").cause is None
    for kind in (HostError, AuthorError, BuildError):
        assert kind("x").cause is None
