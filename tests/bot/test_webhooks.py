"""Deliveries over HTTP, into a real database."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from bot.webhooks import LARGEST_BODY
from draftsman.domain.run import RunState, Trust
from draftsman.store import attempts, runs
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.github import GitHubStandIn


def signed(served: Served, body: bytes, **headers: str) -> dict[str, str]:
    digest = hmac.new(served.secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": "0d1f2a30-0000-4000-8000-000000000001",
        "X-Hub-Signature-256": f"sha256={digest}",
        **{name.replace("_", "-"): content for name, content in headers.items()},
    }


async def send(served: Served, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    async with served.session.post(f"{served.url}/webhooks/github", data=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def decisions(pool: Pool[Any]) -> list[str]:
    return [row["decision"] for row in await pool.fetch("SELECT decision FROM deliveries ORDER BY received_at")]


async def test_a_push_starts_a_run_at_its_head(served: Served, github: GitHubStandIn, pool: Pool[Any]) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    [attempt] = await attempts.recent(pool)
    assert (attempt.run.head_sha, attempt.state, attempt.trust) == (sha, RunState.QUEUED, Trust.TRUSTED)
    assert attempt.run.repository.id == widgets.id
    assert attempt.run.repository.clone_url == f"{github.server_url}/acme/widgets.git"
    assert attempt.run.repository.installation_id == github.installation_id(widgets)
    assert served.woken == 1


async def test_push_and_pull_request_of_one_commit_are_one_run(
    served: Served, github: GitHubStandIn, pool: Pool[Any]
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    await widgets.open_pull("Two", head="feature")
    [attempt] = await attempts.recent(pool)
    refs = await runs.refs_of(pool, attempt.run.id)
    assert {(ref.kind.value, ref.name) for ref in refs} == {("branch", "feature"), ("pull_request", "1")}
    assert len(await attempts.of_run(pool, attempt.run.id)) == 1


async def test_two_deliveries_at_once_for_one_commit_are_one_run(
    served: Served, github: GitHubStandIn, pool: Pool[Any]
) -> None:
    github.auto_deliver = False
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    before = await widgets.git.head("refs/heads/main")
    sha = await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    pull = await widgets.open_pull("Two", head="feature")
    push_payload = await github.push_payload(widgets, "refs/heads/feature", before=before, after=sha)
    pull_payload = await github.pull_payload(pull, "opened")
    both = [github.deliver("push", push_payload) for _ in range(6)]
    both += [github.deliver("pull_request", pull_payload) for _ in range(6)]
    await asyncio.gather(*both)
    [attempt] = await attempts.recent(pool)
    assert len(await attempts.of_run(pool, attempt.run.id)) == 1
    assert len(await decisions(pool)) == 12


async def test_a_fork_waits_and_a_trusted_push_of_its_commit_runs_it(
    served: Served, github: GitHubStandIn, pool: Pool[Any]
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    fork = await github.create_repository("stranger/widgets", parent=widgets, install=False)
    sha = await fork.commit({"a.py": "x = 2\n"}, branch="feature")
    await widgets.open_pull("Two", head="feature", head_repository=fork, author="stranger")
    [attempt] = await attempts.recent(pool)
    assert (attempt.run.repository.id, attempt.run.head_sha) == (widgets.id, sha)
    assert (attempt.state, attempt.trust) == (RunState.WAITING, Trust.UNTRUSTED)
    await widgets.move_ref("refs/heads/approved", sha)
    newest, oldest = await attempts.of_run(pool, attempt.run.id)
    assert (newest.state, newest.trust) == (RunState.QUEUED, Trust.TRUSTED)
    assert oldest.conclusion == "cancelled"


async def test_a_repeated_delivery_does_nothing(served: Served, github: GitHubStandIn, pool: Pool[Any]) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    push = next(delivery for delivery in github.deliveries if delivery.event == "push")
    body = b'{"ref": "refs/heads/other"}'
    status, answer = await send(served, body, signed(served, body, X_GitHub_Delivery=push.guid))
    assert (status, answer) == (200, {"delivery": push.guid, "duplicate": True})
    again = await github.redeliver(push)
    assert again.status_code == 200
    [attempt] = await attempts.recent(pool)
    assert len(await attempts.of_run(pool, attempt.run.id)) == 1
    assert served.woken == 1


async def test_the_same_delivery_at_once_is_kept_once(served: Served, pool: Pool[Any]) -> None:
    body = b"{}"
    answers = await asyncio.gather(*(send(served, body, signed(served, body)) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] * 7 + [202]
    assert len(await decisions(pool)) == 1


async def test_an_unknown_event_is_accepted_and_recorded(served: Served, pool: Pool[Any]) -> None:
    body = b'{"action": "created"}'
    status, answer = await send(served, body, signed(served, body, X_GitHub_Event="sponsorship"))
    assert status == 202
    assert "run_id" not in answer
    assert await decisions(pool) == ["nothing: the event sponsorship starts no run"]


async def test_a_form_is_read_like_json(served: Served, github: GitHubStandIn, pool: Pool[Any]) -> None:
    github.auto_deliver = False
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await widgets.commit({"a.py": "é\n"})
    payload = await github.push_payload(widgets, "refs/heads/main", before=None, after=sha)
    body = urlencode({"payload": json.dumps(payload)}).encode()
    form = {"X_GitHub_Event": "push", "Content_Type": "application/x-www-form-urlencoded"}
    status, answer = await send(served, body, signed(served, body, **form))
    assert status == 202
    assert answer["run_id"]


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "sha256=é", "nonsense"],
    ids=["empty", "no digest", "wrong digest", "sha1", "not ascii", "nonsense"],
)
async def test_a_bad_signature_is_refused(served: Served, pool: Pool[Any], signature: str) -> None:
    status, _ = await send(served, b"{}", signed(served, b"{}", X_Hub_Signature_256=signature))
    assert status == 401
    assert await decisions(pool) == []


async def test_a_missing_signature_and_one_over_another_body_are_refused(served: Served) -> None:
    headers = signed(served, b"{}")
    assert (await send(served, b"{ }", headers))[0] == 401
    del headers["X-Hub-Signature-256"]
    assert (await send(served, b"{}", headers))[0] == 401


@pytest.mark.parametrize("missing", ["X-GitHub-Event", "X-GitHub-Delivery"])
async def test_a_missing_header_is_refused(served: Served, missing: str) -> None:
    headers = signed(served, b"{}")
    del headers[missing]
    status, answer = await send(served, b"{}", headers)
    assert status == 400
    assert missing in answer["error"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"null", "application/json"),
        (b'{"a": "\xff"}', "application/json"),
        (b"[" * 200_000, "application/json"),
        (b'{"a":' * 100_000, "application/json"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "application/json"),
        (b"{}", "text/plain"),
        (b"nothing=here", "application/x-www-form-urlencoded"),
        (b"payload=%ff%fe", "application/x-www-form-urlencoded"),
        (b"&".join([b"a=1"] * 100), "application/x-www-form-urlencoded"),
    ],
)
async def test_what_is_no_json_object_is_refused(served: Served, body: bytes, content_type: str) -> None:
    status, answer = await send(served, body, signed(served, body, Content_Type=content_type))
    assert status == 400
    assert answer["error"]


async def test_a_body_over_the_cap_is_refused_whether_or_not_it_says_its_size(served: Served) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 2**20 + 1):
            yield b" " * 2**20

    assert (await send(served, chunks(), signed(served, b"")))[0] == 413
    too_long = io.BytesIO(b" " * (LARGEST_BODY + 1))
    assert (await send(served, too_long, signed(served, b"")))[0] == 413
    body = b"{}".ljust(LARGEST_BODY)
    assert (await send(served, io.BytesIO(body), signed(served, body)))[0] == 202


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "nonsense"])
async def test_a_body_that_is_encoded_is_refused_before_it_is_unpacked(
    served: Served, caplog: pytest.LogCaptureFixture, encoding: str
) -> None:
    head = f"Content-Length: 2\r\nContent-Encoding: {encoding}\r\n"
    assert b" 415 " in await send_raw(served, head, b"{}")
    assert caplog.messages == []


async def test_a_body_that_is_not_encoded_may_say_so(served: Served) -> None:
    assert (await send(served, b"{}", signed(served, b"{}", Content_Encoding="Identity")))[0] == 202


async def test_a_sender_who_leaves_is_no_trouble_of_the_database(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert await send_raw(served, "Content-Length: 100\r\n", b"{", leave=True) == b""
        await asyncio.sleep(0.2)
    assert caplog.messages == []


async def send_raw(served: Served, headers: str, body: bytes, *, leave: bool = False) -> bytes:
    """The status line of the answer to a request that no client sends; nothing where the sender leaves first."""
    address = urlsplit(served.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    if leave:
        await asyncio.sleep(0.1)
    line = b"" if leave else await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


@pytest.mark.parametrize("name", ["X-GitHub-Event", "X-GitHub-Delivery"])
async def test_a_header_that_is_too_long_is_refused(served: Served, name: str) -> None:
    status, answer = await send(served, b"{}", signed(served, b"{}", **{name: "a" * 101}))
    assert status == 400
    assert name in answer["error"]


@pytest.mark.parametrize(("name", "kept"), [("é" * 127 + "x", True), ("é" * 128, False)])
async def test_a_branch_that_is_longer_than_github_allows_is_decided_not_retried_for_ever(
    served: Served, github: GitHubStandIn, pool: Pool[Any], name: str, kept: bool
) -> None:
    github.auto_deliver = False
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await widgets.commit({"a.py": "x = 2\n"})
    payload = await github.push_payload(widgets, "refs/heads/main", before=None, after=sha)
    body = json.dumps({**payload, "ref": f"refs/heads/{name}"}).encode()
    status, answer = await send(served, body, signed(served, body, X_GitHub_Event="push"))
    assert status == 202
    assert ("run_id" in answer) is kept
    [decision] = await decisions(pool)
    assert ("`ref` is not a text of 1 to 266 bytes" in decision) is not kept


async def test_a_queue_that_is_away_fails_no_delivery(served: Served, github: GitHubStandIn, pool: Pool[Any]) -> None:
    served.wake_error = ConnectionError("the queue is away")
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"})
    push = next(delivery for delivery in github.deliveries if delivery.event == "push")
    assert push.status_code == 202
    assert await attempts.queued(pool) == 1


async def test_a_database_that_refuses_a_delivery_or_is_away_is_told_to_github(served: Served, pool: Pool[Any]) -> None:
    await pool.execute("ALTER TABLE deliveries RENAME TO elsewhere")
    status, _ = await send(served, b"{}", signed(served, b"{}"))
    assert status == 500
    await pool.execute("ALTER TABLE elsewhere RENAME TO deliveries")
    status, _ = await send(served, b"{}", signed(served, b"{}"))
    assert status == 202
    pool.terminate()
    status, _ = await send(served, b"{}", signed(served, b"{}"))
    assert status == 503


async def test_health_and_security_headers(served: Served, pool: Pool[Any]) -> None:
    async with served.session.get(f"{served.url}/health") as answer:
        health = await answer.json()
        assert answer.status == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert health["status"] == "ok"
    assert (health["postgres"], health["redis"], health["queued"]) == (True, True, 0)
    async with served.session.get(f"{served.url}/runs/no-such-thing/1/log") as answer:
        assert answer.status == 404
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    async with served.session.get(f"{served.url}/") as answer:
        assert "/webhooks/github" in await answer.text()
    pool.terminate()
    async with served.session.get(f"{served.url}/health") as answer:
        health = await answer.json()
        assert (answer.status, health["status"], health["postgres"]) == (503, "unavailable", False)
