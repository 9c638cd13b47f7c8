"""Why a run waits, as a person is told it: one row for each cause, and which one is told where several hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from draftsman.domain.run import RunState
from draftsman.domain.waiting import Cause, Pause, Running, Scene, Terms, Waiter, told, why
from draftsman.domain.worker import Drain, Worker

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
CAME = NOON - timedelta(minutes=10)


def ago(minutes: float) -> datetime:
    return NOON - timedelta(minutes=minutes)


def worker(name: str = "w1", **fields: Any) -> Worker:
    known = {"slots": 2, "busy": 0, "per_repository": 2, "engine": "e", "started_at": ago(600), "seen_at": NOON}
    return Worker(name, "host", "1.0", **{**known, **fields})


def running(number: int, *, repository_id: int = 7, since: datetime = CAME, is_held: bool = True) -> Running:
    state = RunState.RUNNING
    return Running(UUID(int=number), UUID(int=number), 1, repository_id, "a/b", "0" * 40, state, "w1", since, is_held)


def waiter(**fields: Any) -> Waiter:
    attempt = Waiter(UUID(int=99), UUID(int=98), 1, 7, "Acme/Widgets", "a" * 40, RunState.QUEUED, CAME)
    return replace(attempt, **fields)


def scene(*workers: Worker, **fields: Any) -> Scene:
    return Scene(NOON, workers or (worker(),), **fields)


FULL = (running(1, since=ago(4)), running(2, since=ago(3)))
OTHERS = (running(1, repository_id=8, since=ago(4)), running(2, repository_id=9, since=ago(3)))
DRAIN = Drain(ago(2), "ada")

CASES: dict[str, tuple[Waiter, Scene, Cause, datetime, str]] = {
    "no engine answers": (
        waiter(),
        scene(worker(engine_away_since=ago(3)), worker("w2", drain=DRAIN)),
        Cause.ENGINE_AWAY,
        ago(3),
        "the Docker engine of the only worker does not answer since 2026-11-26 11:57 UTC",
    ),
    "the disk of the only engine is nearly full": (
        waiter(),
        scene(worker(disk_short_since=ago(3)), worker("w2", drain=DRAIN), worker("w3", engine_away_since=ago(4))),
        Cause.DISK_SHORT,
        ago(3),
        "the disk of the only worker is nearly full since 2026-11-26 11:57 UTC",
    ),
    "one of two disks has room": (
        waiter(),
        scene(worker(disk_short_since=ago(3)), worker("w2")),
        Cause.NEXT,
        CAME,
        "a worker takes it in a moment",
    ),
    "one of two engines answers": (
        waiter(),
        scene(worker(engine_away_since=ago(3)), worker("w2")),
        Cause.NEXT,
        CAME,
        "a worker takes it in a moment",
    ),
    "no worker has the labels": (
        waiter(runs_on=("gpu", "arm64")),
        scene(worker(labels=("gpu", "amd64")), worker("w2", labels=("arm64",))),
        Cause.NO_FITTING_WORKER,
        CAME,
        "no worker with the labels arm64 and gpu since 2026-11-26 11:50 UTC",
    ),
    "the one with the labels is gone": (
        waiter(runs_on=("gpu",)),
        scene(worker(), worker("w2", labels=("gpu",), seen_at=ago(3))),
        Cause.NO_FITTING_WORKER,
        ago(3),
        "no worker with the label gpu since 2026-11-26 11:57 UTC",
    ),
    "the one with the labels drains": (
        waiter(runs_on=("gpu",)),
        scene(worker(), worker("w2", labels=("gpu",), drain=DRAIN)),
        Cause.DRAINING,
        ago(2),
        "the only worker with the label gpu takes nothing new since 2026-11-26 11:58 UTC",
    ),
    "the engine of those with the labels is away": (
        waiter(runs_on=("gpu",)),
        scene(worker(), *(worker(name, labels=("gpu",), engine_away_since=ago(3)) for name in ("w2", "w3"))),
        Cause.ENGINE_AWAY,
        ago(3),
        "the Docker engines of all workers with the label gpu do not answer since 2026-11-26 11:57 UTC",
    ),
    "the one with the labels is busy": (
        waiter(runs_on=("gpu",)),
        scene(worker(), worker("w2", labels=("gpu",), busy=2)),
        Cause.WORKERS_BUSY,
        CAME,
        "all workers with the label gpu are busy, 2 of 2 slots are in use",
    ),
    "all have the labels": (
        waiter(runs_on=("gpu",)),
        scene(worker(labels=("gpu",), busy=2)),
        Cause.WORKERS_BUSY,
        CAME,
        "all workers are busy, 2 of 2",
    ),
    "nobody knows what a worker of an earlier version offers": (
        waiter(runs_on=("gpu",)),
        Scene(NOON, running=(running(1, repository_id=8),)),
        Cause.WORKERS_BUSY,
        CAME,
        "all workers",
    ),
    "nothing in the way": (waiter(), scene(), Cause.NEXT, CAME, "a worker takes it in a moment"),
    "not decided yet": (
        waiter(state=RunState.WAITING),
        scene(),
        Cause.APPROVAL,
        CAME,
        "looking at whether this needs approval",
    ),
    "approval": (
        waiter(state=RunState.WAITING, title="waiting for approval: the first pull request of eve"),
        scene(),
        Cause.APPROVAL,
        CAME,
        "waiting for approval: the first pull request of eve",
    ),
    "not served": (
        waiter(is_admitted=False),
        scene(),
        Cause.NOT_ADMITTED,
        CAME,
        "this Draftsman does not serve Acme/Widgets",
    ),
    "all paused": (
        waiter(),
        scene(pauses=(Pause("ada", ago(60), "upgrade"),)),
        Cause.PAUSED,
        CAME,
        "all runs are paused since 2026-11-26 11:00 UTC by ada: upgrade",
    ),
    "the repository paused, after it came": (
        waiter(),
        scene(pauses=(Pause("ada", ago(1), repo="acme/widgets"),)),
        Cause.PAUSED,
        ago(1),
        "this repository is paused since 2026-11-26 11:59 UTC by ada",
    ),
    "another repository paused": (
        waiter(),
        scene(pauses=(Pause("ada", ago(1), repo="acme/gadgets"),)),
        Cause.NEXT,
        CAME,
        "a worker takes it in a moment",
    ),
    "its job goes on at another engine": (
        waiter(kept_until=NOON + timedelta(seconds=30), runs_on=("gpu",)),
        scene(pauses=(Pause("ada", ago(1)),)),
        Cause.HANDED_OVER,
        CAME,
        "its job goes on, and a worker of the same engine is waited for until 2026-11-26 12:00:30 UTC",
    ),
    "nobody waits for that engine any more": (waiter(kept_until=NOON), scene(), Cause.NEXT, CAME, "a worker takes it"),
    "tried again later": (
        waiter(not_before=NOON + timedelta(seconds=90)),
        scene(),
        Cause.BACKING_OFF,
        CAME,
        "it is tried again at 2026-11-26 12:01:30 UTC",
    ),
    "tried again by now": (waiter(not_before=NOON), scene(), Cause.NEXT, CAME, "a worker takes it in a moment"),
    "no worker ever": (
        waiter(),
        Scene(NOON),
        Cause.NO_WORKER,
        CAME,
        "no worker can take it, there is none yet",
    ),
    "no worker any more": (
        waiter(),
        scene(worker(seen_at=ago(3)), worker("w2", seen_at=ago(60))),
        Cause.NO_WORKER,
        ago(3),
        "no worker can take it, none was heard of since 2026-11-26 11:57 UTC",
    ),
    "the only worker stopped": (
        waiter(),
        scene(worker(seen_at=NOON, stopped_at=ago(0.1))),
        Cause.NO_WORKER,
        ago(0.1),
        "no worker can take it, none was heard of since 2026-11-26 11:59 UTC",
    ),
    "a worker that says nothing, of an earlier version": (
        waiter(),
        Scene(NOON, running=OTHERS),
        Cause.WORKERS_BUSY,
        ago(3),
        "all workers are busy",
    ),
    "its lease ran out": (
        waiter(),
        Scene(NOON, running=(running(1, is_held=False),)),
        Cause.NO_WORKER,
        CAME,
        "no worker can take it, there is none yet",
    ),
    "the only worker drains": (
        waiter(),
        scene(worker(drain=DRAIN)),
        Cause.DRAINING,
        ago(2),
        "the only worker takes nothing new since 2026-11-26 11:58 UTC",
    ),
    "one of two drains": (
        waiter(),
        scene(worker(drain=DRAIN), worker("w2", busy=2)),
        Cause.WORKERS_BUSY,
        CAME,
        "all workers are busy, 2 of 2 slots are in use",
    ),
    "the queue is full": (
        waiter(ahead=3),
        scene(terms=Terms(queue_limit=3), running=FULL),
        Cause.QUEUE_FULL,
        CAME,
        "the queue of this repository is full, 3 of its runs go before this one",
    ),
    "the last that fits": (waiter(ahead=2), scene(terms=Terms(queue_limit=3)), Cause.NEXT, CAME, "a worker takes it"),
    "no limit of the queue": (waiter(ahead=9), scene(), Cause.NEXT, CAME, "a worker takes it"),
    "the repository has its share": (
        waiter(),
        scene(running=FULL),
        Cause.REPOSITORY_LIMIT,
        ago(3),
        "2 runs of this repository are under way, and no more may be at once",
    ),
    "another worker lets more of it run": (
        waiter(),
        scene(worker(), worker("w2", per_repository=3), running=FULL),
        Cause.NEXT,
        CAME,
        "a worker takes it",
    ),
    "all slots are in use": (
        waiter(),
        scene(worker(busy=2), running=OTHERS),
        Cause.WORKERS_BUSY,
        ago(3),
        "all workers are busy, 2 of 2 slots are in use",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_says_why_it_waits(name: str) -> None:
    one, around, cause, since, says = CASES[name]
    found = why(one, around)
    assert (found.cause, found.since) == (cause, since)
    assert found.says.startswith(says)


def test_the_runs_that_hold_the_limit_are_named() -> None:
    assert why(waiter(), scene(running=FULL)).held_by == (UUID(int=1), UUID(int=2))


def test_what_a_person_has_to_end_is_told_before_what_ends_by_itself() -> None:
    everything = scene(
        worker(busy=2, drain=DRAIN),
        running=FULL,
        pauses=(Pause("bob", ago(9), repo="acme/widgets"), Pause("ada", ago(8))),
        terms=Terms(queue_limit=1),
    )
    held = waiter(is_admitted=False, ahead=1, not_before=NOON + timedelta(hours=1))
    assert why(held, everything).cause is Cause.NOT_ADMITTED
    served = replace(held, is_admitted=True)
    assert "all runs are paused" in why(served, everything).says
    own = replace(everything, pauses=everything.pauses[:1])
    assert "this repository is paused" in why(served, own).says
    going = replace(everything, pauses=())
    assert why(served, going).cause is Cause.BACKING_OFF
    due = replace(served, not_before=None)
    assert why(due, going).cause is Cause.DRAINING
    taking = replace(going, workers=(worker(busy=2),))
    assert why(due, taking).cause is Cause.QUEUE_FULL
    assert why(replace(due, ahead=0), taking).cause is Cause.REPOSITORY_LIMIT
    assert why(replace(due, ahead=0), replace(taking, running=OTHERS)).cause is Cause.WORKERS_BUSY


@pytest.mark.parametrize(
    ("around", "says"),
    [
        (scene(), "waiting for a worker"),
        (scene(worker(busy=2)), "waiting for a worker"),
        (scene(worker(seen_at=ago(0.9))), "waiting for a worker"),
        (scene(worker(seen_at=ago(1))), "waiting: no worker can take it"),
        (scene(worker(drain=Drain(ago(0.5), "ada"))), "waiting for a worker"),
        (scene(worker(drain=Drain(ago(2), "ada"))), "waiting: the only worker takes nothing new"),
        (scene(running=FULL), "waiting: 2 runs of this repository"),
        (scene(pauses=(Pause("ada", NOON),)), "waiting: all runs are paused"),
    ],
)
def test_github_is_told_what_is_news_there(around: Scene, says: str) -> None:
    found = told(why(waiter(), around), NOON)
    assert found.says.startswith(says)
    assert (found.key == "") is (says == "waiting for a worker")
    assert bool(found.more) is bool(found.key)


def test_that_no_worker_has_the_labels_is_told_after_a_minute_and_what_ends_it() -> None:
    found = why(waiter(runs_on=("gpu",)), scene())
    assert told(replace(found, since=ago(0.9)), NOON).key == ""
    late = told(found, NOON)
    said = "waiting: no worker with the label gpu since 2026-11-26 11:50 UTC"
    assert (late.key, late.says) == ("no_fitting_worker", said)
    assert "once there is such a worker" in late.more


def test_that_a_worker_was_started_again_is_no_news_for_github() -> None:
    assert told(why(waiter(kept_until=NOON + timedelta(seconds=9)), scene()), NOON).says == "waiting for a worker"


def test_another_pause_is_another_reason_and_a_longer_line_is_not() -> None:
    first = why(waiter(), scene(pauses=(Pause("ada", ago(5)),)))
    second = why(waiter(), scene(pauses=(Pause("ada", ago(4)),)))
    assert told(first, NOON).key != told(second, NOON).key
    full = Terms(queue_limit=1)
    longer = [told(why(waiter(ahead=ahead), scene(terms=full)), NOON).key for ahead in (1, 2)]
    assert longer[0] == longer[1]


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (worker(), "idle"),
        (worker(busy=1), "working"),
        (worker(busy=1, drain=DRAIN), "draining"),
        (worker(drain=DRAIN), "drained"),
        (worker(seen_at=ago(1)), "lost"),
        (worker(stopped_at=NOON, drain=DRAIN), "stopped"),
    ],
)
def test_a_worker_says_where_it_stands(one: Worker, state: str) -> None:
    assert one.state(NOON) == state
