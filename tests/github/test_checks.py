"""Check runs: what GitHub takes, what it refuses, and what it remembers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.github.client import Client, Reply, running
from tests.github.repository import Repository

ANNOTATION = {
    "path": "a.py",
    "start_line": 1,
    "end_line": 1,
    "annotation_level": "failure",
    "message": "undefined name",
}
ACTION = {"label": "Run again", "description": "Run this again", "identifier": "rerun"}
LONG = "x" * 65_536


@dataclass(frozen=True)
class Desk:
    """A repository with a commit, and a token that may write its checks."""

    client: Client
    repo: Repository
    sha: str
    token: str

    async def create(self, **fields: Any) -> Reply:
        body = {"name": "fast", "head_sha": self.sha, **fields}
        return await self.client.call("POST", "/repos/acme/widgets/check-runs", body, token=self.token)

    async def update(self, number: int, **fields: Any) -> Reply:
        path = f"/repos/acme/widgets/check-runs/{number}"
        return await self.client.call("PATCH", path, fields, token=self.token)

    async def get(self, path: str) -> Reply:
        return await self.client.call("GET", f"/repos/acme/widgets/{path}", token=self.token)


async def open_desk(client: Client) -> Desk:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x\n"})
    sha = await repo.git.head("refs/heads/main")
    assert sha is not None
    return Desk(client, repo, sha, await client.token(repo, {"permissions": {"checks": "write"}}))


@pytest.fixture
async def desk(client: Client) -> Desk:
    return await open_desk(client)


@pytest.fixture(scope="module")
async def shared_desk() -> AsyncIterator[Desk]:
    """One desk for all refusals: what is refused changes nothing."""
    async with running() as client:
        yield await open_desk(client)


async def test_check_run_goes_from_queued_to_completed(desk: Desk) -> None:
    created = await desk.create(external_id="1/1/fast", details_url="https://ci.example.com/1")
    assert created.status == 201
    number = created.json["id"]
    await desk.update(number, status="in_progress")
    done = await desk.update(number, conclusion="failure", output={"title": "1 failed", "summary": "a table"})
    assert done.json["status"] == "completed"
    assert done.json["completed_at"] is not None
    history = desk.client.github.check_run_history("fast", desk.sha)
    assert [run.status for run in history] == ["queued", "in_progress", "completed"]
    assert [run.conclusion for run in history] == [None, None, "failure"]
    assert (await desk.get(f"check-runs/{number}")).json == done.json


async def test_annotations_append_and_are_paged(desk: Desk) -> None:
    output = {"title": "t", "summary": "s", "annotations": [ANNOTATION] * 50}
    number = (await desk.create(output=output)).json["id"]
    again = {"summary": "s", "annotations": [{**ANNOTATION, "start_column": 1, "end_column": 4}] * 10}
    updated = await desk.update(number, output=again)
    assert updated.json["output"]["annotations_count"] == 60
    first = await desk.get(f"check-runs/{number}/annotations?per_page=50")
    assert len(first.json) == 50
    assert 'rel="next"' in first.headers["Link"]
    rest = await desk.get(f"check-runs/{number}/annotations?per_page=50&page=2")
    assert [item["end_column"] for item in rest.json] == [4] * 10


async def test_newest_run_of_a_name_is_the_latest(desk: Desk) -> None:
    for name in ("fast", "full", "fast"):
        newest = await desk.create(name=name)
    listed = await desk.get(f"commits/{desk.sha}/check-runs")
    assert listed.json["total_count"] == 2
    assert listed.json["check_runs"][0]["id"] == newest.json["id"]
    assert (await desk.get(f"commits/{desk.sha}/check-runs?filter=all")).json["total_count"] == 3
    assert (await desk.get("commits/heads/main/check-runs?check_name=full")).json["total_count"] == 1
    assert (await desk.get("commits/main/check-runs?app_id=1")).json["total_count"] == 0


async def test_suite_gathers_the_runs_of_a_commit(desk: Desk) -> None:
    fast_run, full_run = [(await desk.create(name=name)).json for name in ("fast", "full")]
    assert fast_run["check_suite"] == full_run["check_suite"]
    suites = (await desk.get(f"commits/{desk.sha}/check-suites")).json
    assert [suite["status"] for suite in suites["check_suites"]] == ["queued"]
    await desk.update(fast_run["id"], conclusion="success")
    number = suites["check_suites"][0]["id"]
    assert (await desk.get(f"check-suites/{number}")).json["status"] == "in_progress"
    await desk.update(full_run["id"], conclusion="failure")
    suite = (await desk.get(f"check-suites/{number}")).json
    assert (suite["status"], suite["conclusion"]) == ("completed", "failure")
    assert suite["latest_check_runs_count"] == 2


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"conclusion": "succeeded"}, id="unknown conclusion"),
        pytest.param({"conclusion": None}, id="conclusion null"),
        pytest.param({"conclusion": "stale"}, id="stale"),
        pytest.param({"status": "completed"}, id="completed without conclusion"),
        pytest.param({"status": "in_progress", "conclusion": "success"}, id="in progress and concluded"),
        pytest.param({"status": "queued", "conclusion": "success"}, id="queued and concluded"),
        pytest.param({"completed_at": "2026-11-23T14:00:00Z"}, id="completed_at alone"),
        pytest.param({"conclusion": "success", "completed_at": "yesterday"}, id="bad time"),
        pytest.param({"status": "waiting"}, id="status of GitHub Actions"),
        pytest.param({"head_sha": None}, id="head_sha null"),
        pytest.param({"head_sha": "zz"}, id="head_sha no SHA"),
        pytest.param({"head_sha": "main"}, id="head_sha a branch"),
        pytest.param({"head_sha": "a" * 40}, id="head_sha not there"),
        pytest.param({"name": " "}, id="empty name"),
        pytest.param({"external_id": 7}, id="external_id a number"),
        pytest.param({"details_url": "ci.example.com/1"}, id="details_url without scheme"),
        pytest.param({"detailsUrl": "https://ci.example.com"}, id="unknown field"),
        pytest.param({"actions": [ACTION] * 4}, id="four actions"),
        pytest.param({"actions": [{**ACTION, "label": "x" * 21}]}, id="long label"),
        pytest.param({"actions": [{**ACTION, "description": "x" * 41}]}, id="long description"),
        pytest.param({"actions": [{**ACTION, "identifier": "x" * 21}]}, id="long identifier"),
        pytest.param({"actions": [{**ACTION, "icon": "x"}]}, id="unknown field of an action"),
        pytest.param({"output": {"summary": "s"}}, id="output without title"),
        pytest.param({"output": {"title": "t", "summary": LONG}}, id="long summary"),
        pytest.param({"output": {"title": "t", "summary": "s", "text": LONG}}, id="long text"),
        pytest.param({"output": {"title": "t", "summary": "é" * 40_000}}, id="summary long in bytes"),
        pytest.param({"output": {"title": "t", "summary": "s", "colour": "red"}}, id="unknown field of output"),
    ],
)
async def test_wrong_check_run_is_refused_and_recorded(shared_desk: Desk, fields: dict[str, Any]) -> None:
    with shared_desk.client.github.expect_violations() as violations:
        reply = await shared_desk.create(**fields)
    assert reply.status == 422, reply.json
    assert reply.json["message"]
    assert [violation.status for violation in violations] == [422]
    assert not shared_desk.client.github.check_runs()


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/etc/passwd"},
        {"path": "../secret"},
        {"path": "./a.py"},
        {"path": "src\\a.py"},
        {"path": ""},
        {"start_line": 0, "end_line": 0},
        {"start_line": 3, "end_line": 2},
        {"start_line": 1, "end_line": 2, "start_column": 1},
        {"start_column": 4, "end_column": 2},
        {"annotation_level": "error"},
        {"message": ""},
        {"title": "x" * 256},
        {"raw_details": "x" * 65_537},
        {"start_line": "1"},
        {"severity": "high"},
    ],
    ids=str,
)
async def test_wrong_annotation_is_refused(shared_desk: Desk, changes: dict[str, Any]) -> None:
    output = {"title": "t", "summary": "s", "annotations": [{**ANNOTATION, **changes}]}
    with shared_desk.client.github.expect_violations() as violations:
        reply = await shared_desk.create(output=output)
    assert reply.status == 422, reply.json
    assert "annotations/0" in violations[0].reason


async def test_fifty_one_annotations_are_refused(shared_desk: Desk) -> None:
    output = {"title": "t", "summary": "s", "annotations": [ANNOTATION] * 51}
    with shared_desk.client.github.expect_violations():
        assert (await shared_desk.create(output=output)).status == 422


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "completed"},
        {"status": "in_progress", "conclusion": "success"},
        {"completed_at": "2026-11-23T14:00:00Z"},
        {"conclusion": "stale"},
        {"head_sha": "a" * 40},
        {"output": {"title": "t"}},
        {"output": {"summary": "s", "annotations": [ANNOTATION] * 51}},
    ],
    ids=str,
)
async def test_wrong_update_is_refused_and_changes_nothing(desk: Desk, fields: dict[str, Any]) -> None:
    number = (await desk.create()).json["id"]
    with desk.client.github.expect_violations() as violations:
        assert (await desk.update(number, **fields)).status == 422
    assert len(violations) == 1
    assert len(desk.client.github.check_run_history(number)) == 1


async def test_checks_need_their_permission(desk: Desk) -> None:
    reader = await desk.client.token(desk.repo, {"permissions": {"checks": "read"}})
    stranger = await desk.client.token(desk.repo, {"permissions": {"contents": "read"}})
    path = "/repos/acme/widgets/check-runs"
    with desk.client.github.expect_violations() as violations:
        for token in (reader, stranger):
            body = {"name": "fast", "head_sha": desk.sha}
            reply = await desk.client.call("POST", path, body, token=token)
            assert reply.status == 403
            assert "not accessible by integration" in reply.json["message"]
    assert len(violations) == 2


async def test_sha_of_another_repository_is_refused(desk: Desk) -> None:
    other = await desk.client.github.create_repository("acme/gears", files={"other": "1"})
    sha = await other.git.head("main")
    with desk.client.github.expect_violations() as violations:
        reply = await desk.create(head_sha=sha)
    assert reply.status == 422
    assert "No commit found" in violations[0].reason


async def test_check_run_of_another_repository_is_not_found(desk: Desk) -> None:
    await desk.client.github.create_repository("acme/gears", files={"a": "1"})
    number = (await desk.create()).json["id"]
    reply = await desk.client.call("GET", f"/repos/acme/gears/check-runs/{number}", token=desk.token)
    assert reply.status == 404
