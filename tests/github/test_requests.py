"""What every API request must be, whatever it asks for; and the faults that a test can order."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from tests.github.client import Client
from tests.github.description import CUT, load_description
from tests.github.permissions import NEEDS
from tests.github.stand_in import GitHubStandIn


def test_every_operation_of_the_cut_has_a_permission() -> None:
    assert {operation.id for operation in load_description().operations} == NEEDS.keys()


def test_cut_is_small_enough_to_read_in_a_review() -> None:
    assert CUT.stat().st_size < 1_500_000


async def test_route_outside_the_description_is_refused_and_recorded(client: Client) -> None:
    with client.github.expect_violations() as violations:
        assert (await client.call("GET", "/repos/acme/widgets/check-run")).status == 404
        assert (await client.call("DELETE", "/app")).status == 404
    assert [violation.status for violation in violations] == [404, 404]


async def test_operation_that_is_not_there_yet_says_so(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a": "1"})
    with client.github.expect_violations() as violations:
        reply = await client.call("GET", "/repos/acme/widgets/git/commits/main", token=await client.token(repo))
    assert reply.status == 501
    assert "does not implement it yet" in reply.json["message"]
    assert len(violations) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "*/*"}, 415),
        ({"Accept": "text/html"}, 415),
        ({"X-GitHub-Api-Version": ""}, 400),
        ({"X-GitHub-Api-Version": "2099-01-01"}, 400),
        ({"User-Agent": ""}, 403),
    ],
    ids=str,
)
async def test_careless_headers_are_refused(client: Client, headers: dict[str, str], status: int) -> None:
    with client.github.expect_violations() as violations:
        assert (await client.call("GET", "/app", headers=headers)).status == status
    assert len(violations) == 1


@pytest.mark.parametrize("query", ["per_page=101", "per_page=0", "per_page=x", "state=merged", "colour=red"])
async def test_wrong_query_is_refused(client: Client, query: str) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a": "1"})
    with client.github.expect_violations() as violations:
        reply = await client.call("GET", f"/repos/acme/widgets/pulls?{query}", token=await client.token(repo))
    assert reply.status == 422
    assert len(violations) == 1


async def test_body_must_be_json_and_called_so(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a": "1"})
    token = await client.token(repo)
    path = "/repos/acme/widgets/check-runs"
    kind = {"Content-Type": "application/json"}
    with client.github.expect_violations() as violations:
        assert (await client.call("POST", path, token=token, raw=b"{", headers=kind)).status == 400
        assert (await client.call("POST", path, token=token, raw=b"[]", headers=kind)).status == 422
        assert (await client.call("POST", path, token=token)).status == 422
        wrong = {"Content-Type": "text/plain"}
        assert (await client.call("POST", path, token=token, raw=b"{}", headers=wrong)).status == 422
        assert (await client.call("GET", "/app", {"a": 1})).status == 422
    assert len(violations) == 5


async def test_violations_fail_the_test_that_caused_them(client: Client) -> None:
    await client.call("GET", "/nope")
    with pytest.raises(AssertionError, match="GET /nope: 404"):
        client.github.assert_no_violations()
    client.github.violations.clear()


async def test_requests_are_kept(client: Client) -> None:
    await client.call("GET", "/app?")
    request = client.github.requests[-1]
    assert (request.method, request.path, request.operation_id) == ("GET", "/app", "apps/get-authenticated")
    assert request.status == 200
    assert request.headers["User-Agent"] == "tests"


async def test_api_can_live_under_a_path(client: Client) -> None:
    async with GitHubStandIn.start(prefix="/api/v3") as enterprise:
        assert enterprise.api_url == f"{enterprise.server_url}/api/v3"
        other = Client(enterprise, client.session)
        assert (await other.call("GET", "/app")).status == 200
        repo = await enterprise.create_repository("acme/widgets")
        assert repo.clone_url == f"{enterprise.server_url}/acme/widgets.git"


# Faults.


async def test_next_answers_fail_as_ordered(client: Client) -> None:
    client.github.faults.fail(502, path="^/app$", times=2)
    client.github.faults.fail(403, method="GET", path="^/app$", retry_after=7)
    statuses = [(await client.call("GET", "/app")).status for _ in range(2)]
    limited = await client.call("GET", "/app")
    assert [*statuses, limited.status] == [502, 502, 403]
    assert limited.headers["Retry-After"] == "7"
    assert "secondary rate limit" in limited.json["message"]
    assert (await client.call("GET", "/app")).status == 200


async def create_run(client: Client) -> Any:
    repo = client.github.state.repository("acme", "widgets")
    assert repo is not None
    body = {"name": "fast", "head_sha": await repo.git.head("main")}
    token = await client.token(repo)
    return await client.call("POST", "/repos/acme/widgets/check-runs", body, token=token)


async def test_answer_can_be_lost_after_the_work_is_done(client: Client) -> None:
    await client.github.create_repository("acme/widgets", files={"a": "1"})
    client.github.faults.reset(path="check-runs", after_work=True)
    with pytest.raises(aiohttp.ClientError):
        await create_run(client)
    assert len(client.github.check_runs()) == 1
    client.github.faults.fail(500, path="check-runs", after_work=True)
    assert (await create_run(client)).status == 500
    assert len(client.github.check_runs()) == 2


async def test_connection_can_be_lost_before_the_work(client: Client) -> None:
    await client.github.create_repository("acme/widgets", files={"a": "1"})
    client.github.faults.reset(path="check-runs")
    with pytest.raises(aiohttp.ClientError):
        await create_run(client)
    assert client.github.check_runs() == []
    assert (await create_run(client)).status == 201


async def test_answer_can_be_slow(client: Client) -> None:
    client.github.faults.delay(0.3, path="^/app$")
    started = time.monotonic()
    slow, quick = await asyncio.gather(client.call("GET", "/app"), client.call("GET", "/rate_limit"))
    assert (slow.status, quick.status) == (200, 200)
    assert time.monotonic() - started >= 0.3
    assert client.github.faults.waiting == 0
