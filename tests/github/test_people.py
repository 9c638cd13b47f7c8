"""What people do at GitHub, and what the App is told of it. Every payload is held to GitHub's description."""

from typing import Any

import pytest

from tests.github.client import Client
from tests.github.receiver import Receiver
from tests.github.repository import Repository


@pytest.fixture
async def widgets(client: Client, receiver: Receiver) -> Repository:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await repo.commit({"a.py": "x = 2\n"}, branch="feature")
    await repo.open_pull("Two", head="feature")
    receiver.got.clear()
    return repo


async def add_run(client: Client, repo: Repository, **fields: Any) -> Any:
    body = {"name": "fast", "head_sha": repo.pulls[1].head_sha, **fields}
    path = f"/repos/{repo.full_name}/check-runs"
    return (await client.call("POST", path, body, token=await client.token(repo))).json


async def test_comments_are_told_as_they_come_change_and_go(
    client: Client, receiver: Receiver, widgets: Repository
) -> None:
    comment = await widgets.pulls[1].comment("/test", author="mona")
    await comment.edit("/test full")
    bot = await widgets.pulls[1].comment("Bump x", author="dependabot[bot]")
    await bot.delete(by="octocat")
    issue = widgets.open_issue("It is broken")
    await issue.comment("Indeed", author="mona")
    assert receiver.events == [
        f"issue_comment.{action}" for action in ["created", "edited", "created", "deleted", "created"]
    ]
    created, edited, by_bot, deleted, on_issue = receiver.payloads
    assert (created["comment"]["body"], created["comment"]["user"]["login"]) == ("/test", "mona")
    assert created["issue"]["pull_request"]["url"].endswith("/repos/acme/widgets/pulls/1")
    assert (edited["comment"]["body"], edited["changes"]) == ("/test full", {"body": {"from": "/test"}})
    assert by_bot["sender"]["type"] == "Bot"
    assert (deleted["comment"]["id"], deleted["sender"]["login"]) == (bot.id, "octocat")
    assert "pull_request" not in on_issue["issue"]
    assert (on_issue["issue"]["number"], on_issue["comment"]["author_association"]) == (2, "NONE")
    assert client.github.comments(widgets, 1) == [comment]
    assert client.github.comment_history(widgets)[:2] == [comment, bot]


async def test_pull_requests_are_edited_and_drafted(receiver: Receiver, widgets: Repository) -> None:
    pull = widgets.pulls[1]
    await widgets.move_ref("refs/heads/next", await widgets.git.head("main"))
    receiver.got.clear()
    await pull.convert_to_draft()
    await pull.mark_ready(by="mona")
    await pull.retitle("Three")
    await pull.edit_base("next")
    assert receiver.events == [
        *("pull_request.converted_to_draft", "pull_request.ready_for_review"),
        *("pull_request.edited", "pull_request.edited"),
    ]
    _, ready, retitled, rebased = receiver.payloads
    assert (ready["pull_request"]["draft"], ready["sender"]["login"]) == (False, "mona")
    assert retitled["changes"] == {"title": {"from": "Two"}}
    assert rebased["changes"]["base"]["ref"] == {"from": "main"}
    assert rebased["pull_request"]["base"]["ref"] == "next"
    with pytest.raises(ValueError, match="no branch 'nowhere'"):
        await pull.edit_base("nowhere")


async def test_a_pull_request_without_its_branch_is_closed(receiver: Receiver, widgets: Repository) -> None:
    await widgets.delete_branch("feature", by="mona")
    assert receiver.events == ["push", "pull_request.closed"]
    assert receiver.payloads[0]["deleted"] is True
    assert widgets.pulls[1].state == "closed"


async def test_buttons_name_the_run_and_who_pressed(client: Client, receiver: Receiver, widgets: Repository) -> None:
    action = {"label": "Approve", "description": "Let it run", "identifier": "approve"}
    run = await add_run(client, widgets, conclusion="action_required", actions=[action])
    await add_run(client, widgets, name="full", conclusion="failure")
    await add_run(client, widgets, name="full", conclusion="success")
    failed = await add_run(client, widgets, name="docs", conclusion="timed_out")
    github, sha = client.github, widgets.pulls[1].head_sha
    [check_run] = github.check_runs(sha, name="fast")
    await github.press_rerun(check_run, by="mona")
    await github.press_button(check_run, "approve")
    assert [found.name for found in await github.press_rerun_failed(widgets, sha)] == ["docs"]
    await github.press_rerun_all(widgets, sha)
    assert receiver.events == [
        *("check_run.rerequested", "check_run.requested_action", "check_run.rerequested", "check_suite.rerequested")
    ]
    one, pressed, again, everything = receiver.payloads
    assert (one["check_run"]["id"], one["sender"]["login"]) == (run["id"], "mona")
    assert one["check_run"]["pull_requests"][0]["number"] == 1
    assert pressed["requested_action"] == {"identifier": "approve"}
    assert again["check_run"]["id"] == failed["id"]
    assert everything["check_suite"]["head_sha"] == sha
    with pytest.raises(ValueError, match="offers approve, not 'rebuild'"):
        await github.press_button(check_run, "rebuild")


