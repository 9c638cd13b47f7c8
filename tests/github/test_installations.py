"""Installations and repositories that come, move and go: the events, the redirects, and what tokens are worth then."""

from pathlib import Path

import pytest

from tests.github.client import Client, git, with_token
from tests.github.receiver import Receiver
from tests.github.repository import Repository


@pytest.fixture
async def widgets(client: Client, receiver: Receiver) -> Repository:
    return await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})


async def test_installations_come_change_and_go(client: Client, receiver: Receiver) -> None:
    github = client.github
    github.app.events = ()
    widgets = await github.create_repository("acme/widgets", files={"a": "1"}, install=False)
    gears = await github.create_repository("acme/gears", install=False)
    installation = await github.install("acme", repositories=[widgets], by="mona")
    await installation.add_repositories(gears)
    await installation.remove_repositories(widgets)
    await installation.suspend()
    await installation.unsuspend()
    await installation.accept_permissions()
    await installation.uninstall()
    assert receiver.events == [
        *("installation.created", "installation_repositories.added", "installation_repositories.removed"),
        *("installation.suspend", "installation.unsuspend", "installation.new_permissions_accepted"),
        "installation.deleted",
    ], "although the App subscribes to nothing"
    created, added, removed, suspended, *_ = receiver.payloads
    assert (created["sender"]["login"], created["repositories"][0]["full_name"]) == ("mona", "acme/widgets")
    assert [repo["full_name"] for repo in added["repositories_added"]] == ["acme/gears"]
    assert [repo["full_name"] for repo in removed["repositories_removed"]] == ["acme/widgets"]
    assert suspended["installation"]["suspended_at"] is not None
    with pytest.raises(LookupError, match="not installed on acme/gears"):
        github.installation(gears)


async def test_a_suspended_installation_refuses_and_is_silent(
    client: Client, receiver: Receiver, widgets: Repository
) -> None:
    token = await client.token(widgets)
    installation = client.github.installation(widgets)
    await installation.suspend()
    receiver.got.clear()
    await widgets.commit({"a.py": "x = 2\n"})
    assert receiver.events == []
    reply = await client.call("GET", "/repos/acme/widgets", token=token)
    assert (reply.status, reply.json["message"]) == (403, "This installation has been suspended")
    refused = await client.call("POST", f"/app/installations/{installation.id}/access_tokens")
    assert refused.status == 403
    await installation.unsuspend()
    assert (await client.call("GET", "/repos/acme/widgets", token=token)).status == 200


async def test_what_was_taken_away_is_no_mistake(client: Client, widgets: Repository) -> None:
    token = await client.token(widgets)
    installation = client.github.installation(widgets)
    await installation.remove_repositories(widgets)
    assert (await client.call("GET", "/repos/acme/widgets", token=token)).status == 404
    path = f"/app/installations/{installation.id}/access_tokens"
    assert (await client.call("POST", path, {"repository_ids": [widgets.id]})).status == 422
    assert (await client.call("POST", path, {"repositories": ["widgets"]})).status == 422
    with client.github.expect_violations() as violations:
        assert (await client.call("POST", path, {"repository_ids": [1]})).status == 422
    assert len(violations) == 1
    await installation.uninstall()
    assert (await client.call("GET", "/repos/acme/widgets", token=token)).status == 401
    assert (await client.call("POST", path)).status == 404


async def test_a_renamed_repository_is_found_by_its_old_name(
    client: Client, receiver: Receiver, widgets: Repository, tmp_path: Path
) -> None:
    sha = await widgets.git.head("main")
    token = await client.token(widgets)
    old_url = with_token(widgets, token)
    await widgets.rename("gadgets")
    assert receiver.events == ["repository.renamed"]
    assert receiver.payloads[0]["changes"] == {"repository": {"name": {"from": "widgets"}}}
    assert receiver.payloads[0]["repository"]["full_name"] == "acme/gadgets"
    read = await client.call("GET", "/repos/acme/widgets/commits/main?per_page=1", token=token)
    assert read.json["sha"] == sha, "aiohttp followed the redirect"
    body = {"name": "fast", "head_sha": sha}
    written = await client.call("POST", "/repos/acme/widgets/check-runs", body, token=token)
    assert (written.status, written.json["name"]) == (201, "fast")
    statuses = [request.status for request in client.github.requests[-4:]]
    assert statuses == [301, 200, 307, 201]
    await git(tmp_path, "init", "--quiet", ".")
    askpass = tmp_path / "askpass"
    askpass.write_text(f"#!/bin/sh\necho {token}\n")
    askpass.chmod(0o755)
    code, out = await git(tmp_path, "-c", f"core.askPass={askpass}", "fetch", "--quiet", old_url, "main")
    assert code == 0, out
    again = await client.github.create_repository("acme/widgets", files={"b": "2"})
    shown = await client.call("GET", "/repos/acme/widgets", token=token)
    assert shown.json["id"] == again.id, "a new repository takes the name"


async def test_a_transferred_repository_changes_hands(client: Client, receiver: Receiver, widgets: Repository) -> None:
    token = await client.token(widgets)
    await client.github.install("globex")
    receiver.got.clear()
    await widgets.transfer("globex")
    assert receiver.events == [
        *("installation_repositories.removed", "installation_repositories.added", "repository.transferred")
    ]
    moved = receiver.payloads[-1]
    assert moved["changes"]["owner"]["from"]["organization"]["login"] == "acme"
    assert moved["installation"]["id"] == client.github.installation_id(widgets)
    assert (await client.call("GET", "/repos/acme/widgets", token=token)).status == 404
    reply = await client.call("GET", "/repos/globex/widgets", token=await client.token(widgets))
    assert reply.json["id"] == widgets.id


async def test_a_deleted_repository_is_gone(
    client: Client, receiver: Receiver, widgets: Repository, tmp_path: Path
) -> None:
    token = await client.token(widgets)
    body = {"name": "fast", "head_sha": await widgets.git.head("main")}
    await client.call("POST", "/repos/acme/widgets/check-runs", body, token=token)
    await widgets.delete()
    assert receiver.events == ["repository.deleted"]
    assert (await client.call("GET", "/repos/acme/widgets", token=token)).status == 404
    code, out = await git(tmp_path, "clone", "--quiet", with_token(widgets, token), "clone")
    assert code != 0
    assert "not found" in out
    assert "fast" in client.github.render_check_runs(), "what was there can still be looked at"


async def test_visibility_and_default_branch_change(receiver: Receiver, widgets: Repository) -> None:
    await widgets.move_ref("refs/heads/next", await widgets.git.head("main"))
    receiver.got.clear()
    await widgets.set_private(False)
    await widgets.set_private(True)
    await widgets.set_default_branch("next")
    assert receiver.events == ["repository.publicized", "repository.privatized", "repository.edited"]
    assert receiver.payloads[-1]["changes"] == {"default_branch": {"from": "main"}}
    assert receiver.payloads[-1]["repository"]["default_branch"] == "next"
