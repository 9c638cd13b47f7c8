"""Slash commands in comments on pull requests: every verb, who may use it, and what they see."""

from __future__ import annotations

import pytest

from tests.github import Comment, GitHubStandIn, Pull, Repository
from tests.scenario.conftest import World, attempt_of
from tests.scenario.samples import NAMES, SLOW, WORDS, checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]


async def pull_of(github: GitHubStandIn, name: str, files: dict[str, str], author: str = "octocat") -> Pull:
    """A pull request in a public repository whose files are these."""
    widgets = await github.create_repository(f"acme/{name}", private=False, files=files)
    await widgets.commit({"a.md": "a\n"}, branch="feature")
    return await widgets.open_pull("A", head="feature", author=author)


async def answered(world: World, comment: Comment, *, done: bool = True) -> list[Comment]:
    """Wait until the comment got its last reaction, and return what Draftsman wrote in that thread."""
    await world.until(lambda: ("rocket" if done else "confused") in comment.reactions, f"an answer to {comment.body!r}")
    assert comment.reactions == ["eyes", "rocket" if done else "confused"]
    return replies(world, comment.repository, comment)


def replies(world: World, repository: Repository, comment: Comment) -> list[Comment]:
    number = next(pull.number for pull in repository.pulls.values() if comment in pull.comments)
    return [one for one in world.github.comments(repository, number) if one.by_app]


async def test_test_runs_everything_again_as_new_check_runs(either: World) -> None:
    pull = await pull_of(either.github, "test", checks())
    await either.ended(pull.head_sha)
    comment = await pull.comment("Hm.\r\n\r\n  /test  \r\n")
    shown = await either.ended(pull.head_sha, attempt=2)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "success")
    assert await answered(either, comment) == []
    assert len(either.github.check_runs(pull.head_sha)) == 4, "the history is kept"
    assert [attempt["asked_by"] for attempt in await either.attempts(pull.head_sha)] == [None, "octocat"]


async def test_run_fast_leaves_the_full_checks_as_they_are(either: World) -> None:
    pull = await pull_of(either.github, "fast", checks())
    before = await either.ended(pull.head_sha)
    comment = await pull.comment("/draftsman run fast")
    await answered(either, comment)
    await either.until(lambda: attempt_of(either.shown(pull.head_sha)["fast"]) == 2)
    await either.until(lambda: either.shown(pull.head_sha)["fast"].status == "completed")
    await either.settled()
    assert either.shown(pull.head_sha)["full"] == before["full"]


async def test_test_full_runs_the_full_checks_only(either: World) -> None:
    pull = await pull_of(either.github, "full", checks(full="false"))
    before = await either.ended(pull.head_sha)
    await answered(either, await pull.comment("/test full"))
    await either.until(lambda: attempt_of(either.shown(pull.head_sha)["full"]) == 2)
    await either.until(lambda: either.shown(pull.head_sha)["full"].status == "completed")
    await either.settled()
    assert either.shown(pull.head_sha)["full"].conclusion == "failure"
    assert either.shown(pull.head_sha)["fast"] == before["fast"]


async def test_test_merge_tests_the_head_merged_into_its_base(either: World) -> None:
    pull = await pull_of(either.github, "merge", checks(fast="test -e on-main || exit 9"))
    assert (await either.ended(pull.head_sha))["fast"].conclusion == "failure"
    base = await pull.repository.commit({"on-main": "x\n"})
    await answered(either, await pull.comment("/test merge"))
    await either.until(lambda: either.shown(pull.head_sha)["full"].conclusion == "success")
    shown = either.shown(pull.head_sha)
    assert f"merged into main at {base[:7]}" in str(shown["fast"].title) + str(shown["fast"].summary)


async def test_cancel_ends_what_runs(either: World) -> None:
    pull = await pull_of(either.github, "cancel", SLOW)
    await either.running(pull.head_sha)
    comment = await pull.comment("/cancel")
    shown = await either.ended(pull.head_sha)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "cancelled")
    assert "by octocat" in str(shown["fast"].title)
    assert await answered(either, comment) == []
    [answer] = await answered(either, await pull.comment("/cancel"))
    assert "nothing to cancel" in answer.body


async def test_rebuild_builds_the_image_anew(either: World) -> None:
    pull = await pull_of(either.github, "rebuild", checks())
    await either.ended(pull.head_sha)
    await answered(either, await pull.comment("/rebuild"))
    shown = await either.ended(pull.head_sha, attempt=2)
    assert "built in" in str(shown["fast"].title) + str(shown["fast"].summary)


async def test_fix_says_that_nothing_is_configured(either: World) -> None:
    pull = await pull_of(either.github, "fix", WORDS)
    [answer] = await answered(either, await pull.comment("/fix"), done=False)
    assert "no repair command is configured" in answer.body


