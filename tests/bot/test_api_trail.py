"""The audit trail, deliveries and purges over REST; every answer fits the published description."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.pages import load_view, make_page
from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, Trust
from draftsman.domain.waiting import Terms
from draftsman.store import attempts, audit, deliveries, runs
from draftsman.store.database import Pool
from draftsman.store.deliveries import Delivery
from draftsman.store.runs import Wanted
from tests.bot.api import TOKEN, Api, serve_api
from tests.bot.work import claim, make_findings, make_plan

AUDIT, DELIVERIES, RUNS = "/api/v1/audit", "/api/v1/deliveries", "/api/v1/runs"
GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@pytest.fixture
async def api(pool: Pool[Any]) -> AsyncIterator[Api]:
    async for served in serve_api(pool, TOKEN):
        yield served


async def ran(pool: Pool[Any], *, finished: bool = True) -> str:
    """A run that a delivery started, and that failed."""
    repository = Repository(7, "acme/widgets", "https://x/y.git", "main", False, 3)
    async with pool.acquire() as connection, connection.transaction():
        kept = Delivery(GUID, "push", None, 7, 3, b"secret", repo="acme/widgets", sender="alice")
        await deliveries.insert(connection, kept, "run aaaaaaa: pushed to a branch")
        wanted = Wanted(repository, "a" * 40, Ref(RefKind.BRANCH, "main"), Trust.TRUSTED)
        started = await runs.start(connection, wanted, delivery=GUID)
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("fast-1", 1, b"secret\n")
    if finished:
        await work.finish(Conclusion.FAILURE, "ruff failed", "secret", make_findings(2))
    return str(started.run_id)


async def test_the_trail_is_read_page_by_page(api: Api, pool: Pool[Any]) -> None:
    run = await ran(pool)
    await audit.record(pool, actor="ada", action="policy.changed", repo="acme/other")
    first = await api.send("GET", f"{AUDIT}?limit=2&repo=acme/widgets")
    assert [item["text"] for item in first.body["items"]] == [
        "attempt 1 finished as failure: ruff failed",
        "attempt 1 runs its checks",
    ]
    second = await api.send("GET", first.body["links"]["next"])
    assert [item["action"] for item in second.body["items"]] == ["attempt.claimed", "attempt.created"]
    assert second.body["links"]["next"] is None
    assert {item["run_id"] for item in second.body["items"]} == {run}
    [policy] = (await api.send("GET", f"{AUDIT}?actor=ADA&action=policy")).body["items"]
    assert (policy["repo"], policy["run_id"], policy["text"]) == ("acme/other", None, "policy changed: repo acme/other")
    since = (await api.send("GET", f"{AUDIT}?since=2999-01-01T00:00:00%2B02:00")).body["items"]
    assert since == []


@pytest.mark.parametrize("query", ["since=yesterday", "since=0001-01-01T00:00:00%2B23:59", "repo=x", "before=0"])
async def test_a_wrong_parameter_is_named(api: Api, query: str) -> None:
    answer = await api.send("GET", f"{AUDIT}?{query}")
    assert (answer.status, answer.fields) == (400, [query.partition("=")[0]])


async def test_a_delivery_says_what_was_decided_and_what_it_led_to(api: Api, pool: Pool[Any]) -> None:
    run = await ran(pool)
    [listed] = (await api.send("GET", f"{DELIVERIES}?repo=ACME/widgets&event=push")).body["items"]
    assert (listed["guid"], listed["run_id"], listed["sender"], listed["size"]) == (GUID, run, "alice", 6)
    read = await api.send("GET", f"{DELIVERIES}/{GUID}")
    assert [event["action"] for event in read.body["history"]] == ["attempt.created"]
    assert (await api.send("GET", f"{DELIVERIES}/{GUID}", If_None_Match=read.etag)).status == 304
    assert (await api.send("GET", f"{DELIVERIES}/another")).status == 404
    assert (await api.send("GET", f"{DELIVERIES}?after={GUID}")).body["items"] == []


async def test_a_delivery_is_purged(api: Api, pool: Pool[Any]) -> None:
    await ran(pool)
    purged = await api.send("POST", f"{DELIVERIES}/{GUID}/purge", {"reason": "a token"})
    assert (purged.status, purged.body["size"], purged.body["body_removed_by"]) == (200, 0, "api")
    assert (await api.send("POST", f"{DELIVERIES}/another/purge")).status == 404
    assert (await api.send("POST", f"{DELIVERIES}/{GUID}/purge", {"reason": 1})).fields == ["reason"]
    assert await deliveries.known(pool, [GUID]) == {GUID}


async def test_a_log_is_purged(api: Api, pool: Pool[Any]) -> None:
    run = await ran(pool)
    assert (await api.send("GET", f"{RUNS}/{run}/log")).body == "secret\n"
    assert (await api.send("POST", f"{RUNS}/{run}/attempts/2/purge")).status == 404
    purged = await api.send("POST", f"{RUNS}/{run}/attempts/1/purge", {"reason": "a token"})
    assert purged.body == {
        "run_id": run,
        "purged": [
            {
                "attempt": 1,
                "log_chunks": 1,
                "annotations": 2,
                "artifacts": 0,
                "check_runs": 0,
                "annotations_sent": 0,
            }
        ],
    }
    assert (await api.send("GET", f"{RUNS}/{run}/log")).body == ""
    read = (await api.send("GET", f"{RUNS}/{run}")).body
    assert (read["annotations"], read["detail"], read["log_removed_by"]) == ([], None, "api")
    assert read["history"][-1]["text"].endswith(": a token")
    [attempt] = await attempts.recent(pool)
    page = (await make_page(pool, await load_view(pool, attempt, server_url="https://x", terms=Terms()))).decode()
    assert "The log of this attempt was removed on" in page
    assert "secret" not in page


async def test_a_log_that_grows_is_not_purged(api: Api, pool: Pool[Any]) -> None:
    run = await ran(pool, finished=False)
    refused = await api.send("POST", f"{RUNS}/{run}/purge")
    assert (refused.status, "cancel it" in refused.body["detail"]) == (409, True)
    assert (await api.send("GET", f"{RUNS}/{run}/log")).body == "secret\n"
