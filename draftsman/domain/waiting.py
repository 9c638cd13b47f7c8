"""Why an attempt that nobody executes waits, and since when. Pure: what the store knows in, a sentence out.

Of several causes the one is told that holds longest: what a person has to end before what ends by itself.

| cause              | waits for                                                                       |
|--------------------|---------------------------------------------------------------------------------|
| approval           | a person who lets the commit of a fork run                                      |
| not_admitted       | an administrator who lets the repository be served                              |
| handed_over        | a worker of the engine where its job goes on, for a short time                  |
| paused             | `draftsman queue resume`: all, or this repository                               |
| backing_off        | the time at which it is tried again                                             |
| no_worker          | a worker: none was heard of lately                                              |
| no_fitting_worker  | a worker that offers the labels which its repository needs                      |
| draining           | a worker: those there are take nothing new                                      |
| engine_away        | a Docker engine: those of all workers are away                                  |
| disk_short         | room: the disks of all engines are nearly full                                  |
| queue_full         | its repository's own: as many as are let into the line wait before it           |
| repository_limit   | the end of a run of its repository: as many go on as may at once                |
| workers_busy       | the end of any run: all slots are in use                                        |
| next               | nothing: a worker takes it in a moment                                          |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.labels import covers, named
from draftsman.domain.run import RunState
from draftsman.domain.worker import Worker

TOLD_AFTER = timedelta(seconds=60)
"""How long workers have to be missing before people are told: a restart takes less."""


class Cause(StrEnum):
    """What an attempt waits for; see the module's table."""

    APPROVAL = "approval"
    NOT_ADMITTED = "not_admitted"
    HANDED_OVER = "handed_over"
    PAUSED = "paused"
    BACKING_OFF = "backing_off"
    NO_WORKER = "no_worker"
    NO_FITTING_WORKER = "no_fitting_worker"
    DRAINING = "draining"
    ENGINE_AWAY = "engine_away"
    DISK_SHORT = "disk_short"
    QUEUE_FULL = "queue_full"
    REPOSITORY_LIMIT = "repository_limit"
    WORKERS_BUSY = "workers_busy"
    NEXT = "next"


LONGEST_REASON = 200
"""Characters of what a person says of a pause or a drain: check runs show it."""

_WITHOUT_WORKER = (Cause.NO_WORKER, Cause.DRAINING, Cause.ENGINE_AWAY, Cause.DISK_SHORT)
_USUAL = (Cause.WORKERS_BUSY, Cause.NEXT)
"""What every run waits for now and then: no news for GitHub."""

LINE_MOVES = (*_WITHOUT_WORKER, Cause.QUEUE_FULL, Cause.REPOSITORY_LIMIT, *_USUAL)
"""Where an attempt has a place in the line; others are passed by."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the instance was started with: whose repositories it serves, and how many attempts of one may be in line.

    `queue_limit` of 0 is no limit. `runs_on` are the labels that a repository needs for which no policy says so.
    """

    admission: Admission = EVERYBODY
    queue_limit: int = 0
    runs_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pause:
    """That nothing new starts. `repo` is OWNER/NAME in lower case, None for all; `reason` may be empty."""

    by: str
    since: datetime
    reason: str = ""
    repo: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that a worker holds. `is_held` is False where its lease ran out; `since` is when it first started."""

    attempt_id: UUID
    run_id: UUID
    number: int
    repository_id: int
    repo: str
    head_sha: str
    state: RunState
    worker: str | None
    since: datetime | None
    is_held: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything around the attempts that wait, read at one moment, `now`, by the store's clock.

    `labels` are those by which its workers were chosen, where others were left out.
    """

    now: datetime
    workers: tuple[Worker, ...] = ()
    pauses: tuple[Pause, ...] = ()
    running: tuple[Running, ...] = ()
    terms: Terms = Terms()
    labels: tuple[str, ...] = ()

    @property
    def live_workers(self) -> tuple[Worker, ...]:
        """Return the workers that are there, also those that are draining."""
        return tuple(worker for worker in self.workers if worker.is_alive(self.now))

    @property
    def taking_workers(self) -> tuple[Worker, ...]:
        """Return the workers that take attempts."""
        return tuple(worker for worker in self.live_workers if worker.drain is None)

    def offering(self, labels: tuple[str, ...]) -> Scene:
        """Return the scene as it is for an attempt that needs these labels: with the workers that offer them."""
        fitting = tuple(worker for worker in self.workers if covers(worker.labels, labels))
        return self if len(fitting) == len(self.workers) else replace(self, workers=fitting, labels=labels)

    def of_repository(self, repository_id: int) -> tuple[Running, ...]:
        """Return the repository's attempts that are under way."""
        return tuple(one for one in self.running if one.repository_id == repository_id)

    def pause_of(self, repo: str) -> Pause | None:
        """Return what pauses the repository: the pause of all before its own."""
        mine = [pause for pause in self.pauses if pause.repo in (None, repo.lower())]
        return min(mine, key=lambda pause: pause.repo is not None, default=None)


