"""The queue as programs are shown it: by the API and by `--json`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from draftsman.domain.run import Attempt
from draftsman.domain.waiting import LINE_MOVES, Pause, Running, Terms, Wait, Waiter
from draftsman.domain.worker import Worker
from draftsman.store import waiting
from draftsman.store.database import Database
from draftsman.store.waiting import Queue


def queue_document(queue: Queue) -> dict[str, Any]:
    """Return what runs, what waits and why, the workers, and what is paused."""
    scene = queue.scene
    return {
        "at": scene.now.isoformat(),
        "pauses": [pause_document(pause) for pause in scene.pauses],
        "workers": [worker_document(worker, scene.now) for worker in scene.workers],
        "running": [_running(one) for one in scene.running],
        "queued": queue.queued,
        "approvals": queue.approvals,
        "waiting": [_waiter(waiter, wait) for waiter, wait in queue.waiting],
    }


def pause_document(pause: Pause) -> dict[str, Any]:
    """Return one pause; `repo` is null where it is that of all repositories."""
    return {"repo": pause.repo, "since": pause.since.isoformat(), "by": pause.by, "reason": pause.reason}


def worker_document(worker: Worker, now: datetime) -> dict[str, Any]:
    """Return one worker, as it stands at `now`, the store's time."""
    drain = worker.drain
    return {
        "name": worker.name,
        "host": worker.host,
        "version": worker.version,
        "engine": worker.engine,
        "labels": list(worker.labels),
        "engine_away_since": None if worker.engine_away_since is None else worker.engine_away_since.isoformat(),
        "disk_short_since": None if worker.disk_short_since is None else worker.disk_short_since.isoformat(),
        "state": worker.state(now),
        "slots": worker.slots,
        "busy": worker.busy,
        "started_at": worker.started_at.isoformat(),
        "seen_at": worker.seen_at.isoformat(),
        "drain": None if drain is None else {"since": drain.since.isoformat(), "by": drain.by, "reason": drain.reason},
    }


def wait_document(wait: Wait) -> dict[str, Any]:
    """Return why an attempt waits."""
    return {
        "cause": wait.cause,
        "since": wait.since.isoformat(),
        "says": wait.says,
        "until": None if wait.until is None else wait.until.isoformat(),
        "held_by": [str(run) for run in wait.held_by],
    }


async def wait_of(db: Database, attempt: Attempt, terms: Terms) -> dict[str, Any] | None:
    """Return why the attempt waits, None where it is executed or has finished."""
    found = await waiting.wait_of(db, attempt, terms)
    return None if found is None else wait_document(found[0])


def _attempt(one: Running | Waiter) -> dict[str, Any]:
    return {
        "run_id": str(one.run_id),
        "attempt_id": str(one.attempt_id),
        "attempt": one.number,
        "repo": one.repo,
        "sha": one.head_sha,
        "state": one.state,
    }


def _running(one: Running) -> dict[str, Any]:
    return {
        **_attempt(one),
        "worker": one.worker,
        "since": None if one.since is None else one.since.isoformat(),
    }


def _waiter(one: Waiter, wait: Wait) -> dict[str, Any]:
    return {
        **_attempt(one),
        "place": one.place if wait.cause in LINE_MOVES else None,
        "queued_at": one.queued_at.isoformat(),
        "wait": wait_document(wait),
    }
