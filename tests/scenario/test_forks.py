"""Pull requests from forks: who waits, who approves what, and what a stranger cannot do."""

from __future__ import annotations

import asyncio

import pytest

from tests.github import GitHubStandIn, Pull, Repository, payloads
from tests.scenario.conftest import World
from tests.scenario.samples import NAMES, WORDS, checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]


async def fork_of(github: GitHubStandIn, name: str, files: dict[str, str]) -> tuple[Repository, Repository]:
    """A public repository, and a stranger's fork of it."""
    widgets = await github.create_repository(f"acme/{name}", private=False, files=files)
    return widgets, await github.fork(widgets, "stranger")


async def opened(widgets: Repository, fork: Repository, author: str = "stranger") -> Pull:
    """A pull request of the fork's branch `feature`."""
    return await widgets.open_pull("Please", head="feature", head_repository=fork, author=author)


async def test_a_stranger_waits_and_the_check_says_what_to_do(either: World) -> None:
    widgets, fork = await fork_of(either.github, "waits", WORDS)
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    await opened(widgets, fork)
    shown = await either.ended(sha)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "action_required")
    assert f"approve {sha}" in str(shown["fast"].summary)
    assert [action["identifier"] for action in shown["fast"].actions] == ["approve"]
    assert [attempt["state"] for attempt in await either.attempts(sha)] == ["waiting"]


async def test_an_approval_by_comment_lets_that_commit_run_and_no_later_one(either: World) -> None:
    widgets, fork = await fork_of(either.github, "approved", WORDS)
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    pull = await opened(widgets, fork)
    await either.ended(sha)
    await asyncio.sleep(1.1)  # GitHub's times have whole seconds: a comment counts for what was there before its own
    comment = await pull.comment("/approve")
    shown = await either.ended(sha, attempt=2)
    assert shown["fast"].conclusion == "neutral"
    await either.settled()
    assert comment.reactions == ["eyes", "rocket"]
    later = await fork.commit({"b.md": "b\n"}, branch="feature", author="stranger")
    assert (await either.ended(later))["fast"].conclusion == "action_required"


async def test_an_approval_that_a_push_overtook_is_refused_and_asks_for_the_sha(either: World) -> None:
    widgets, fork = await fork_of(either.github, "overtaken", WORDS)
    read = await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    pull = await opened(widgets, fork)
    await either.ended(read)
    either.github.auto_deliver = False  # GitHub is slow to tell of the push
    evil = await fork.commit({"evil.md": "b\n"}, branch="feature", author="stranger")
    either.github.auto_deliver = True
    comment = await pull.comment("/approve")
    await either.until(lambda: "confused" in comment.reactions)
    answers = either.github.comments(widgets, pull.number)[1:]
    assert len(answers) == 1
    assert f"/draftsman approve {evil}" in answers[0].body
    assert await either.rows("SELECT 1 FROM approvals a JOIN runs r ON r.id = a.run_id WHERE head_sha = $1", evil) == []
    await pull.comment(f"/approve {evil}")
    await either.until(lambda: "fast" in either.shown(evil))
    assert (await either.ended(evil))["fast"].conclusion == "neutral"


async def test_a_push_told_after_the_comment_is_not_what_was_approved(either: World) -> None:
    widgets, fork = await fork_of(either.github, "raced", WORDS)
    await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    pull = await opened(widgets, fork)
    await either.ended(pull.head_sha)
    either.github.auto_deliver = False
    comment = await pull.comment("/approve")
    either.github.auto_deliver = True
    await asyncio.sleep(1.1)  # GitHub's times have whole seconds
    evil = await fork.commit({"evil.md": "b\n"}, branch="feature", author="stranger")
    assert (await either.ended(evil))["fast"].conclusion == "action_required"
    installation = either.github.installation(widgets)
    payload = payloads.issue_comment(comment, "created", comment.user, installation, None)
    await either.github.deliver("issue_comment", payload)
    await either.settled()
    assert await either.rows("SELECT 1 FROM approvals a JOIN runs r ON r.id = a.run_id WHERE head_sha = $1", evil) == []