@dataclass(frozen=True, slots=True)
class Waiter:
    """An attempt that nobody executes. `title` is what its check run says of an approval, None before that is known.

    `ahead` counts the attempts of its repository that go before it; `place` is its place in the whole line, from 1,
    None where it has none. `not_before` is when it may be tried again, None for at once. `runs_on` are the labels that
    its repository needs of a worker. Until `kept_until` it is kept for workers of the engine where its job goes on.
    """

    attempt_id: UUID
    run_id: UUID
    number: int
    repository_id: int
    repo: str
    head_sha: str
    state: RunState
    queued_at: datetime
    title: str | None = None
    is_admitted: bool = True
    ahead: int = 0
    place: int | None = None
    not_before: datetime | None = None
    runs_on: tuple[str, ...] = ()
    kept_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Why an attempt waits. `since` is from when on it did for this cause; `says` is a phrase without a full stop.

    `until` is when it ends by itself, where that is known; `held_by` are the runs whose end it waits for.
    """

    cause: Cause
    since: datetime
    says: str
    until: datetime | None = None
    held_by: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A wait as GitHub is told of it. `key` changes when it is worth telling again; `more` is a sentence, or empty."""

    key: str
    says: str
    more: str = ""


def is_reason(text: str) -> bool:
    """Return whether the text can be the reason of a pause or a drain: one line, not too long."""
    return len(text) <= LONGEST_REASON and text.isprintable()


def why(waiter: Waiter, scene: Scene) -> Wait:
    """Return why the attempt waits."""
    fitting = scene.offering(waiter.runs_on)
    for cause in _CAUSES:
        found = cause(waiter, scene if cause in _OF_ALL_WORKERS else fitting)
        if found is not None:
            return found
    return Wait(Cause.NEXT, waiter.queued_at, "a worker takes it in a moment")


def told(wait: Wait, now: datetime) -> Told:
    """Return what GitHub is told: the cause where it is news there, else that a worker is waited for."""
    early = wait.cause in (*_WITHOUT_WORKER, Cause.NO_FITTING_WORKER) and now - wait.since < TOLD_AFTER
    if wait.cause in (*_USUAL, Cause.HANDED_OVER) or early:
        return Told("", "waiting for a worker")
    key = f"{wait.cause} {wait.since.isoformat()}" if wait.cause is Cause.PAUSED else str(wait.cause)
    return Told(key, f"waiting: {wait.says}", _WHAT_ENDS_IT.get(wait.cause, ""))


_WHAT_ENDS_IT = {
    Cause.NOT_ADMITTED: "It starts once an administrator of this Draftsman lets the repository be served.",
    Cause.PAUSED: "It starts by itself once an administrator of this Draftsman resumes the queue.",
    Cause.NO_WORKER: "It starts by itself once a worker of this Draftsman is back: ask whoever runs it.",
    Cause.NO_FITTING_WORKER: "It starts by itself once there is such a worker: ask whoever runs this Draftsman.",
    Cause.DRAINING: "It starts by itself once a worker of this Draftsman takes work again.",
    Cause.ENGINE_AWAY: "It starts by itself once the engine answers: ask whoever runs this Draftsman.",
    Cause.DISK_SHORT: "It starts by itself once there is room again: ask whoever runs this Draftsman.",
    Cause.QUEUE_FULL: "Nothing is lost: it starts by itself when its turn comes.",
    Cause.REPOSITORY_LIMIT: "It starts by itself when one of them has ended.",
}


def _since(waiter: Waiter, *times: datetime | None) -> datetime:
    return max([waiter.queued_at, *(at for at in times if at is not None)])


def _approval(waiter: Waiter, scene: Scene) -> Wait | None:
    if waiter.state is not RunState.WAITING:
        return None
    return Wait(Cause.APPROVAL, waiter.queued_at, waiter.title or "looking at whether this needs approval")


def _admission(waiter: Waiter, scene: Scene) -> Wait | None:
    if waiter.is_admitted:
        return None
    return Wait(Cause.NOT_ADMITTED, waiter.queued_at, f"this Draftsman does not serve {waiter.repo}")


def _handed_over(waiter: Waiter, scene: Scene) -> Wait | None:
    if waiter.kept_until is None or waiter.kept_until <= scene.now:
        return None
    until = moment(waiter.kept_until, seconds=True)
    said = f"its job goes on, and a worker of the same engine is waited for until {until}"
    return Wait(Cause.HANDED_OVER, waiter.queued_at, said, until=waiter.kept_until)


def _paused(waiter: Waiter, scene: Scene) -> Wait | None:
    pause = scene.pause_of(waiter.repo)
    if pause is None:
        return None
    what = "all runs are" if pause.repo is None else "this repository is"
    reason = f": {pause.reason}" if pause.reason else ""
    return Wait(
        Cause.PAUSED, _since(waiter, pause.since), f"{what} paused since {moment(pause.since)} by {pause.by}{reason}"
    )