async def test_approve_is_for_forks(either: World) -> None:
    pull = await pull_of(either.github, "approve", WORDS)
    [answer] = await answered(either, await pull.comment("/approve"), done=False)
    assert "needs no approval" in answer.body


async def test_plan_shows_what_is_run_and_why(either: World) -> None:
    pull = await pull_of(either.github, "plan", checks(fast="echo hello"))
    await either.ended(pull.head_sha)
    [answer] = await answered(either, await pull.comment("/plan"))
    assert "echo hello" in answer.body
    assert ".draftsman.toml" in answer.body


async def test_logs_show_the_end_of_what_failed(either: World) -> None:
    pull = await pull_of(either.github, "logs", checks(full="echo @octocat here; exit 4"))
    await either.ended(pull.head_sha)
    [answer] = await answered(either, await pull.comment("/logs"))
    assert "failed (exit 4)" in answer.body
    assert "@octocat here" in answer.body
    assert either.product.address in answer.body


async def test_help_lists_the_commands(either: World) -> None:
    pull = await pull_of(either.github, "help", WORDS)
    for body in ("/draftsman", "/draftsman help"):
        comment = await pull.comment(body)
        assert "/draftsman approve" in (await answered(either, comment))[-1].body
    assert len(either.github.comments(pull.repository, pull.number)) == 4


async def test_several_commands_of_one_comment_get_one_answer(either: World) -> None:
    pull = await pull_of(either.github, "several", SLOW)
    await either.running(pull.head_sha)
    comment = await pull.comment("/cancel\nand then\n/plan\n/tset\n/draftsman tset")
    [answer] = await answered(either, comment, done=False)
    assert "did you mean" in answer.body
    assert "sleep 60" in answer.body
    assert (await either.ended(pull.head_sha))["fast"].conclusion == "cancelled"


async def test_quotes_code_edits_and_bots_command_nothing(either: World) -> None:
    pull = await pull_of(either.github, "text", WORDS)
    await either.ended(pull.head_sha)
    said = [
        await pull.comment("> /test\n\nsays the docs"),
        await pull.comment("```\n/test\n```"),
        await pull.comment("Type `/test`, or\n\n    /test\n"),
        await pull.comment("/test", author="renovate[bot]"),
    ]
    await said[0].edit("/test")
    await either.settled()
    assert [one.reactions for one in said] == [[], [], [], []]
    assert len(await either.attempts(pull.head_sha)) == 1


async def test_whoever_may_not_is_told_why(either: World) -> None:
    pull = await pull_of(either.github, "denied", WORDS)
    await either.ended(pull.head_sha)
    [answer] = await answered(either, await pull.comment("/test", author="passer-by"), done=False)
    assert "write permission" in answer.body
    assert "passer-by" in answer.body
    assert len(await either.attempts(pull.head_sha)) == 1


async def test_the_author_of_a_pull_request_that_may_run_steers_it(either: World) -> None:
    widgets = await either.github.create_repository("acme/authors", private=False, files=SLOW)
    await either.policy("acme/authors", approval="open")
    fork = await either.github.fork(widgets, "contributor")
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="contributor")
    pull = await widgets.open_pull("A", head="feature", head_repository=fork, author="contributor")
    await either.running(sha)
    await answered(either, await pull.comment("/cancel", author="contributor"))
    await either.ended(sha)
    await answered(either, await pull.comment("/test", author="contributor"))
    await either.running(sha)
    [answer] = await answered(either, await pull.comment("/rebuild", author="contributor"), done=False)
    assert "write permission" in answer.body
    await pull.comment("/cancel", author="contributor")
    await either.ended(sha, attempt=2)


async def test_a_draft_is_run_where_somebody_asks(either: World) -> None:
    widgets = await either.github.create_repository("acme/asked", private=False, files=WORDS)
    await either.policy("acme/asked", approval="open")
    fork = await either.github.fork(widgets, "drafter")
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="drafter")
    pull = await widgets.open_pull("A", head="feature", head_repository=fork, author="drafter", draft=True)
    await answered(either, await pull.comment("/test"))
    assert (await either.ended(sha))["fast"].conclusion == "neutral"


async def test_an_answer_that_got_lost_is_not_written_twice(world: World) -> None:
    pull = await pull_of(world.github, "lost-answer", WORDS)
    await world.ended(pull.head_sha)
    world.github.faults.fail(502, method="POST", path=r"issues/\d+/comments", after_work=True)
    world.github.faults.fail(500, method="POST", path="reactions", times=2)
    [answer] = await answered(world, await pull.comment("/plan\n/draftsman nonsense"), done=False)
    assert "no such command" in answer.body