async def test_the_approve_button_is_for_those_who_may_write(either: World) -> None:
    widgets, fork = await fork_of(either.github, "button", WORDS)
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    await opened(widgets, fork)
    shown = await either.ended(sha)
    await either.github.press_button(shown["fast"], "approve", by="stranger")
    await either.settled()
    assert (await either.ended(sha))["fast"].conclusion == "action_required"
    await either.github.press_button(shown["full"], "approve", by="octocat")
    assert (await either.ended(sha, attempt=2))["fast"].conclusion == "neutral"


async def test_whoever_had_something_merged_here_runs_at_once(either: World) -> None:
    widgets, fork = await fork_of(either.github, "known", WORDS)
    await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    pull = await opened(widgets, fork)
    await either.ended(pull.head_sha)
    await pull.merge(by="octocat")
    sha = await fork.commit({"b.md": "b\n"}, branch="feature", author="stranger")
    await opened(widgets, fork)
    assert (await either.ended(sha))["fast"].conclusion == "neutral"
    assert [attempt["trust"] for attempt in await either.attempts(sha)] == ["untrusted"]


@pytest.mark.parametrize(
    ("policy", "conclusion"),
    [
        ({"approval": "open"}, "neutral"),
        ({"approval": "approve-all"}, "action_required"),
        ({"approval": "never"}, "action_required"),
        ({"approval": "approve-all", "trusted": ["stranger"]}, "neutral"),
        ({"approval": "approve-all", "trusted": ["acme/friends"]}, "neutral"),
    ],
    ids=["open", "all", "never", "listed", "team"],
)
async def test_the_policy_decides_who_waits(
    world: World, policy: dict[str, object], conclusion: str, request: pytest.FixtureRequest
) -> None:
    name = f"policy-{request.node.callspec.id}"
    world.github.app.permissions["members"] = "read"
    world.github.add_team("acme", "friends", ["octocat", "stranger"])
    widgets, fork = await fork_of(world.github, name, WORDS)
    world.github.installation(widgets).permissions["members"] = "read"
    await world.policy(f"acme/{name}", **policy)
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    pull = await opened(widgets, fork)
    assert (await world.ended(sha))["fast"].conclusion == conclusion
    if policy["approval"] == "never":
        comment = await pull.comment("/approve")
        await world.until(lambda: "confused" in comment.reactions)
        assert (await world.ended(sha))["fast"].conclusion == "action_required"


async def test_a_stranger_has_no_say_in_how_they_are_checked(world: World) -> None:
    widgets, fork = await fork_of(world.github, "no-say", checks(fast="echo the base decides; exit 3"))
    config = checks(fast="true")[".draftsman.toml"]
    sha = await fork.commit({".draftsman.toml": config}, branch="feature", message="[skip ci]", author="stranger")
    pull = await opened(widgets, fork)
    await world.ended(sha)
    await pull.comment(f"/approve {sha}")
    shown = await world.ended(sha, attempt=2)
    assert shown["fast"].conclusion == "failure"
    assert "exit 3" in str(shown["fast"].title)


async def test_running_again_never_approves(either: World) -> None:
    widgets, fork = await fork_of(either.github, "no-way-round", WORDS)
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    pull = await opened(widgets, fork)
    shown = await either.ended(sha)
    await either.github.press_rerun(shown["fast"])
    await either.github.press_rerun_all(widgets, sha)
    comment = await pull.comment("/test")
    await either.until(lambda: "confused" in comment.reactions)
    await either.settled()
    assert [attempt["state"] for attempt in await either.attempts(sha)] == ["waiting"]
    [_, answer] = either.github.comments(widgets, pull.number)
    assert "waits for approval" in answer.body


async def test_a_commit_that_comes_to_a_branch_is_trusted_then(either: World) -> None:
    widgets, fork = await fork_of(either.github, "trusted-later", WORDS)
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    await opened(widgets, fork)
    await either.ended(sha)
    await widgets.move_ref("refs/heads/taken-over", sha)
    assert (await either.ended(sha, attempt=2))["fast"].conclusion == "neutral"
    assert [attempt["trust"] for attempt in await either.attempts(sha)] == ["untrusted", "trusted"]
