"""Webhook deliveries: signed, in order, valid, kept in a log, sent again."""

import hashlib
import hmac
import json
from typing import Any

from tests.github.client import Client
from tests.github.receiver import Receiver
from tests.github.webhook_spec import payload_problems


async def test_delivery_is_signed_over_its_exact_bytes(client: Client, receiver: Receiver) -> None:
    delivery = await client.github.ping()
    headers, body = receiver.got[0]
    secret = client.github.app.webhook_secret.encode()
    assert headers["X-Hub-Signature-256"] == "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    assert headers["X-GitHub-Delivery"] == delivery.guid
    assert headers["X-GitHub-Event"] == "ping"
    assert headers["X-GitHub-Hook-Installation-Target-Type"] == "integration"
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == str(client.github.app.id)
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert headers["Content-Type"] == "application/json"
    assert (delivery.status_code, delivery.response_body) == (202, '{"ok": true}')


async def test_work_of_people_is_announced_in_order(client: Client, receiver: Receiver) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await repo.commit({"a.py": "x = 2\n"}, branch="feature")
    pull = await repo.open_pull("Two", head="feature", draft=True)
    await pull.mark_ready()
    await repo.commit({"a.py": "x = 3\n"}, branch="feature")
    await pull.close()
    await pull.reopen()
    await pull.merge()
    await repo.move_ref("refs/heads/feature", None)
    await repo.move_ref("refs/tags/v1", await repo.git.head("main"))
    assert receiver.events == [
        *("push", "check_suite.requested", "pull_request.opened", "pull_request.ready_for_review"),
        *("push", "check_suite.requested", "pull_request.synchronize"),
        *("pull_request.closed", "pull_request.reopened"),
        *("push", "check_suite.requested", "pull_request.closed"),
        *("push", "push"),
    ]
    payloads = [json.loads(body) for _, body in receiver.got]
    assert payloads[11]["pull_request"]["merged"] is True
    assert payloads[12]["deleted"] is True
    assert payloads[12]["after"] == "0" * 40
    assert payloads[13]["ref"] == "refs/tags/v1"


async def test_payloads_name_the_repository_as_it_is(client: Client, receiver: Receiver) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    before = await repo.commit({"a.py": "x = 2\n"}, branch="feature")
    await repo.open_pull("Two", head="feature")
    after = await repo.commit({"b.py": "y\n", "a.py": None}, branch="feature", message="Three")
    push, _, synchronize = [json.loads(body) for _, body in receiver.got][-3:]
    assert (push["ref"], push["before"], push["after"]) == ("refs/heads/feature", before, after)
    assert push["head_commit"]["message"] == "Three"
    assert (push["head_commit"]["added"], push["head_commit"]["removed"]) == (["b.py"], ["a.py"])
    assert push["repository"]["clone_url"] == repo.clone_url
    assert push["installation"]["id"] == client.github.installation_id(repo)
    assert (synchronize["before"], synchronize["after"]) == (before, after)
    head = synchronize["pull_request"]["head"]
    assert (head["sha"], head["repo"]["id"]) == (after, repo.id)
    assert "Codertocat" not in json.dumps([push, synchronize])
    assert "%" not in json.dumps([push, synchronize]), "no placeholder is left"


async def test_fork_is_announced_to_the_base_only(client: Client, receiver: Receiver) -> None:
    base = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    fork = await client.github.create_repository("mona/widgets", parent=base, install=False)
    await fork.commit({"a.py": "x = 2\n"}, branch="feature")
    await base.open_pull("From afar", head="feature", head_repository=fork)
    await fork.commit({"a.py": "x = 3\n"}, branch="feature")
    assert receiver.events == ["pull_request.opened", "pull_request.synchronize"]
    payload = json.loads(receiver.got[-1][1])
    assert payload["repository"]["full_name"] == "acme/widgets"
    assert payload["pull_request"]["head"]["repo"]["full_name"] == "mona/widgets"
    assert payload["pull_request"]["head"]["repo"]["fork"] is True


async def test_every_payload_is_valid_by_githubs_description(client: Client, receiver: Receiver) -> None:
    github = client.github
    repo = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await repo.commit({"a.py": "x = 2\n"}, branch="feature")
    pull = await repo.open_pull("Two", head="feature", draft=True)
    await repo.commit({"a.py": "x = 3\n"}, branch="feature")
    await pull.mark_ready()
    await pull.close()
    await pull.reopen()
    await repo.move_ref("refs/heads/feature", None)
    await github.ping()
    installation = github.state.installations[github.installation_id(repo)]
    for action in ("created", "deleted"):
        await github.deliver("installation", github.installation_payload(installation, action))
    for delivery in github.deliveries:
        assert payload_problems(delivery.event, delivery.payload) == [], delivery.event
    assert len(github.deliveries) == 14


async def test_receiver_that_is_away_makes_a_failed_delivery(client: Client, unused_tcp_port: int) -> None:
    client.github.webhook_url = f"http://127.0.0.1:{unused_tcp_port}/"
    delivery = await client.github.ping()
    assert not delivery.succeeded
    assert delivery.status == "failed to connect to host"


async def test_a_name_that_never_exists_gets_nothing_at_once(client: Client) -> None:
    client.github.webhook_url = "https://hooks.invalid/github"
    assert (await client.github.ping()).status_code == 0
    assert [item["status_code"] for item in (await call_log(client, "?status=failure")).json] == [0]


async def call_log(client: Client, path: str = "") -> Any:
    return await client.call("GET", f"/app/hook/deliveries{path}")


async def test_log_of_deliveries_can_be_read_and_used(client: Client, receiver: Receiver) -> None:
    receiver.status = 500
    lost = await client.github.ping()
    receiver.status = 202
    listed = await call_log(client, "?status=failure")
    assert [(item["id"], item["status_code"]) for item in listed.json] == [(lost.id, 500)]
    detail = await call_log(client, f"/{lost.id}")
    request = detail.json["request"]
    assert request["payload"] == lost.payload
    assert request["headers"]["X-GitHub-Delivery"] == lost.guid
    again = await client.call("POST", f"/app/hook/deliveries/{lost.id}/attempts")
    assert again.status == 202
    assert [headers["X-GitHub-Delivery"] for headers, _ in receiver.got] == [lost.guid] * 2
    assert (await call_log(client)).json[0]["redelivery"] is True


async def test_log_is_paged_by_cursor_and_forgets(client: Client, receiver: Receiver) -> None:
    for _ in range(5):
        await client.github.ping()
    seen, path = [], "?per_page=2"
    while path:
        reply = await call_log(client, path)
        seen += [item["id"] for item in reply.json]
        link = reply.headers.get("Link", "")
        path = link.partition("<")[2].partition(">")[0].partition("/deliveries")[2]
    assert seen == [delivery.id for delivery in reversed(client.github.deliveries)]
    client.github.clock.advance(3 * 24 * 3600 + 1)
    assert (await call_log(client)).json == []
    assert receiver.events == ["ping"] * 5