async def test_own_checks_are_told_if_wanted(client: Client, receiver: Receiver, widgets: Repository) -> None:
    await add_run(client, widgets, conclusion="failure")
    await client.github.settle()
    assert receiver.events == []
    client.github.own_checks = True
    run = await add_run(client, widgets, conclusion="success")
    path = f"/repos/acme/widgets/check-runs/{run['id']}"
    await client.call("PATCH", path, {"external_id": "1"}, token=await client.token(widgets))
    await client.github.settle()
    assert sorted(receiver.events) == ["check_run.completed", "check_run.created", "check_suite.completed"]


async def test_merge_queue_lands_or_rebuilds(receiver: Receiver, widgets: Repository) -> None:
    await widgets.commit({"b.py": "y\n"}, branch="other")
    second = await widgets.open_pull("Other", head="other")
    receiver.got.clear()
    first_group = await widgets.queue_merge(widgets.pulls[1])
    assert receiver.events == ["push", "check_suite.requested", "merge_group.checks_requested"]
    requested = receiver.payloads[-1]["merge_group"]
    assert requested["head_sha"] == receiver.payloads[0]["after"] == first_group.head_sha
    assert requested["head_ref"] == f"refs/heads/gh-readonly-queue/main/pr-1-{requested['base_sha']}"
    second_group = await widgets.queue_merge(second)
    assert second_group.base_sha == first_group.head_sha
    with pytest.raises(ValueError, match="not the first"):
        await second_group.land()
    receiver.got.clear()
    await first_group.destroy("dequeued")
    destroyed = [p["reason"] for p in receiver.payloads if p.get("action") == "destroyed"]
    assert destroyed == ["dequeued", "invalidated"]
    third_group = widgets.merge_groups[-1]
    assert (third_group.pull, third_group.base_sha) == (second, await widgets.git.head("main"))
    receiver.got.clear()
    sha = await third_group.land()
    assert await widgets.git.head("refs/heads/main") == sha
    assert receiver.events == [
        *("push", "check_suite.requested", "pull_request.closed", "merge_group.destroyed", "push")
    ]
    assert receiver.payloads[2]["pull_request"]["merged"] is True


async def test_tags_are_pushed(receiver: Receiver, widgets: Repository) -> None:
    sha = await widgets.tag("v1")
    assert receiver.events == ["push"]
    assert (receiver.payloads[0]["ref"], receiver.payloads[0]["after"]) == ("refs/tags/v1", sha)


async def test_a_deleted_fork_leaves_an_unknown_repository(
    client: Client, receiver: Receiver, widgets: Repository
) -> None:
    fork = await client.github.fork(widgets, "mona")
    sha = await fork.commit({"a.py": "x = 9\n"}, branch="gift", author="mona")
    pull = await widgets.open_pull("A gift", head="gift", head_repository=fork, author="mona")
    receiver.got.clear()
    await fork.delete()
    await pull.comment("Where did it go?")
    await pull.close()
    await pull.reopen()
    assert receiver.events == ["issue_comment.created", "pull_request.closed", "pull_request.reopened"]
    shown = receiver.payloads[-1]["pull_request"]
    assert (shown["head"]["repo"], shown["head"]["sha"]) == (None, sha)
    run = await add_run(client, widgets, head_sha=sha)
    assert run["pull_requests"] == []
    reply = await client.call("GET", "/repos/acme/widgets/pulls/2", token=await client.token(widgets))
    assert reply.json["head"]["repo"] is None


async def test_people_have_roles(widgets: Repository) -> None:
    assert [widgets.permission(login) for login in ("octocat", "mona", "acme")] == ["write", None, "admin"]
    widgets.set_permission("mona", "triage")
    assert widgets.permission("Mona") == "triage"
    widgets.set_permission("mona", None)
    widgets.private = False
    assert widgets.permission("mona") == "read"