def _back_off(waiter: Waiter, scene: Scene) -> Wait | None:
    if waiter.not_before is None or waiter.not_before <= scene.now:
        return None
    at = moment(waiter.not_before, seconds=True)
    return Wait(Cause.BACKING_OFF, waiter.queued_at, f"it is tried again at {at}", until=waiter.not_before)


def _nobody(waiter: Waiter, scene: Scene) -> Wait | None:
    # A worker of an earlier version says nothing, but what it holds tells of it.
    if scene.live_workers or any(one.is_held for one in scene.running):
        return None
    last = max((worker.last_heard_at for worker in scene.workers), default=None)
    heard = "there is none yet" if last is None else f"none was heard of since {moment(last)}"
    return Wait(Cause.NO_WORKER, _since(waiter, last), f"no worker can take it, {heard}")


def _unfit(waiter: Waiter, scene: Scene) -> Wait | None:
    fitting = scene.offering(waiter.runs_on)
    # Of what a worker of an earlier version offers, nobody knows.
    if not waiter.runs_on or fitting.live_workers or not scene.live_workers:
        return None
    since = _since(waiter, max((worker.last_heard_at for worker in fitting.workers), default=None))
    return Wait(Cause.NO_FITTING_WORKER, since, f"no worker with {named(waiter.runs_on)} since {moment(since)}")


def _draining(waiter: Waiter, scene: Scene) -> Wait | None:
    drains = [worker.drain.since for worker in scene.live_workers if worker.drain is not None]
    if scene.taking_workers or not drains:
        return None
    chosen = _with_labels(scene)
    how_many = f"the only worker{chosen} takes" if len(drains) == 1 else f"all {len(drains)} workers{chosen} take"
    since = max(drains)
    return Wait(Cause.DRAINING, _since(waiter, since), f"{how_many} nothing new since {moment(since)}")


def _engine(waiter: Waiter, scene: Scene) -> Wait | None:
    away = [worker.engine_away_since for worker in scene.taking_workers if worker.engine_away_since is not None]
    if not away or len(away) < len(scene.taking_workers):
        return None
    chosen, since = _with_labels(scene), max(away)
    one, all_of_them = f"the Docker engine of the only worker{chosen}", f"the Docker engines of all workers{chosen}"
    whose = f"{one} does" if len(away) == 1 else f"{all_of_them} do"
    return Wait(Cause.ENGINE_AWAY, _since(waiter, since), f"{whose} not answer since {moment(since)}")


def _room(waiter: Waiter, scene: Scene) -> Wait | None:
    taking = [worker for worker in scene.taking_workers if worker.engine_away_since is None]
    short = [worker.disk_short_since for worker in taking if worker.disk_short_since is not None]
    if not short or len(short) < len(taking):
        return None
    chosen, since = _with_labels(scene), max(short)
    whose = f"the disk of the only worker{chosen} is" if len(short) == 1 else f"the disks of all workers{chosen} are"
    return Wait(Cause.DISK_SHORT, _since(waiter, since), f"{whose} nearly full since {moment(since)}")


def _full(waiter: Waiter, scene: Scene) -> Wait | None:
    limit = scene.terms.queue_limit
    if not limit or waiter.ahead < limit:
        return None
    said = f"the queue of this repository is full, {waiter.ahead} of its runs go before this one"
    return Wait(Cause.QUEUE_FULL, waiter.queued_at, said)


def _limit(waiter: Waiter, scene: Scene) -> Wait | None:
    most = max((worker.per_repository for worker in scene.taking_workers), default=None)
    holders = scene.of_repository(waiter.repository_id)
    if most is None or len(holders) < most:
        return None
    runs = "1 run of this repository is" if len(holders) == 1 else f"{len(holders)} runs of this repository are"
    return Wait(
        Cause.REPOSITORY_LIMIT,
        _since(waiter, *(one.since for one in holders)),
        f"{runs} under way, and no more may be at once",
        held_by=tuple(one.run_id for one in holders),
    )


def _busy(waiter: Waiter, scene: Scene) -> Wait | None:
    taking = scene.taking_workers
    slots, busy = sum(worker.slots for worker in taking), sum(min(worker.busy, worker.slots) for worker in taking)
    if busy < slots:
        return None
    latest = max((one.since for one in scene.running if one.since is not None), default=None)
    said = f"all workers{_with_labels(scene)} are busy"
    said = f"{said}, {busy} of {slots} slots are in use" if slots else said
    return Wait(Cause.WORKERS_BUSY, _since(waiter, latest), said)


_CAUSES = (
    *(_approval, _admission, _handed_over, _paused, _back_off),
    *(_nobody, _unfit, _draining, _engine, _room, _full, _limit, _busy),
)
_OF_ALL_WORKERS = (_nobody, _unfit)


def _with_labels(scene: Scene) -> str:
    return f" with {named(scene.labels)}" if scene.labels else ""


def moment(at: datetime, *, seconds: bool = False) -> str:
    """Return the moment in UTC, to the minute or to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M{':%S' if seconds else ''}} UTC"
