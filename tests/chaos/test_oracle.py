"""The oracle finds what it is there to find: a run in which all is well, with one thing spoilt at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.facts import Answered, Attempted, Audited, Delivered, Facts, Shown, Wanted
from tests.chaos.oracle import Wrong, judge
from tests.chaos.report import lines
from tests.chaos.suite import Played

SHA = "a" * 40
LINES = (1, 2, 3)
ATTEMPT = Attempted("id", "run", SHA, "head", 1, "finished", "success", "all checks passed", None, {"fast": LINES})
TRAIL = (
    Audited("id", "attempt.created"),
    Audited("id", "attempt.claimed", epoch=1),
    Audited("id", "attempt.building"),
    Audited("id", "attempt.running"),
    Audited("id", "lease.lost", now="queued"),
    Audited("id", "attempt.claimed", epoch=2),
    Audited("id", "attempt.running"),
    Audited("id", "attempt.finished"),
)
FAST = Shown(1, "fast", SHA, "run/1/fast", "completed", "success", "passed")
FULL = Shown(2, "full", SHA, "run/1/full", "completed", "success", "passed")
WANTED = Wanted(SHA, "a commit", frozenset({"success"}), {"fast": "success", "full": "success"}, {"fast": 3})
WELL = Facts(
    wanted=(WANTED,),
    delivered=(Delivered("guid", "push", True, True),),
    shown=(FAST, FULL),
    attempts=(ATTEMPT,),
    audit=TRAIL,
    answered=(Answered("/help", 1, ("eyes", "rocket")),),
)
SECOND = replace(ATTEMPT, id="second", number=2)
SECOND_TRAIL = (
    Audited("second", "attempt.created"),
    Audited("second", "attempt.claimed", epoch=1),
    Audited("second", "attempt.running"),
    Audited("second", "attempt.finished"),
)

Spoil = Callable[[Facts], Facts]


def logged(*numbers: int) -> Spoil:
    return lambda facts: replace(facts, attempts=(replace(ATTEMPT, lines={"fast": numbers}),))


def audited(*rows: Audited) -> Spoil:
    return lambda facts: replace(facts, audit=rows)


SPOILT: dict[str, tuple[str, Spoil]] = {
    "an accepted delivery that is not kept": (
        "lost",
        lambda facts: replace(facts, delivered=(Delivered("guid", "push", True, False),)),
    ),
    "a failed delivery that was never fetched": (
        "lost",
        lambda facts: replace(facts, delivered=(Delivered("guid", "push", False, False),)),
    ),
    "a commit without a run": ("lost", lambda facts: replace(facts, attempts=(), audit=())),
    "another conclusion": ("lost", lambda facts: replace(facts, attempts=(replace(ATTEMPT, conclusion="error"),))),
    "an attempt that does not end": (
        "stuck",
        lambda facts: replace(facts, attempts=(replace(ATTEMPT, state="running", conclusion=None),)),
    ),
    "two runs of a commit": (
        "doubled",
        lambda facts: replace(facts, attempts=(ATTEMPT, replace(SECOND, run="other")), audit=(*TRAIL, *SECOND_TRAIL)),
    ),
    "a passed run that is tried again": (
        "doubled",
        lambda facts: replace(facts, attempts=(ATTEMPT, SECOND), audit=(*TRAIL, *SECOND_TRAIL)),
    ),
    "a tier that GitHub is not told of": ("lost", lambda facts: replace(facts, shown=(FAST,))),
    "a tier that GitHub shows otherwise": (
        "lost",
        lambda facts: replace(facts, shown=(FAST, replace(FULL, conclusion="failure"))),
    ),
    "a check run of an older attempt": (
        "lost",
        lambda facts: replace(facts, shown=(FAST, replace(FULL, external_id="run/0/full"))),
    ),
    "a check run that is unfinished": (
        "stuck",
        lambda facts: replace(facts, shown=(FAST, replace(FULL, status="in_progress", conclusion=None))),
    ),
    "two check runs of a tier": ("doubled", lambda facts: replace(facts, shown=(FAST, FULL, replace(FULL, id=3)))),
    "a line that is missing": ("lost", logged(1, 3)),
    "a log that ends early": ("lost", logged(1, 2)),
    "a line that is there twice": ("doubled", logged(1, 2, 2, 3)),
    "lines out of order": ("lost", logged(1, 3, 2)),
    "no end in the audit trail": ("lost", audited(*TRAIL[:-1])),
    "two ends": ("doubled", audited(*TRAIL, Audited("id", "attempt.finished"))),
    "two claims at once": ("doubled", audited(*TRAIL[:4], *TRAIL[5:])),
    "two claims of one epoch": (
        "doubled",
        audited(*TRAIL[:5], Audited("id", "attempt.claimed", epoch=1), *TRAIL[6:]),
    ),
    "an epoch that nobody claimed": (
        "lost",
        audited(*TRAIL[:5], Audited("id", "attempt.claimed", epoch=3), *TRAIL[6:]),
    ),
    "a step back": ("lost", audited(*TRAIL[:4], Audited("id", "attempt.building"), *TRAIL[4:])),
    "an attempt that nobody made": ("lost", audited(*TRAIL[1:])),
    "two replies": ("doubled", lambda facts: replace(facts, answered=(Answered("/help", 2, ("rocket",)),))),
    "no reply": ("lost", lambda facts: replace(facts, answered=(Answered("/help", 0, ("rocket",)),))),
    "no rocket": ("lost", lambda facts: replace(facts, answered=(Answered("/help", 1, ("eyes",)),))),
    "something left behind": ("stuck", lambda facts: replace(facts, left=("draftsman-job-1",))),
    "something not done": ("stuck", lambda facts: replace(facts, open=("a task",))),
    "a question about what is gone": ("stuck", lambda facts: replace(facts, asked_of_gone=("acme/gone",))),
    "a request that GitHub would refuse": ("lost", lambda facts: replace(facts, refused=("422",))),
}


def test_all_is_well_where_nothing_is_wrong() -> None:
    assert judge(WELL) == []


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_spoilt_is_found(name: str) -> None:
    kind, spoil = SPOILT[name]
    assert kind in [wrong.kind for wrong in judge(spoil(WELL))]


def test_what_ended_by_our_own_fault_is_tried_again_and_no_news() -> None:
    first = replace(ATTEMPT, conclusion="error", lines={"fast": (1, 2)})
    shown = tuple(
        replace(run, external_id=f"run/{number}/{run.tier}", id=2 * number + run.id)
        for number in (1, 2)
        for run in (FAST, FULL)
    )
    assert judge(replace(WELL, attempts=(first, SECOND), audit=(*TRAIL, *SECOND_TRAIL), shown=shown)) == []


def test_what_ended_by_our_own_fault_is_tried_again_before_anybody_asks() -> None:
    first = replace(ATTEMPT, conclusion="error", lines={})
    for asked_by, found in ((None, False), ("octocat", True)):
        facts = replace(WELL, attempts=(first, replace(SECOND, asked_by=asked_by)), audit=(*TRAIL, *SECOND_TRAIL))
        assert any("by itself" in wrong.what for wrong in judge(facts, tries_again=True)) is found


def test_an_older_head_may_be_superseded_and_must_be_shown_so() -> None:
    wanted = replace(WANTED, may_be_superseded=True)
    cancelled = replace(ATTEMPT, conclusion="cancelled", lines={})
    asked = (Audited("id", "attempt.created"), Audited("id", "attempt.cancel_asked"))
    told = tuple(replace(run, conclusion="cancelled") for run in (FAST, FULL))
    facts = replace(WELL, wanted=(wanted,), attempts=(cancelled,), audit=asked, shown=told)
    assert judge(facts) == []
    # What was to be shown of a passed one is not shown of this one.
    assert judge(replace(facts, wanted=(WANTED,))) != []


def test_the_last_line_says_what_was_found_and_what_was_counted() -> None:
    played = Played(rounds=1)
    played.happened["Redis flushed"] = 2
    *_, last = lines([], WELL, played, minutes=3.4, people=0)
    assert last.startswith(
        "lost 0, doubled 0, stuck 0 (1 deliveries, 0 of them fetched later, 1 runs, 1 claims taken over, "
    )
    assert last.endswith("2 faults in 1 kinds, 3 min)")
    *said, last = lines([Wrong("lost", "a line"), Wrong("stuck", "a task")], WELL, played, minutes=3.4, people=0)
    assert said == ["lost: a line", "stuck: a task"]
    assert last.startswith("lost 1, doubled 0, stuck 1 (")
