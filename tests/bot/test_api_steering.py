"""Runs, policies and installations through the API; every answer fits the description (see `tests/bot/api.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from draftsman.domain.admission import Admission
from draftsman.domain.policy import ApprovalPolicy, RepoPolicy
from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, Trust
from draftsman.store import approvals, installations, policies, runs
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted
from tests.bot.api import TOKEN, Api, serve_api
from tests.bot.work import claim, make_findings, make_plan

RUNS, POLICIES, INSTALLATIONS = "/api/v1/runs", "/api/v1/policies", "/api/v1/installations"
WIDGETS = f"{POLICIES}/acme/widgets"
SHA = "0123456789abcdef0123456789abcdef01234567"
INSTANCE = RepoPolicy(trusted=("alice",))


@pytest.fixture
async def api(pool: Pool[Any]) -> AsyncIterator[Api]:
    async for served in serve_api(pool, TOKEN, policy=INSTANCE, admission=Admission(allow=("acme",))):
        yield served


async def start(
    pool: Pool[Any], *, sha: str = SHA, trust: Trust = Trust.TRUSTED, repo: str = "acme/widgets", number: int = 7
) -> str:
    repository = Repository(number, repo, "https://x/y.git", "main", False, 3)
    async with pool.acquire() as connection, connection.transaction():
        wanted = Wanted(repository, sha, Ref(RefKind.BRANCH, "main"), trust)
        return str((await runs.start(connection, wanted, delivery=None)).run_id)


async def end(pool: Pool[Any]) -> None:
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("fast-1", 1, "src/a.py:1: \u00e9 no\n".encode())
    await work.finish(Conclusion.FAILURE, "ruff failed", "Look at it.", make_findings(2))


async def test_a_run_is_read_with_its_attempts_and_its_log(api: Api, pool: Pool[Any]) -> None:
    run = await start(pool)
    await end(pool)
    read = await api.send("GET", f"{RUNS}/{run}")
    assert (read.status, read.body["conclusion"], read.body["title"]) == (200, "failure", "ruff failed")
    assert (read.body["refs"], len(read.body["annotations"]), len(read.body["attempts"])) == (["branch:main"], 2, 1)
    assert [event["action"] for event in read.body["history"]][:2] == ["attempt.created", "attempt.claimed"]
    assert (await api.send("GET", f"{RUNS}/{run}", If_None_Match=read.etag)).status == 304
    one = await api.send("GET", read.body["links"]["self"])
    assert (one.status, one.body["steps"]) == (200, read.body["steps"])
    for path in (read.body["links"]["log"], f"{RUNS}/{run}/log"):
        log = await api.send("GET", path)
        assert (log.status, log.body) == (200, "src/a.py:1: \u00e9 no\n")
    assert (await api.send("GET", f"{RUNS}/{run}/attempts/2")).status == 404


async def test_pages_lead_through_all_runs_newest_first(api: Api, pool: Pool[Any]) -> None:
    started = [await start(pool, sha=f"{number:040x}") for number in range(5)]
    path: str | None = f"{RUNS}?limit=2&repo=Acme/Widgets"
    found: list[str] = []
    while path is not None:
        page = await api.send("GET", path)
        found += [item["run_id"] for item in page.body["items"]]
        path = page.body["links"]["next"]
        assert ("Link" in page.headers) is (path is not None)
    assert found == started[::-1]


async def test_runs_are_found_by_repository_commit_and_state(api: Api, pool: Pool[Any]) -> None:
    ended = await start(pool)
    await end(pool)
    queued = await start(pool, repo="acme/gears", number=8)
    for query, found in (
        ("", [queued, ended]),
        ("?repo=ACME/gears", [queued]),
        (f"?sha={SHA}", [queued, ended]),
        (f"?sha={SHA[:8].upper()}&state=failure", [ended]),
        ("?sha=0123456f", []),
        ("?state=finished", [ended]),
        ("?state=queued&repo=acme/widgets", []),
        (f"?after={uuid4()}", []),
    ):
        page = await api.send("GET", RUNS + query)
        assert [item["run_id"] for item in page.body["items"]] == found, query


async def test_a_wrong_parameter_is_named(api: Api) -> None:
    wrong = (
        "repo=acme",
        "repo=a/%00",
        "sha=abc",
        "sha=main",
        "state=lost",
        "state=",
        "after=1",
        "limit=0",
        "limit=%D9%A1",
    )
    for query in wrong:
        answer = await api.send("GET", f"{RUNS}?{query}")
        assert (answer.status, answer.fields) == (400, [query.partition("=")[0]]), query


async def test_a_rerun_is_a_new_attempt_or_the_one_that_does_it(api: Api, pool: Pool[Any]) -> None:
    run = await start(pool)
    await end(pool)
    made = await api.send("POST", f"{RUNS}/{run}/rerun", {"tiers": ["fast"]})
    assert (made.status, made.body["asked"], made.body["attempt"]["tiers"]) == (201, "created", ["fast"])
    assert made.headers["Location"] == f"{RUNS}/{run}/attempts/2" == made.body["attempt"]["links"]["self"]
    assert (made.body["attempt"]["asked_by"], len(api.woken)) == ("api", 1)
    joined = await api.send("POST", f"{RUNS}/{run}/rerun")
    assert (joined.status, joined.body["asked"], joined.body["attempt"]["tiers"]) == (200, "joined", ["fast", "full"])
    await claim(pool)
    assert (await api.send("POST", f"{RUNS}/{run}/rerun", {})).status == 200
    busy = await api.send("POST", f"{RUNS}/{run}/rerun", {"rebuild": True})
    assert (busy.status, "does less" in busy.body["detail"]) == (409, True)


async def test_a_run_under_way_is_cancelled_and_a_finished_one_not(api: Api, pool: Pool[Any]) -> None:
    run = await start(pool)
    await claim(pool)
    for _ in range(2):
        asked = await api.send("POST", f"{RUNS}/{run}/cancel")
        assert (asked.status, asked.body["attempt"]["state"]) == (202, "preparing")
    await pool.execute("UPDATE attempts SET state = 'finished', conclusion = 'cancelled'")
    assert (await api.send("POST", f"{RUNS}/{run}/cancel", {})).status == 409
    rows = await pool.fetch("SELECT actor FROM audit_events WHERE action = 'attempt.cancel_asked'")
    assert [row["actor"] for row in rows] == ["api"]


async def test_an_approval_must_name_the_whole_commit(api: Api, pool: Pool[Any]) -> None:
    run = await start(pool, trust=Trust.UNTRUSTED)
    await approvals.hold(pool, UUID(run), title="waiting for approval")
    rerun = await api.send("POST", f"{RUNS}/{run}/rerun")
    assert (rerun.status, "approval" in rerun.body["detail"]) == (409, True)
    for sha in (SHA[:12], "f" * 40, "", "\x00", "\ud800"):
        answer = await api.send("POST", f"{RUNS}/{run}/approve", {"sha": sha})
        assert (answer.status, SHA in answer.body["detail"]) == (409, True)
    assert not await approvals.is_approved(pool, UUID(run))
    approved = await api.send("POST", f"{RUNS}/{run}/approve", {"sha": SHA.upper()})
    assert (approved.status, approved.body["attempt"]["state"], len(api.woken)) == (200, "queued", 1)
    assert (await claim(pool)).attempt.trust is Trust.UNTRUSTED


async def test_what_is_not_served_is_not_rerun(api: Api, pool: Pool[Any]) -> None:
    run = await start(pool, repo="stranger/widgets")
    await end(pool)
    answer = await api.send("POST", f"{RUNS}/{run}/rerun")
    assert (answer.status, "does not serve stranger/widgets" in answer.body["detail"]) == (409, True)


NO_BODIES: list[tuple[str, Any, int, list[str]]] = [
    ("rerun", {"tiers": ["setup"]}, 422, ["tiers"]),
    ("rerun", {"tiers": []}, 422, ["tiers"]),
    ("rerun", {"tiers": [["fast"]], "rebuild": "yes"}, 422, ["tiers", "rebuild"]),
    ("rerun", {"tier": "fast"}, 422, ["tier"]),
    ("cancel", {"reason": "x"}, 422, ["reason"]),
    ("approve", {}, 422, ["sha"]),
    ("approve", {"sha": 1}, 422, ["sha"]),
    ("approve", {"sha": None, "\ud800": 1}, 422, ["\\ud800", "sha"]),
    ("approve", b"[]", 400, []),
    ("approve", None, 415, []),
]
"""What may not be sent: the verb, the body, the status, and the fields that are named."""


async def test_a_body_that_says_something_else_does_nothing(api: Api, pool: Pool[Any]) -> None:
    run = await start(pool)
    await end(pool)
    for verb, body, status, fields in NO_BODIES:
        answer = await api.send("POST", f"{RUNS}/{run}/{verb}", body)
        assert (answer.status, answer.fields if fields else []) == (status, fields), (verb, body)
    assert await pool.fetchval("SELECT count(*) FROM attempts") == 1
    assert api.woken == []


async def test_a_run_that_is_not_there_is_said(api: Api) -> None:
    for run in ("x", "%00", "..%2F..", "0" * 36, str(uuid4()), "%EF%BC%91" * 36):
        for verb in ("", "/log", "/attempts/1", "/attempts/1/log"):
            assert (await api.send("GET", f"{RUNS}/{run}{verb}")).status == 404, (run, verb)
        for verb in ("/rerun", "/cancel", "/approve"):
            assert (await api.send("POST", f"{RUNS}/{run}{verb}", {})).status == 404, (run, verb)


async def test_a_policy_is_read_set_and_unset(api: Api, pool: Pool[Any]) -> None:
    read = await api.send("GET", f"{POLICIES}/Acme/Widgets")
    assert (read.body["repo"], read.body["trusted"], read.body["explicit_fields"]) == ("acme/widgets", ["alice"], [])
    changed = await api.send("PATCH", WIDGETS, {"runs_on": ["GPU"]})
    assert (changed.body["runs_on"], changed.body["explicit_fields"]) == (["gpu"], ["runs_on"])
    await api.send("PATCH", WIDGETS, {"runs_on": None})
    changed = await api.send("PATCH", WIDGETS, {"approval": "open", "trusted": ["Bob"]}, If_Match=read.etag)
    assert (changed.status, changed.body["explicit_fields"]) == (200, ["approval", "trusted"])
    assert await policies.get(pool, "acme/widgets", INSTANCE) == RepoPolicy(ApprovalPolicy.OPEN, ("bob",))
    assert (await api.send("GET", WIDGETS)).etag == changed.etag
    for method, body in (("PATCH", {"run_tags": True}), ("DELETE", None)):
        late = await api.send(method, WIDGETS, body, If_Match=read.etag)
        assert (late.status, late.etag) == (412, changed.etag)
    back = await api.send("PATCH", WIDGETS, {"trusted": None})
    assert (back.body["trusted"], back.body["explicit_fields"]) == (["alice"], ["approval"])
    assert (await api.send("DELETE", WIDGETS, If_Match=back.etag)).status == 204
    assert (await api.send("GET", WIDGETS)).body == read.body
    assert (await pool.fetchval("SELECT actor FROM audit_events LIMIT 1")) == "api"


async def test_wrong_fields_of_a_policy_are_all_named_and_nothing_is_kept(api: Api, pool: Pool[Any]) -> None:
    body = {"approval": "maybe", "trusted": "alice", "run_tags": "true", "merge_testing": True, "owner": 1}
    wrong = await api.send("PATCH", WIDGETS, body)
    assert (wrong.status, wrong.fields[:3], len(wrong.fields)) == (422, ["approval", "trusted", "run_tags"], 4)
    assert (await api.send("PATCH", WIDGETS, {"trusted": ["ghost"]})).status == 422
    assert (await api.send("PATCH", WIDGETS, {"trusted": ["u" * 200]})).status == 422
    assert (await api.send("PATCH", WIDGETS, {"runs_on": "gpu"})).fields == ["runs_on"]
    assert (await api.send("PATCH", WIDGETS, {"runs_on": ["gpu", "a/b"]})).fields == ["runs_on"]
    assert (await api.send("PATCH", f"{POLICIES}/acme/..", {"run_tags": True})).status == 404
    assert await policies.everywhere(pool) == []


async def test_an_installation_is_approved_and_refused(api: Api, pool: Pool[Any]) -> None:
    await installations.note(pool, 3, account="acme", account_id=9)
    [one] = (await api.send("GET", INSTALLATIONS)).body["items"]
    assert (one["account"], one["state"], one["decided_by"]) == ("acme", "pending", None)
    approved = await api.send("PUT", one["links"]["state"], {"state": "approved"})
    assert (approved.status, approved.body["state"], approved.body["decided_by"]) == (200, "approved", "api")
    assert await pool.fetchval("SELECT count(*) FROM tasks WHERE kind = 'first_contact'") == 1
    refused = await api.send("PUT", one["links"]["state"], {"state": "refused"})
    assert refused.body["state"] == "refused"
    await installations.mark(pool, 3, removed=True)
    assert (await api.send("PUT", one["links"]["state"], {"state": "approved"})).status == 409


async def test_an_installation_that_is_not_there_or_a_state_that_is_none(api: Api, pool: Pool[Any]) -> None:
    await installations.note(pool, 3, account="acme", account_id=9)
    for body in ({"state": "pending"}, {"state": ["approved"]}, {}):
        assert (await api.send("PUT", f"{INSTALLATIONS}/3/state", body)).fields == ["state"]
    for number in ("4", "0", "-3", "3.0", "9" * 19, "9" * 5000, "%D9%A3"):
        answer = await api.send("PUT", f"{INSTALLATIONS}/{number}/state", {"state": "approved"})
        assert answer.status == 404, number


async def test_without_the_token_nothing_is_steered(api: Api, pool: Pool[Any]) -> None:
    run = await start(pool)
    await installations.note(pool, 3, account="acme", account_id=9)
    for method, path, body in (
        ("GET", RUNS, None),
        ("GET", f"{RUNS}/{run}", None),
        ("GET", f"{RUNS}/{run}/log", None),
        ("POST", f"{RUNS}/{run}/cancel", {}),
        ("PATCH", WIDGETS, {"approval": "open"}),
        ("PUT", f"{INSTALLATIONS}/3/state", {"state": "approved"}),
    ):
        assert (await api.send(method, path, body, Authorization="Bearer wrong")).status == 401
    assert await pool.fetchval("SELECT count(*) FROM attempts WHERE state = 'queued'") == 1
    assert await policies.everywhere(pool) == []
