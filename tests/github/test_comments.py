"""Comments and reactions as the App makes and reads them, and who may do what."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.github.client import Client, Reply
from tests.github.receiver import Receiver
from tests.github.repository import Repository


@dataclass(frozen=True)
class Desk:
    client: Client
    repo: Repository
    token: str

    async def call(self, method: str, path: str, body: Any = None) -> Reply:
        return await self.client.call(method, f"/repos/acme/widgets/{path}", body, token=self.token)


@pytest.fixture
async def desk(client: Client) -> Desk:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await repo.commit({"a.py": "x = 2\n"}, branch="feature")
    await repo.open_pull("Two", head="feature")
    return Desk(client, repo, await client.token(repo, {"permissions": {"pull_requests": "write"}}))


async def test_the_app_comments_and_edits(desk: Desk, receiver: Receiver) -> None:
    made = await desk.call("POST", "issues/1/comments", {"body": "Working on it"})
    assert (made.status, made.json["user"]["login"]) == (201, "draftsman-test[bot]")
    assert made.json["performed_via_github_app"]["id"] == desk.client.github.app.id
    number = made.json["id"]
    assert (await desk.call("PATCH", f"issues/comments/{number}", {"body": "Done"})).json["body"] == "Done"
    assert (await desk.call("GET", f"issues/comments/{number}")).json["body"] == "Done"
    [comment] = desk.client.github.comments(desk.repo, 1)
    assert (comment.author, comment.bodies, comment.by_app) == (
        "draftsman-test[bot]",
        ["Working on it", "Done"],
        True,
    )
    assert (await desk.call("DELETE", f"issues/comments/{number}")).status == 204
    for method, body in (("GET", None), ("PATCH", {"body": "x"}), ("DELETE", None)):
        assert (await desk.call(method, f"issues/comments/{number}", body)).status == 404
    await desk.client.github.settle()
    assert sorted(receiver.events) == [f"issue_comment.{action}" for action in ("created", "deleted", "edited")]
    assert receiver.payloads[0]["sender"]["type"] == "Bot"


async def test_comments_are_listed_in_pages_and_since(desk: Desk) -> None:
    pull = desk.repo.pulls[1]
    for number in range(3):
        await pull.comment(f"c{number}")
        desk.client.github.clock.advance(60)
    listed = await desk.call("GET", "issues/1/comments?per_page=2")
    assert [comment["body"] for comment in listed.json] == ["c0", "c1"]
    assert 'rel="next"' in listed.headers["Link"]
    since = pull.comments[1].created_at
    assert [c["body"] for c in (await desk.call("GET", f"issues/1/comments?since={since}")).json] == ["c1", "c2"]
    assert (await desk.call("GET", "issues/7/comments")).status == 404


async def test_a_comment_must_say_something_and_not_too_much(desk: Desk) -> None:
    with desk.client.github.expect_violations() as violations:
        for text in (" ", "x" * 65_537):
            assert (await desk.call("POST", "issues/1/comments", {"body": text})).status == 422
    assert len(violations) == 2
    assert (await desk.call("POST", "issues/1/comments", {"body": "é" * 65_536})).status == 201


async def test_reactions_are_made_once(desk: Desk) -> None:
    comment = await desk.repo.pulls[1].comment("/test")
    path = f"issues/comments/{comment.id}/reactions"
    eyes = [await desk.call("POST", path, {"content": "eyes"}) for _ in range(2)]
    assert [reply.status for reply in eyes] == [201, 200]
    await desk.call("POST", path, {"content": "rocket"})
    assert comment.reactions == ["eyes", "rocket"]
    assert [reaction["content"] for reaction in (await desk.call("GET", f"{path}?content=eyes")).json] == ["eyes"]
    assert (await desk.call("DELETE", f"{path}/{eyes[0].json['id']}")).status == 204
    assert comment.reactions == ["rocket"]
    assert [reaction.content for reaction in comment.reacted] == ["eyes", "rocket"]
    with desk.client.github.expect_violations() as violations:
        assert (await desk.call("POST", path, {"content": "shrug"})).status == 422
    assert len(violations) == 1
    await comment.delete()
    assert (await desk.call("POST", path, {"content": "eyes"})).status == 404


async def test_a_token_without_the_permission_is_a_mistake(desk: Desk) -> None:
    token = await desk.client.token(desk.repo, {"permissions": {"checks": "write"}})
    with desk.client.github.expect_violations() as violations:
        path = "/repos/acme/widgets/issues/1/comments"
        reply = await desk.client.call("POST", path, {"body": "hello"}, token=token)
    assert (reply.status, len(violations)) == (403, 1)


async def permission(desk: Desk, login: str) -> tuple[str, str]:
    shown = (await desk.call("GET", f"collaborators/{login}/permission")).json
    assert shown["user"]["login"].lower() == login
    return shown["permission"], shown["role_name"]


async def test_permissions_are_looked_up(desk: Desk) -> None:
    for role in ("admin", "maintain", "write", "triage", "read"):
        desk.repo.set_permission(f"a-{role}", role)
    shown = [await permission(desk, f"a-{role}") for role in ("admin", "maintain", "write", "triage", "read")]
    assert [permission for permission, _ in shown] == ["admin", "write", "write", "read", "read"]
    assert [role for _, role in shown] == ["admin", "maintain", "write", "triage", "read"]
    desk.client.github.add_person("stranger")
    assert await permission(desk, "stranger") == ("none", "none")
    desk.repo.private = False
    assert await permission(desk, "stranger") == ("read", "read")
    await desk.repo.pulls[1].comment("Bump", author="dependabot[bot]")
    for nobody in ("nobody", "dependabot%5Bbot%5D"):
        assert (await desk.call("GET", f"collaborators/{nobody}/permission")).status == 404


async def test_team_membership_needs_its_permission(desk: Desk) -> None:
    github = desk.client.github
    github.add_team("acme", "core", ["mona", "hubot"])
    path = "/orgs/acme/teams/core/memberships"
    with github.expect_violations() as violations:
        assert (await desk.client.call("GET", f"{path}/mona", token=desk.token)).status == 403
    assert len(violations) == 1
    github.installation(desk.repo).permissions["members"] = "read"
    token = await desk.client.token(desk.repo, {"permissions": {"members": "read"}})
    shown = (await desk.client.call("GET", f"{path}/hubot", token=token)).json
    assert (shown["role"], shown["state"]) == ("member", "active")
    assert (await desk.client.call("GET", f"{path}/octocat", token=token)).status == 404


async def test_merged_pull_requests_of_a_person_are_found(desk: Desk) -> None:
    await desk.repo.pulls[1].merge()

    async def count(query: str) -> Any:
        reply = await desk.client.call("GET", f"/search/issues?q={query}", token=desk.token)
        return reply.json.get("total_count", reply.status)

    assert await count("repo:acme/widgets+type:pr+is:merged+author:octocat") == 1
    desk.client.github.add_person("mona")
    assert await count("author:mona+is:merged+type:pr+repo:acme/widgets") == 0
    assert await count("repo:acme/widgets+type:pr+is:merged+author:nobody") == 422
    with desk.client.github.expect_violations() as violations:
        assert await count("repo:acme/widgets+is:open") == 422
    assert len(violations) == 1


async def test_searches_have_a_limit_of_their_own(desk: Desk) -> None:
    path = "/search/issues?q=repo:acme/widgets+type:pr+is:merged+author:octocat"
    replies = [await desk.client.call("GET", path, token=desk.token) for _ in range(31)]
    assert [reply.status for reply in replies[-2:]] == [200, 403]
    assert replies[-1].headers["X-RateLimit-Resource"] == "search"
    desk.client.github.clock.advance(61)
    assert (await desk.client.call("GET", path, token=desk.token)).status == 200


async def test_branches_refs_and_comparisons(desk: Desk) -> None:
    head, main = desk.repo.pulls[1].head_sha, await desk.repo.git.head("main")
    assert (await desk.client.call("GET", "/app")).status == 200
    token = await desk.client.token(desk.repo)
    desk = Desk(desk.client, desk.repo, token)
    assert (await desk.call("GET", "git/ref/heads/feature")).json["object"]["sha"] == head
    assert (await desk.call("GET", "branches/feature")).json["commit"]["sha"] == head
    compared = (await desk.call("GET", "compare/main...feature")).json
    assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("ahead", 1, 0)
    assert compared["merge_base_commit"]["sha"] == main
    assert [file["filename"] for file in (await desk.call("GET", "pulls/1/files")).json] == ["a.py"]
    assert [pull["number"] for pull in (await desk.call("GET", f"commits/{head}/pulls")).json] == [1]
    await desk.repo.delete_branch("feature")
    for path in ("git/ref/heads/feature", "branches/feature", "compare/main...feature"):
        assert (await desk.call("GET", path)).status == 404


async def test_the_app_can_ask_to_run_again(desk: Desk, receiver: Receiver) -> None:
    token = await desk.client.token(desk.repo)
    path = "/repos/acme/widgets/check-runs"
    body = {"name": "fast", "head_sha": desk.repo.pulls[1].head_sha, "conclusion": "failure"}
    run = (await desk.client.call("POST", path, body, token=token)).json
    assert (await desk.client.call("POST", f"{path}/{run['id']}/rerequest", token=token)).status == 201
    suite = f"/repos/acme/widgets/check-suites/{run['check_suite']['id']}/rerequest"
    assert (await desk.client.call("POST", suite, token=token)).status == 201
    await desk.client.github.settle()
    assert sorted(receiver.events) == ["check_run.rerequested", "check_suite.rerequested"]
