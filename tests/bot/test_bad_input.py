"""What no client of GitHub expects, and GitHub sends all the same: kept, answered, and come to an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.events.code import LONGEST_NAME
from bot.events.decision import Rules
from bot.github import GitHub
from bot.intake import keep
from bot.triggers import EVENTS, decide
from bot.webhooks import LARGEST_BODY
from draftsman.domain.admission import Admission
from draftsman.domain.run import RunState, Trust
from draftsman.store import attempts
from draftsman.store.database import Pool
from draftsman.store.deliveries import Delivery
from tests.bot.conftest import Served
from tests.bot.doing import all_done, assert_no_traceback, at_work, send
from tests.bot.recovering import receiver_of
from tests.bot.reporting import until
from tests.github import Comment, GitHubStandIn, Pull, Repository
from tests.github.examples import all_examples, examples

RULES = Rules("https://github.com", ("[skip ci]",))
SHA256 = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """No test of this file may leave a traceback in the log."""
    yield
    assert_no_traceback(caplog)


async def widgets_of(github: GitHubStandIn, **files: str) -> Repository:
    return await github.create_repository("acme/widgets", private=False, files={"a.py": "x = 1\n", **files})


async def pull_of(github: GitHubStandIn, author: str = "octocat") -> Pull:
    widgets = await widgets_of(github)
    await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    return await widgets.open_pull("Two", head="feature", author=author)


async def outcomes(pool: Pool[Any], kind: str) -> list[tuple[str, int, str | None]]:
    rows = await pool.fetch("SELECT state, tries, error FROM tasks WHERE kind = $1 ORDER BY id", kind)
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("event", sorted(EVENTS))
async def test_an_action_that_is_new_is_kept_and_calls_for_nothing(served: Served, pool: Pool[Any], event: str) -> None:
    payload = {**examples(event)[-1], "action": "brand_new"}
    if event == "push":
        payload["ref"] = "refs/notes/brand-new"
    assert (await send(served, event, payload))[0] == 202
    assert await pool.fetchval("SELECT action FROM deliveries") == "brand_new"
    assert await pool.fetchval("SELECT count(*) FROM runs") == 0
    assert await pool.fetchval("SELECT count(*) FROM tasks") == 0


def test_whatever_is_missing_is_decided() -> None:
    for event, payload in all_examples():
        for path in paths(payload):
            decision = decide(event, without(payload, path), RULES)
            assert decision.text, (event, path)


def paths(value: Any, depth: int = 3) -> list[tuple[str, ...]]:
    if not isinstance(value, dict) or depth == 0:
        return []
    return [
        found for name, inner in value.items() for found in [(name,), *((name, *p) for p in paths(inner, depth - 1))]
    ]


def without(payload: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    copied: dict[str, Any] = dict(payload)
    inner = copied
    for name in path[:-1]:
        inner[name] = dict(inner[name])
        inner = inner[name]
    del inner[path[-1]]
    return copied


async def test_a_delivery_as_large_as_they_come_is_done(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    github.auto_deliver = False
    widgets = await widgets_of(github)
    sha = await widgets.commit({"a.py": "x = 2\n"})
    payload = await github.push_payload(widgets, "refs/heads/main", before=None, after=sha)
    empty = len(json.dumps({**payload, "commits": [""]}).encode())
    payload["commits"] = ["x" * (LARGEST_BODY - empty)]
    assert (await send(served, "push", payload))[0] == 202
    async with at_work(pool, github, database_url):
        await all_done(pool)
    [attempt] = await attempts.recent(pool)
    assert attempt.run.head_sha == sha


@pytest.mark.parametrize("filling", ["😀", "` ", "> "], ids=ascii)
async def test_a_command_at_the_end_of_the_longest_comment_is_done(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str, filling: str
) -> None:
    pull = await pull_of(github)
    end = "\n\n/draftsman nonsense"
    room = 65_536 - len(end)
    comment = await pull.comment((filling * room)[:room] + end)
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert comment.reactions == ["eyes", "confused"]
    [answer] = [one for one in github.comments(pull.repository, pull.number) if one.by_app]
    assert "no such command" in answer.body


async def test_a_branch_may_be_called_anything(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    """GitHub has none of these branches (any more), which is found out with requests that it understands."""
    github.auto_deliver = False
    widgets = await widgets_of(github)
    sha = await widgets.git.head("refs/heads/main")
    payload = await github.push_payload(widgets, "refs/heads/main", before=None, after=sha)
    names = ("é" * 127, "x" * 255, "🎉/🚀", "a#b%20c&d=e+f", "ünï\u0301code", "-", "'\"", "@{x", "a\x00b")
    for name in names:
        assert (await send(served, "push", {**payload, "ref": f"refs/heads/{name}"}))[0] == 202
    [attempt] = await attempts.recent(pool)
    assert attempt.state is RunState.QUEUED
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert {outcome[0] for outcome in await outcomes(pool, "follow")} == {"done"}
    [attempt] = await attempts.recent(pool)
    assert attempt.conclusion == "cancelled"


async def test_a_branch_with_an_odd_name_that_is_there_keeps_its_run(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    widgets = await widgets_of(github)
    shas = {await widgets.commit({"a.py": name}, branch=name) for name in ("🎉/🚀", "é" * 100, "a#b%20c&d=e+f")}
    async with at_work(pool, github, database_url):
        await all_done(pool)
    recent = await attempts.recent(pool)
    assert {attempt.run.head_sha for attempt in recent} == shas
    assert {attempt.state for attempt in recent} == {RunState.QUEUED}


@pytest.mark.parametrize("length", [LONGEST_NAME + 1, 300, 65_536])
@pytest.mark.parametrize("event", ["push", "pull_request", "merge_group"])
async def test_a_name_that_is_too_long_runs_nothing_and_says_so(
    served: Served, pool: Pool[Any], event: str, length: int
) -> None:
    name = "x" * length
    [payload] = [
        one
        for one in [json.loads(json.dumps(one)) for one in examples(event)]
        if one.get("action") in (None, "requested", "synchronize", "checks_requested")
        and str(one.get("ref", "refs/heads/")).startswith("refs/heads/")
    ][-1:]
    if event == "push":
        payload["ref"] = f"refs/heads/{name}"
    elif event == "merge_group":
        payload["merge_group"]["head_ref"] = f"refs/heads/{name}"
    else:
        payload["pull_request"]["base"]["ref"] = name
    assert (await send(served, event, payload))[0] == 202
    assert await pool.fetchval("SELECT count(*) FROM runs") == 0
    assert "is not a text of 1 to" in await pool.fetchval("SELECT decision FROM deliveries")


@pytest.mark.parametrize("event", ["push", "pull_request", "merge_group"])
async def test_a_commit_may_have_a_sha_256(served: Served, pool: Pool[Any], event: str) -> None:
    action = {"push": None, "pull_request": "opened", "check_suite": "requested", "merge_group": "checks_requested"}
    found = [one for one in examples(event) if one.get("action") == action[event]]
    [payload] = [one for one in found if not one.get("deleted") and "refs/tags" not in str(one.get("ref"))][-1:]
    places = {
        "push": (payload, "after"),
        "pull_request": (payload.get("pull_request", {}).get("head"), "sha"),
        "check_suite": (payload.get("check_suite"), "head_sha"),
        "merge_group": (payload.get("merge_group"), "head_sha"),
    }
    holder, name = places[event]
    holder[name] = SHA256
    assert (await send(served, event, payload))[0] == 202
    [attempt] = await attempts.recent(pool)
    assert attempt.run.head_sha == SHA256


@pytest.mark.parametrize("user", [None, {"login": "ghost", "id": 10137, "type": "User"}], ids=["null", "ghost"])
async def test_a_pull_request_from_an_unknown_repository_waits(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str, user: Any
) -> None:
    """GitHub's page says "unknown repository" where the fork is deleted, and ghost where its owner is."""
    pull = await pull_of(github)
    github.auto_deliver = False
    await pool.execute("TRUNCATE runs, tasks CASCADE")
    payload = await github.pull_payload(pull, "opened")
    payload["pull_request"]["head"] = {"label": "unknown repository", "ref": "x", "sha": "e" * 40, "repo": None}
    payload["pull_request"]["head"]["user"] = payload["pull_request"]["user"] = user
    assert (await send(served, "pull_request", payload))[0] == 202
    [attempt] = await attempts.recent(pool)
    assert (attempt.state, attempt.trust) == (RunState.WAITING, Trust.UNTRUSTED)
    async with at_work(pool, github, database_url):
        await all_done(pool)
    [trust] = await outcomes(pool, "trust")
    assert trust[:2] == ("done", 1)


