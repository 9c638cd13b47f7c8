"""Whether a worker takes jobs, for people and for Docker's health check: on a port of its own, for this machine only.

An unhealthy container is only shown as such; a process that makes no progress at all ends (`draftsman/pulse.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass

from aiohttp import web

from draftsman import __version__
from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
LOOKED_WITHIN = 60.0
"""Seconds: a worker with a free slot looks for attempts every five."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """Where a worker stands. `looked_seconds_ago` is when it last could have taken something, None for never yet."""

    name: str
    slots: int
    busy: int
    engine: bool
    room: bool
    drained: bool
    looked_seconds_ago: float | None


def why_not(state: WorkerState) -> str:
    """Return why the worker takes no jobs though it should, empty where it does. One that is drained should not."""
    if not state.engine:
        return "its Docker engine does not answer"
    if not state.room:
        return "the disk of its Docker engine is nearly full"
    if state.looked_seconds_ago is None:
        return "it could not look for jobs yet"
    if state.looked_seconds_ago > LOOKED_WITHIN:
        return f"it could not look for jobs for {state.looked_seconds_ago:.0f} s"
    return ""


def _alert(state: WorkerState) -> Alert:
    """Return what an administrator has to look after, where the worker takes no jobs."""
    if not state.engine:
        return Alert.ENGINE_AWAY
    return Alert.NO_PROGRESS if state.room else Alert.DISK_NEARLY_FULL


def answer(state: WorkerState) -> web.Response:
    """Return the answer to `GET /health`: 200 where the worker takes jobs, else 503 with the reason."""
    fault = why_not(state)
    body = {
        "status": "unavailable" if fault else "ok",
        "fault": fault or None,
        "see": [_alert(state).page] if fault else [],
        "version": __version__,
        **asdict(state),
    }
    return web.json_response(body, status=503 if fault else 200)


async def serve_health(port: int, state: Callable[[], WorkerState]) -> None:
    """Answer on this port until cancelled; 0 is no port. Raises HostError where it is taken."""
    if port == 0:
        return await _for_ever()

    async def health(_: web.Request) -> web.Response:
        return answer(state())

    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise HostError(
                f"Cannot listen on {HOST}:{port} ({error.strerror}): set DRAFTSMAN_WORKER_PORT to a free port, or to 0."
            ) from error
        log.info("tells how it is on http://%s:%s/health", HOST, port)
        await _for_ever()
    finally:
        await runner.cleanup()


async def _for_ever() -> None:
    await asyncio.Event().wait()
