"""The page of a run and the log of an attempt. Who knows a run's id may read both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import web

from bot.dashboard.log_sections import collect
from bot.dashboard.run_page import render_run
from bot.dashboard.run_view import RunView
from draftsman.domain.run import Attempt
from draftsman.store import attempts, logs, runs, steps
from draftsman.store.database import Pool


async def run_page(request: web.Request, pool: Pool[Any], *, server_url: str) -> web.Response:
    """Answer with the page of the run's newest attempt, or of the one that `?attempt=` names."""
    attempt = await find_attempt(pool, request.match_info["run"], request.query.get("attempt"))
    view = await load_view(pool, attempt, server_url=server_url, refreshing=request.query.get("refresh") != "off")
    return web.Response(text=render_run(view), content_type="text/html", charset="utf-8")


async def load_view(pool: Pool[Any], attempt: Attempt, *, server_url: str, refreshing: bool = True) -> RunView:
    """Return the attempt as its page shows it."""
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
        sections=await collect(logs.read(pool, attempt.id)),
        attempts=tuple(await attempts.of_run(pool, attempt.run.id)),
        timings=await attempts.timings_of(pool, attempt.id),
        refreshing=refreshing,
    )


async def attempt_log(request: web.Request, pool: Pool[Any]) -> web.StreamResponse:
    """Answer with the attempt's whole log as plain text, streamed."""
    attempt = await find_attempt(pool, request.match_info["run"], request.match_info["attempt"])
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    async for chunk in logs.read(pool, attempt.id):
        await response.write(chunk.content)
    await response.write_eof()
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
