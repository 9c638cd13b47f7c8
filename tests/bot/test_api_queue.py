"""The queue through the API; every answer fits the description (see `tests/bot/api.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from draftsman.domain.run import Trust
from draftsman.store import audit, leases, workers
from draftsman.store.database import Pool
from draftsman.store.workers import Present
from tests.bot.api import TOKEN, Api, serve_api
from tests.bot.test_api_steering import start

QUEUE = "/api/v1/queue"
W1 = "box%3A0123abcd"


@pytest.fixture
async def api(pool: Pool[Any]) -> AsyncIterator[Api]:
    async for served in serve_api(pool, TOKEN):
        yield served


async def claim(pool: Pool[Any], owner: str = "box:0123abcd") -> Any:
    return await leases.claim(pool, owner=owner, lease_seconds=60, per_repository=1)


async def present(pool: Pool[Any], **fields: Any) -> None:
    await workers.beat(pool, Present("box:0123abcd", "box", "1.0", **{"slots": 2, "per_repository": 1, **fields}))


async def test_the_queue_says_what_runs_and_why_the_rest_waits(api: Api, pool: Pool[Any]) -> None:
    empty = await api.send("GET", QUEUE)
    assert (empty.status, empty.body["queued"], empty.body["workers"], empty.body["pauses"]) == (200, 0, [], [])
    await present(pool, engine="E1", labels=("linux", "amd64"))
    first = await start(pool, sha="1" * 40)
    assert await claim(pool)
    second = await start(pool, sha="2" * 40)
    fork = await start(pool, sha="3" * 40, trust=Trust.UNTRUSTED)
    read = (await api.send("GET", QUEUE)).body
    [going] = read["running"]
    assert (going["run_id"], going["state"], going["worker"]) == (first, "preparing", "box:0123abcd")
    [worker] = read["workers"]
    assert (worker["state"], worker["busy"], worker["slots"], worker["engine"]) == ("working", 1, 2, "E1")
    assert worker["labels"] == ["linux", "amd64"]
    assert (read["queued"], read["approvals"]) == (1, 1)
    waiting = {one["run_id"]: one for one in read["waiting"]}
    assert waiting[second]["place"] == 1
    assert waiting[second]["wait"]["cause"] == "repository_limit"
    assert waiting[second]["wait"]["held_by"] == [first]
    assert (waiting[fork]["place"], waiting[fork]["wait"]["cause"]) == (None, "approval")
    run = (await api.send("GET", f"/api/v1/runs/{second}")).body
    assert run["wait"] == waiting[second]["wait"]
    assert (await api.send("GET", f"/api/v1/runs/{first}")).body["wait"] is None


async def test_a_page_has_as_many_as_were_asked_for(api: Api, pool: Pool[Any]) -> None:
    for number in range(5):
        await start(pool, sha=f"{number:040x}")
    read = (await api.send("GET", f"{QUEUE}?limit=2")).body
    assert (read["queued"], [one["place"] for one in read["waiting"]]) == (5, [1, 2])
    assert (await api.send("GET", f"{QUEUE}?limit=0")).status == 400


async def test_a_pause_holds_until_it_is_resumed_and_wakes_the_workers_then(api: Api, pool: Pool[Any]) -> None:
    await present(pool)
    run = await start(pool)
    made = await api.send("PUT", f"{QUEUE}/pause", {"reason": "upgrade"})
    assert (made.status, made.body["repo"], made.body["reason"]) == (201, None, "upgrade")
    assert (await api.send("PUT", f"{QUEUE}/pause")).status == 200
    assert await claim(pool) is None
    wait = (await api.send("GET", f"/api/v1/runs/{run}")).body["wait"]
    assert wait["cause"] == "paused"
    assert wait["says"].endswith("by an administrator: upgrade")
    assert [one["reason"] for one in (await api.send("GET", QUEUE)).body["pauses"]] == ["upgrade"]
    woken = len(api.woken)
    assert (await api.send("DELETE", f"{QUEUE}/pause")).status == 204
    assert len(api.woken) == woken + 1
    assert (await api.send("DELETE", f"{QUEUE}/pause")).status == 404
    assert await claim(pool) is not None
    rows = await pool.fetch("SELECT actor, action, detail FROM audit_events WHERE action LIKE 'queue.%' ORDER BY id")
    assert [(row["actor"], row["action"], row["detail"]["repo"]) for row in rows] == [
        ("api", "queue.paused", "*"),
        ("api", "queue.resumed", "*"),
    ]
    assert {event.action for event in await audit.of_run(pool, UUID(run))} == {"attempt.created", "attempt.claimed"}


async def test_a_repository_is_paused_by_itself(api: Api, pool: Pool[Any]) -> None:
    await start(pool)
    other = await start(pool, repo="acme/gadgets", number=8)
    assert (await api.send("PUT", f"{QUEUE}/pause/Acme/Widgets")).body["repo"] == "acme/widgets"
    attempt = await claim(pool)
    assert attempt is not None
    assert str(attempt.run.id) == other
    assert (await api.send("DELETE", f"{QUEUE}/pause/acme/gadgets")).status == 404
    assert (await api.send("DELETE", f"{QUEUE}/pause/acme/widgets")).status == 204


@pytest.mark.parametrize("reason", ["two\nlines", "x" * 201, 7, None])
async def test_a_reason_is_one_line_that_a_check_run_can_show(api: Api, reason: object) -> None:
    refused = await api.send("PUT", f"{QUEUE}/pause", {"reason": reason})
    assert (refused.status, refused.fields) == (422, ["reason"])
    assert (await api.send("GET", QUEUE)).body["pauses"] == []


async def test_a_worker_is_drained_and_takes_runs_again(api: Api, pool: Pool[Any]) -> None:
    await present(pool, busy=1)
    await start(pool)
    drained = await api.send("PUT", f"{QUEUE}/workers/{W1}/drain", {"reason": "upgrade"})
    assert (drained.status, drained.body["state"], drained.body["drain"]["by"]) == (200, "draining", "api")
    assert await claim(pool) is None
    await present(pool, busy=0)
    assert [one["state"] for one in (await api.send("GET", QUEUE)).body["workers"]] == ["drained"]
    assert (await api.send("DELETE", f"{QUEUE}/workers/{W1}/drain")).body["drain"] is None
    assert await claim(pool) is not None
    for method in ("PUT", "DELETE"):
        assert (await api.send(method, f"{QUEUE}/workers/nobody/drain")).status == 404


async def test_the_page_of_a_run_says_why_it_waits(api: Api, pool: Pool[Any]) -> None:
    await present(pool)
    first = await start(pool, sha="1" * 40)
    assert await claim(pool)
    run = await start(pool)

    async def page(of: str) -> str:
        async with aiohttp.ClientSession() as session, session.get(f"{api.url}/runs/{of}") as answer:
            return await answer.text()

    held = await page(run)
    assert "1 run of this repository is under way, and no more may be at once" in held
    assert f'href="/runs/{first}"' in held
    await api.send("PUT", f"{QUEUE}/pause", {"reason": "<b>upgrade</b>"})
    paused = await page(run)
    assert "&lt;b&gt;upgrade&lt;/b&gt;" in paused
    assert 'class="wait"' not in await page(first)


async def test_without_the_token_nothing_is_paused(api: Api) -> None:
    assert (await api.send_raw("PUT", f"{QUEUE}/pause", None, {})).status == 401
    assert (await api.send_raw("GET", QUEUE, None, {})).status == 401
    assert (await api.send("GET", f"/api/v1/runs/{uuid4()}")).status == 404
