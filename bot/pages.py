"""The page of a run and the log of an attempt. Who knows a run's id may read both.

Whatever a log holds, other requests go on: a page reads the ends of its sections and is made in a thread, a few
at a time, and a whole log is sent in small pieces.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from aiohttp import web

from bot.dashboard.log_sections import shares, unpack
from bot.dashboard.run_page import loud_steps, render_run
from bot.dashboard.run_view import RunView
from draftsman.domain.run import Attempt
from draftsman.domain.waiting import Terms
from draftsman.store import artifacts, attempts, logs, purge, runs, steps, waiting
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED, Pool

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Pages that are made at the same time: each holds its part of the log, and takes a core for a moment."""


async def run_page(
    request: web.Request, pool: Pool[Any], *, server_url: str, terms: Terms, turns: asyncio.Semaphore
) -> web.Response:
    """Answer with the page of the run's newest attempt, or of the one that `?attempt=` names.

    `terms` say why it waits; `turns` lets `AT_ONCE` pages be made at the same time.
    """
    attempt = await find_attempt(pool, request.match_info["run"], request.query.get("attempt"))
    refreshing = request.query.get("refresh") != "off"
    view = await load_view(pool, attempt, server_url=server_url, terms=terms, refreshing=refreshing)
    async with turns:
        page = await make_page(pool, view)
    return web.Response(body=page, content_type="text/html", charset="utf-8")


async def load_view(
    pool: Pool[Any], attempt: Attempt, *, server_url: str, terms: Terms, refreshing: bool = True
) -> RunView:
    """Return the attempt as its page shows it, without its log."""
    removal = await purge.removal_of(pool, attempt.id)
    wait = await waiting.wait_of(pool, attempt, terms)
    return RunView(
        attempt=attempt,
        now=datetime.now(UTC),
        page_url=f"/runs/{attempt.run.id}",
        server_url=server_url,
        refs=tuple(await runs.refs_of(pool, attempt.run.id)),
        plan=await attempts.plan_of(pool, attempt.id),
        image=await attempts.image_of(pool, attempt.id),
        steps=tuple(await steps.of_attempt(pool, attempt.id)),
        findings=tuple(await steps.findings_of(pool, attempt.id)),
        attempts=tuple(await attempts.of_run(pool, attempt.run.id)),
        timings=await attempts.timings_of(pool, attempt.id),
        refreshing=refreshing,
        written=await attempts.summary_of(pool, attempt.id),
        artifacts=tuple(await artifacts.of_attempt(pool, attempt.id)),
        log_removed_at=None if removal is None else removal.at,
        wait=None if wait is None else wait[0],
    )


async def make_page(pool: Pool[Any], view: RunView) -> bytes:
    """Return the page with as much of the log as a page shows."""
    sizes = await logs.section_sizes(pool, view.attempt.id)
    limits = shares(sizes, first=loud_steps(view))
    chunks = await logs.ends(pool, view.attempt.id, limits)

    def render() -> bytes:
        # What a browser cannot be sent as UTF-8 becomes a question mark.
        return render_run(replace(view, sections=unpack(sizes, limits, chunks))).encode("utf-8", "replace")

    return await asyncio.to_thread(render)


async def artifact(request: web.Request, pool: Pool[Any]) -> web.Response:
    """Answer with a file that an attempt left, to be saved: a browser shows nothing of it on our address."""
    attempt = await find_attempt(pool, request.match_info["run"], request.match_info["attempt"])
    found = await artifacts.content(pool, attempt.id, int(request.match_info["artifact"]))
    if found is None:
        raise web.HTTPNotFound(text="There is no such artifact, or its time is over.")
    path, content = found
    name = quote(path.rpartition("/")[2] or "artifact", safe="", errors="replace")
    return web.Response(
        body=content,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


async def attempt_log(request: web.Request, pool: Pool[Any]) -> web.StreamResponse:
    """Answer with the attempt's whole log as plain text, streamed."""
    return await stream_log(
        request, pool, await find_attempt(pool, request.match_info["run"], request.match_info["attempt"])
    )


async def stream_log(request: web.Request, pool: Pool[Any], attempt: Attempt) -> web.StreamResponse:
    """Answer with the attempt's whole log. One that breaks off breaks the connection."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    try:
        async for piece in logs.pieces(pool, attempt.id):
            try:
                await response.write(piece)
            except ConnectionError:
                return response  # the reader left
            await asyncio.sleep(0)  # a fast reader must not keep others waiting
    except (*DATABASE_AWAY, *DATABASE_REFUSED) as error:
        log.error("the log of attempt %s broke off: %r", attempt.id, error)
        if request.transport is not None:
            request.transport.abort()  # an orderly end would look like a whole log
    return response


async def find_attempt(pool: Pool[Any], run: str, number: str | None) -> Attempt:
    """Return the run's attempt of this number, the newest for None. Raises HTTPNotFound."""
    try:
        run_id = UUID(run)
    except ValueError:
        raise _not_found() from None
    for attempt in await attempts.of_run(pool, run_id):
        if number is None or str(attempt.number) == number:
            return attempt
    raise _not_found()


def _not_found() -> web.HTTPNotFound:
    return web.HTTPNotFound(text="There is no such run here.\n")
