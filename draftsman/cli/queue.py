"""`draftsman queue`: what runs and what waits, and why; pausing, and draining a worker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from draftsman.ansi import harmless
from draftsman.cli import person, services, steer, terminal
from draftsman.cli.terminal import quoted
from draftsman.domain.alert import Alert
from draftsman.domain.errors import DraftsmanError, HostError
from draftsman.domain.waiting import LINE_MOVES, Cause, Pause, moment
from draftsman.domain.worker import STATES, Worker
from draftsman.settings import Settings
from draftsman.steering import Steering
from draftsman.store import waiting, workers
from draftsman.store.queue_document import pause_document, queue_document, worker_document
from draftsman.store.waiting import Queue

_POLL_SECONDS = 0.5

_STATES = {state: state for state in STATES} | {"lost": "not heard of"}
_STYLES = {
    "working": "blue",
    "idle": "green",
    "no engine": "red",
    "no room": "red",
    "draining": "yellow",
    "drained": "yellow",
    "stopped": "dim",
    "lost": "red",
}

_ALERTS: Mapping[str, Alert] = {
    "lost": Alert.WORKER_LOST,
    "no engine": Alert.ENGINE_AWAY,
    "no room": Alert.DISK_NEARLY_FULL,
    Cause.NO_WORKER: Alert.NO_WORKER,
    Cause.NO_FITTING_WORKER: Alert.NO_WORKER,
    Cause.ENGINE_AWAY: Alert.ENGINE_AWAY,
    Cause.DISK_SHORT: Alert.DISK_NEARLY_FULL,
    Cause.QUEUE_FULL: Alert.QUEUE_FULL,
}
"""What an administrator has to look after, by the state of a worker or the cause of a wait."""


async def show_queue(settings: Settings, *, limit: int, as_json: bool) -> int:
    """Print what is paused, the workers, what runs, and at most `limit` of what waits, with the reasons."""
    async with services.opened(services.found(settings).database_url, size=1) as pool:
        found = await waiting.queue(pool, settings.terms, limit=limit)
    if as_json:
        print(json.dumps(queue_document(found), indent=2))
        return 0
    shown = terminal.console()
    for pause in found.scene.pauses:
        shown.print(f"[yellow]‖[/] {_paused(pause)}")
    _show_workers(shown, found)
    _show_running(shown, found)
    _show_waiting(shown, found)
    _show_alerts(shown, found)
    return 0


async def pause(settings: Settings, repo: str | None, *, reason: str, as_json: bool) -> int:
    """Have no run start, or none of one repository, until it is resumed."""
    async with steer.opened(settings) as steering:
        done = await steering.pause(repo, by=person.actor(), shown_as=person.user(), reason=reason)
        running = (await waiting.scene(steering.pool, settings.terms)).running
    going = sum(repo is None or one.repo.lower() == repo.lower() for one in running)
    if as_json:
        print(json.dumps(pause_document(done.pause), indent=2))
        return 0
    shown = terminal.console()
    shown.print(_paused(done.pause) if done.is_new else f"Nothing to change: {_paused(done.pause)}")
    if going:
        shown.print(f"{going} under way, which {'goes' if going == 1 else 'go'} on: `draftsman queue` shows what.")
    return 0


async def resume(settings: Settings, repo: str | None, *, as_json: bool) -> int:
    """Have runs start again. Raises DraftsmanError where nothing of that was paused."""
    async with steer.opened(settings) as steering:
        ended = await steering.resume(repo, by=person.actor())
        left = (await waiting.scene(steering.pool, settings.terms)).pauses
    if ended is None:
        others = "; ".join(_named(pause) for pause in left)
        raise DraftsmanError(
            f"{'Not all is' if repo is None else f'{repo} itself is not'} paused"
            + (f", but this is: {others}." if others else ", and nothing else is.")
        )
    if as_json:
        print(json.dumps(pause_document(ended), indent=2))
        return 0
    shown = terminal.console()
    shown.print(f"{_named(ended)}: runs start again, after a pause since {moment(ended.since)}.")
    for pause in left:
        shown.print(f"[yellow]‖[/] still: {_paused(pause)}")
    return 0


async def drain(
    settings: Settings, name: str, *, reason: str, wait: bool, patience: float | None, as_json: bool
) -> int:
    """Have a worker take nothing new; with `wait`, return once nothing is under way there.

    `patience` is for how many seconds at most, None for ever. Raises HostError where that is not enough.
    """
    async with steer.opened(settings) as steering:
        found = await steering.drain(await _worker_called(steering, name), by=person.actor(), reason=reason)
        assert found is not None
        shown = terminal.console(to_stderr=as_json)
        shown.print(f"Worker {quoted(found.name)} takes nothing new.")
        if wait:
            found = await _until_idle(steering, found, shown, patience)
        elif found.busy:
            shown.print(f"It has {_count(found.busy)} under way, to the end: `--wait` waits for it.")
        now = await waiting.now(steering.pool)
    if as_json:
        print(json.dumps(worker_document(found, now), indent=2))
    return 0


async def undrain(settings: Settings, name: str, *, as_json: bool) -> int:
    """Have a worker take runs again."""
    async with steer.opened(settings) as steering:
        found = await steering.undrain(await _worker_called(steering, name), by=person.actor())
        now = await waiting.now(steering.pool)
    assert found is not None
    if as_json:
        print(json.dumps(worker_document(found, now), indent=2))
        return 0
    state = "" if found.is_alive(now) else f", once it is back: it was last heard of at {moment(found.last_heard_at)}"
    terminal.console().print(f"Worker {quoted(found.name)} takes runs again{state}.")
    return 0


async def _until_idle(steering: Steering, worker: Worker, shown: Console, patience: float | None) -> Worker:
    """Wait until nothing is under way on the worker, saying how many there are, and return it as it is then."""
    deadline = None if patience is None else time.monotonic() + patience
    told: int | None = None
    while True:
        found = await workers.get(steering.pool, worker.name) or worker
        now = await waiting.now(steering.pool)
        # Of one that is gone only the store tells: what it held is taken back.
        busy = found.busy if found.is_alive(now) else len(await _held(steering, found))
        if not busy:
            shown.print(f"Worker {quoted(found.name)} is idle.")
            return found
        if busy != told:
            shown.print(f"{_count(busy)} under way on {quoted(found.name)}")
            told = busy
        if deadline is not None and time.monotonic() > deadline:
            raise HostError(
                f"Worker {found.name} still has {_count(busy)} under way. It goes on draining: wait again, or "
                "`draftsman runs cancel` what `draftsman queue` shows there."
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _held(steering: Steering, worker: Worker) -> list[Any]:
    running = (await waiting.scene(steering.pool, steering.terms)).running
    return [one for one in running if one.worker == worker.name]


async def _worker_called(steering: Steering, name: str) -> str:
    """Return the name of the one worker whose name is this or begins so. Raises DraftsmanError where not one does."""
    known = [worker.name for worker in await workers.everywhere(steering.pool)]
    found = [one for one in known if one == name] or [one for one in known if one.startswith(name)]
    if len(found) == 1:
        return found[0]
    there = f"there are {', '.join(found or known)}" if known else "there is none yet"
    raise DraftsmanError(f"{'Several workers begin' if found else 'No worker begins'} with {name!r}: {there}.")


def _show_workers(shown: Console, queue: Queue) -> None:
    scene = queue.scene
    if not scene.workers:
        shown.print("[bold]workers[/]  none has been heard of: start one with `draftsman up` or `draftsman worker`")
        return
    rows = []
    for worker in scene.workers:
        drain = worker.drain
        why = "" if drain is None else f"since {moment(drain.since)} by {drain.by}{_because(drain.reason)}"
        state = worker.state(scene.now)
        slots, seen = f"{worker.busy} of {worker.slots}", moment(worker.last_heard_at, seconds=True)
        labels = ", ".join(worker.labels)
        rows.append((worker.name, slots, (_STATES[state], _STYLES[state]), labels, seen, worker.version, why))
    _print(shown, ("workers", "slots", "state", "labels", "last seen", "version", "drained"), rows)


def _show_running(shown: Console, queue: Queue) -> None:
    shown.print()
    if not queue.scene.running:
        shown.print("[bold]running[/]  nothing")
        return
    rows = []
    for one in queue.scene.running:
        since = "" if one.since is None else moment(one.since, seconds=True)
        rows.append((str(one.run_id)[:8], one.repo, one.head_sha[:12], str(one.state), since, one.worker or ""))
    _print(shown, ("running", "repository", "commit", "state", "since", "worker"), rows)


def _show_waiting(shown: Console, queue: Queue) -> None:
    shown.print()
    total = queue.queued + queue.approvals
    if not total:
        shown.print("[bold]waiting[/]  nothing")
        return
    rows = []
    for waiter, wait in queue.waiting:
        place = "" if waiter.place is None or wait.cause not in LINE_MOVES else str(waiter.place)
        since = moment(waiter.queued_at, seconds=True)
        rows.append((str(waiter.run_id)[:8], place, waiter.repo, waiter.head_sha[:12], since, wait.says))
    _print(shown, ("waiting", "place", "repository", "commit", "since", "why"), rows)
    if total > len(queue.waiting):
        shown.print(f"and {total - len(queue.waiting)} more: `--limit` shows them")


def _show_alerts(shown: Console, queue: Queue) -> None:
    seen = [worker.state(queue.scene.now) for worker in queue.scene.workers]
    seen += [wait.cause for _, wait in queue.waiting]
    if alerts := sorted({_ALERTS[one] for one in seen if one in _ALERTS}):
        shown.print()
        shown.print(f"see {', '.join(alert.page for alert in alerts)}")


_Cell = str | tuple[str, str]
"""A text, or a text and its style."""


def _print(shown: Console, headings: Sequence[str], rows: Sequence[Sequence[_Cell]]) -> None:
    """Print columns as wide as their widest cell: nothing is cut, also where it is piped."""
    table = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(row[at][0]) for row in [*table, [(one, "") for one in headings]]) for at in range(len(headings))]
    shown.print("  ".join(f"[bold]{one:{width}}[/]" for one, width in zip(headings, widths, strict=True)).rstrip())
    for row in table:
        shown.print("  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(cell: _Cell) -> tuple[str, str]:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return " ⏎ ".join(harmless(text).strip("\n").split("\n")), style


def _padded(cell: tuple[str, str], width: int) -> str:
    text, style = cell
    padded = escape(text) + " " * (width - len(text))
    return f"[{style}]{padded}[/]" if style else padded


def _paused(pause: Pause) -> str:
    return f"{_named(pause)}: paused since {moment(pause.since)} by {quoted(pause.by)}{quoted(_because(pause.reason))}"


def _named(pause: Pause) -> str:
    return "All repositories" if pause.repo is None else quoted(pause.repo)


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _count(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"