async def test_a_fork_that_was_deleted_meanwhile_can_be_approved_and_ends(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    widgets = await widgets_of(github)
    fork = await github.fork(widgets, "stranger")
    sha = await fork.commit({"a.py": "x = 3\n"}, branch="idea")
    pull = await widgets.open_pull("Idea", head="idea", head_repository=fork, author="stranger")
    await fork.delete()
    comment = await pull.comment(f"/approve {sha}")
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert comment.reactions in (["eyes", "rocket"], ["eyes", "confused"])
    assert all(attempt.trust is Trust.UNTRUSTED for attempt in await attempts.recent(pool))


async def test_nothing_is_asked_about_a_suspended_installation_and_all_is_done_when_it_is_back(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman help")
    installation = github.installation(pull.repository)
    await installation.suspend()
    before = len(github.requests)
    async with at_work(pool, github, database_url):
        await until_waiting(pool)
        assert github.requests[before:] == []
        await installation.unsuspend()
        await until(lambda: comment.reactions == ["eyes", "rocket"])
        await all_done(pool)
    assert {row["state"] for row in await pool.fetch("SELECT state FROM tasks")} == {"done"}


async def until_waiting(pool: Pool[Any]) -> None:
    query = "SELECT count(*) FROM tasks WHERE state = 'open' AND error LIKE '%is suspended'"
    for _ in range(500):
        if await pool.fetchval(query) >= 2:
            return
        await until(lambda: True)
        await pool.execute("SELECT pg_sleep(0.02)")
    raise AssertionError("no task waits for the installation")


async def test_nothing_is_asked_about_an_installation_that_is_gone(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    await pull.comment("/draftsman help")
    await github.installation(pull.repository).uninstall()
    before = len(github.requests)
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert github.requests[before:] == []
    assert await outcomes(pool, "comment") == [("given_up", 1, "the App was removed from acme")]


async def test_a_comment_that_is_deleted_meanwhile_does_nothing(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman cancel\n/draftsman nonsense")
    await comment.delete()
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert await outcomes(pool, "comment") == [("given_up", 1, "the comment is gone")]
    assert comment.reactions == []
    assert github.comments(pull.repository, pull.number) == []
    assert {attempt.state for attempt in await attempts.recent(pool)} == {RunState.QUEUED}


async def test_a_comment_on_a_pull_request_that_is_gone_does_nothing(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman plan")
    await pool.execute("""UPDATE tasks SET detail = detail || '{"number": 4711}' WHERE kind = 'comment'""")
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert await outcomes(pool, "comment") == [("given_up", 1, "the pull request is gone")]
    assert comment.reactions == ["eyes"]


async def test_a_person_may_have_any_login(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    """The longest; of an enterprise, which has an underscore; of somebody whose account is gone."""
    pull = await pull_of(github)
    logins = ("x" * 39, "octo_acme", "a-b-c", "0", "ghost")
    comments = [await pull.comment("/draftsman rebuild", author=login) for login in logins]
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert [comment.reactions for comment in comments] == [["eyes", "confused"]] * len(logins)
    answers = [one.body for one in github.comments(pull.repository, pull.number) if one.by_app]
    assert [f"`{login}` has read" in answer for login, answer in zip(logins, answers, strict=True)] == [True] * 5


async def test_what_is_no_login_is_asked_nothing_about(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    github.auto_deliver = False
    comments = []
    for login in ("renovate[bot]", "..", "a/../b", "a?b", "x" * 200, "é", "a b", "[bot]", "\x00", "\ud800"):
        comment = await pull.comment("/draftsman rebuild")
        payload = comment_payload(github, pull, comment)
        payload["comment"]["user"]["login"] = login
        assert (await send(served, "issue_comment", payload))[0] == 202
        comments.append(comment)
    before = len(github.requests)
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert not any("/permission" in request.path for request in github.requests[before:])
    reactions = [comment.reactions for comment in comments]
    assert reactions == [[] if number in (0, 7) else ["eyes", "confused"] for number in range(len(comments))]


def comment_payload(github: GitHubStandIn, pull: Pull, comment: Comment) -> dict[str, Any]:
    """The delivery of a comment, made of an example; what is read of it is this comment's."""
    [payload] = [one for one in examples("issue_comment") if one["action"] == "created"][:1]
    repository = pull.repository
    payload["issue"] |= {"number": pull.number, "pull_request": {"url": "x"}}
    payload["comment"] |= {"id": comment.id, "body": comment.body, "created_at": comment.created_at}
    payload["repository"] |= {"id": repository.id, "full_name": repository.full_name, "default_branch": "main"}
    payload["installation"] = {"id": github.installation_id(repository)}
    return payload


@pytest.mark.parametrize(
    "created_at", ["yesterday", "0001-01-01T00:00:00Z", "2024-01-01T00:00:00", "2024-13-01T00:00:00Z", None, 5]
)
async def test_a_comment_without_its_time_is_refused_at_once(
    served: Served, github: GitHubStandIn, pool: Pool[Any], created_at: Any
) -> None:
    pull = await pull_of(github)
    github.auto_deliver = False
    payload = comment_payload(github, pull, await pull.comment("/approve"))
    payload["comment"]["created_at"] = created_at
    assert (await send(served, "issue_comment", payload))[0] == 202
    assert await outcomes(pool, "comment") == []


async def test_a_repository_that_goes_to_an_owner_who_is_not_served_runs_nothing_more(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any], database_url: str
) -> None:
    """Its id is the same, and its name is what decides."""
    receiver = receiver_of(pool, github, Admission(deny=("elsewhere",)))
    widgets = await widgets_of(github)
    github.state.install("elsewhere")
    await widgets.transfer("elsewhere")
    sha = await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    pull = await widgets.open_pull("Two", head="feature")
    push = await github.push_payload(widgets, "refs/heads/feature", before=None, after=sha)
    for number, (event, payload) in enumerate(
        [("push", push), ("pull_request", await github.pull_payload(pull, "opened"))]
    ):
        delivery = Delivery(f"guid-{number}", event, None, widgets.id, None, b"{}")
        await keep(receiver, delivery, payload)
    [attempt] = await attempts.recent(pool)
    assert (attempt.state, attempt.conclusion) == (RunState.FINISHED, "neutral")
    assert "does not serve elsewhere/widgets" in str(attempt.title)
    assert await pool.fetchval("SELECT count(*) FROM tasks") == 0


@pytest.mark.parametrize(("event", "action"), [("check_run", "rerequested"), ("check_suite", "rerequested")])
def test_buttons_of_other_apps_are_not_ours(event: str, action: str) -> None:
    [payload] = [one for one in examples(event) if one["action"] == action][:1]
    app = payload[event]["app"]
    assert decide(event, payload, Rules("https://github.com", app_id="4711")).tasks == ()
    for ours in (str(app["id"]), ""):
        assert len(decide(event, payload, Rules("https://github.com", app_id=ours)).tasks) == 1
