"""Pushes, pull requests and merge queues, as people make them, and what they then see on GitHub."""

from __future__ import annotations

import pytest

from tests.scenario.conftest import BLOCKED, World, attempt_of
from tests.scenario.samples import NAMES, SLOW, WORDS, checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]


async def test_a_pull_request_is_checked_at_its_head(either: World) -> None:
    widgets = await either.github.create_repository("acme/opens", files=WORDS)
    await widgets.commit({"a.md": "a\n"}, branch="feature")
    pull = await widgets.open_pull("A", head="feature")
    shown = await either.ended(pull.head_sha)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "neutral")
    assert len(either.github.check_runs(pull.head_sha)) == 2


async def test_pushing_twice_quickly_ends_the_first(either: World) -> None:
    widgets = await either.github.create_repository("acme/twice", files=WORDS)
    first = await widgets.commit(SLOW, branch="feature")
    second = await widgets.commit(checks(), branch="feature")
    shown = await either.ended(second)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "success")
    before = await either.ended(first)
    assert before["fast"].conclusion == "cancelled"
    assert f"superseded by {second[:7]}" in str(before["fast"].title)


async def test_pushes_to_the_default_branch_are_all_run(either: World) -> None:
    widgets = await either.github.create_repository("acme/mainline", files=WORDS)
    first = await widgets.commit(checks(fast="sleep 3"))
    second = await widgets.commit(WORDS | {"a.md": "a\n", ".draftsman.toml": None})
    assert (await either.ended(second))["fast"].conclusion is not None
    assert (await either.ended(first))["fast"].conclusion == "success"


async def test_a_commit_that_a_branch_comes_back_to_is_run_again(either: World) -> None:
    widgets = await either.github.create_repository("acme/back", files=WORDS)
    first = await widgets.commit(checks(fast="sleep 6"), branch="feature")
    await either.running(first)
    await widgets.commit(WORDS | {".draftsman.toml": None}, branch="feature")
    assert (await either.ended(first))["fast"].conclusion == "cancelled"
    await widgets.move_ref("refs/heads/feature", first)
    assert (await either.ended(first, attempt=2))["fast"].conclusion == "success"


async def test_a_deleted_branch_ends_its_run(either: World) -> None:
    widgets = await either.github.create_repository("acme/deleted", files=WORDS)
    sha = await widgets.commit(SLOW, branch="feature")
    await either.running(sha)
    await widgets.delete_branch("feature")
    shown = await either.ended(sha)
    assert shown["fast"].conclusion == "cancelled"
    assert "its branch was deleted" in str(shown["fast"].title)


async def test_a_branch_and_a_pull_request_want_a_commit_until_both_let_it_go(either: World) -> None:
    widgets = await either.github.create_repository("acme/wanted", files=WORDS)
    sha = await widgets.commit(checks(fast="sleep 4"), branch="feature")
    pull = await widgets.open_pull("A", head="feature")
    await either.running(sha)
    await pull.close()
    assert (await either.ended(sha))["fast"].conclusion == "success"


async def test_a_draft_of_a_fork_runs_once_it_is_ready(either: World) -> None:
    widgets = await either.github.create_repository("acme/drafts", private=False, files=WORDS)
    await either.policy("acme/drafts", approval="open")
    fork = await either.github.fork(widgets, "dana")
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="dana")
    pull = await widgets.open_pull("A", head="feature", head_repository=fork, author="dana", draft=True)
    await either.settled()
    assert either.github.check_runs(sha) == []
    await pull.mark_ready()
    assert (await either.ended(sha))["fast"].conclusion == "neutral"


async def test_converting_to_a_draft_or_closing_ends_the_run_and_coming_back_starts_it_again(either: World) -> None:
    widgets = await either.github.create_repository("acme/withdrawn", private=False, files=SLOW)
    await either.policy("acme/withdrawn", approval="open")
    fork = await either.github.fork(widgets, "wilma")
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="wilma")
    pull = await widgets.open_pull("A", head="feature", head_repository=fork, author="wilma")
    await either.running(sha)
    await pull.convert_to_draft()
    assert (await either.ended(sha))["fast"].conclusion == "cancelled"
    await pull.mark_ready()
    await either.running(sha)
    await pull.close()
    shown = await either.ended(sha, attempt=2)
    assert (shown["fast"].conclusion, attempt_of(shown["fast"])) == ("cancelled", 2)
    assert "closed" in str(shown["fast"].title)
    await pull.reopen()
    await either.running(sha)
    assert [attempt["number"] for attempt in await either.attempts(sha)] == [1, 2, 3]
    await pull.close()
    await either.ended(sha, attempt=3)


async def test_tags_run_where_the_policy_says_so(either: World) -> None:
    widgets = await either.github.create_repository("acme/tags", files=WORDS)
    sha = await widgets.commit({"a.md": "[skip ci]\n"}, message="a [skip ci]")
    await widgets.tag("v1", sha)
    await either.settled()
    assert either.github.check_runs(sha) == []
    await either.policy("acme/tags", run_tags=True)
    await widgets.tag("v2", sha)
    await either.ended(sha)


async def test_a_skip_marker_is_said_on_both_checks_of_a_pull_request(either: World) -> None:
    widgets = await either.github.create_repository("acme/markers", files=SLOW)
    sha = await widgets.commit({"a.md": "a\n"}, message="Only words [skip ci]", branch="feature")
    await either.settled()
    assert either.github.check_runs(sha) == []
    await widgets.open_pull("A", head="feature")
    shown = await either.ended(sha)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "skipped")
    assert "[skip ci]" in str(shown["full"].title)


async def test_a_path_filter_is_said_on_both_checks_and_a_person_overrides_it(either: World) -> None:
    files = checks(more="paths = ['src/**']\n") | {"src/a.py": "x = 1\n"}
    widgets = await either.github.create_repository("acme/filters", files=files)
    await widgets.commit({"docs.md": "words\n"}, branch="feature")
    pull = await widgets.open_pull("Docs", head="feature")
    shown = await either.ended(pull.head_sha)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "skipped")
    assert "docs.md" in str(shown["fast"].title) + str(shown["fast"].summary)
    await pull.comment("/test")
    shown = await either.ended(pull.head_sha, attempt=2)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "success")


async def test_a_merge_queue_gets_its_checks(either: World) -> None:
    widgets = await either.github.create_repository("acme/queue", files=checks())
    await widgets.commit({"a.md": "a\n"}, branch="feature")
    pull = await widgets.open_pull("A", head="feature")
    await either.ended(pull.head_sha)
    group = await widgets.queue_merge(pull)
    shown = await either.ended(group.head_sha)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "success")
    await group.land()


async def test_an_entry_that_leaves_the_merge_queue_ends_its_run(either: World) -> None:
    widgets = await either.github.create_repository("acme/dequeued", files=WORDS)
    await widgets.commit(SLOW, branch="feature", message="slow [skip ci]")
    pull = await widgets.open_pull("A", head="feature")
    await either.ended(pull.head_sha)
    group = await widgets.queue_merge(pull)
    await either.running(group.head_sha)
    await group.destroy()
    assert (await either.ended(group.head_sha))["fast"].conclusion == "cancelled"


async def test_pull_requests_are_tested_merged_where_the_policy_says_so(either: World) -> None:
    widgets = await either.github.create_repository("acme/merged", files=checks(fast="test -e from-main") | WORDS)
    await either.policy("acme/merged", merge_testing=True)
    start = await widgets.git.head("refs/heads/main")
    base = await widgets.commit({"from-main": "x\n"})
    await widgets.commit({"a.md": "a\n"}, branch="feature", parent=start)
    pull = await widgets.open_pull("A", head="feature")
    shown = await either.ended(pull.head_sha)
    await either.settled()
    shown = await either.ended(pull.head_sha)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "success")
    assert f"merged into main at {base[:7]}" in str(shown["fast"].title) + str(shown["fast"].summary)
    await widgets.commit({"README.md": "ours\n"})
    await widgets.commit({"README.md": "theirs\n"}, branch="feature", message="theirs")
    shown = await either.ended(pull.head_sha)
    await either.settled()
    shown = await either.ended(pull.head_sha)
    assert shown["fast"].conclusion == "failure"
    assert "conflicts with main" in str(shown["fast"].title)
    assert "README.md" in str(shown["fast"].summary)


async def test_another_base_tests_the_merge_into_it(either: World) -> None:
    widgets = await either.github.create_repository("acme/rebased", files=WORDS)
    await either.policy("acme/rebased", merge_testing=True)
    release = await widgets.commit({"r.md": "r\n"}, branch="release")
    await widgets.commit({"a.md": "a\n"}, branch="feature", message="a [skip ci]")
    pull = await widgets.open_pull("A", head="feature")
    await either.settled()
    await pull.retitle("Another title")
    await pull.edit_base("release")

    async def of_release() -> bool:
        return f"merge:{release}" in [attempt["subject"] for attempt in await either.attempts(pull.head_sha)]

    await either.eventually(of_release)
    await either.ended(pull.head_sha)


@pytest.mark.parametrize("branch", ["x" * 240, "fix/🦄-ünïcode", "a/b#c%20d&e=f+g"])
async def test_names_of_branches_are_no_matter(either: World, branch: str) -> None:
    name = f"acme/names-{len(branch)}"
    widgets = await either.github.create_repository(name, files=WORDS)
    sha = await widgets.commit({"a.md": "a\n"}, branch=branch)
    await widgets.open_pull("A", head=branch)
    await either.ended(sha)
    await either.settled()
    assert len(either.github.check_runs(sha)) == 2


async def test_a_fork_that_was_deleted_is_still_answered(either: World) -> None:
    widgets = await either.github.create_repository("acme/orphans", private=False, files=WORDS)
    fork = await either.github.fork(widgets, "gone")
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="gone")
    pull = await widgets.open_pull("A", head="feature", head_repository=fork, author="gone")
    assert (await either.ended(sha))["fast"].conclusion == "action_required"
    await fork.delete()
    await pull.comment(f"/approve {sha}")
    shown = await either.ended(sha, attempt=2)
    assert shown["fast"].conclusion == "neutral", "GitHub keeps the commits of a fork in its parent"


async def test_a_repository_that_is_not_served_is_told_so_politely(either: World) -> None:
    widgets = await either.github.create_repository(f"{BLOCKED}/things", files=SLOW)
    sha = await widgets.commit({"a.md": "a\n"}, branch="feature")
    shown = await either.ended(sha)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "neutral")
    assert "does not serve" in str(shown["fast"].title)
    await (await widgets.open_pull("A", head="feature")).comment("/test")
    await either.settled()
    assert len(either.github.check_runs(sha)) == 2
    assert either.github.comments(widgets, 1)[1:] == []


async def test_a_renamed_repository_goes_on_under_its_name_with_its_policy(either: World) -> None:
    widgets = await either.github.create_repository("acme/before", files=WORDS)
    await either.policy("acme/before", run_tags=True)
    sha = await widgets.commit({"a.md": "a\n"}, branch="feature")
    await either.ended(sha)
    await widgets.rename("after")
    sha = await widgets.commit({"b.md": "b\n"}, branch="feature")
    await either.ended(sha)
    assert [row["repo"] for row in await either.rows("SELECT repo FROM policies WHERE repo LIKE 'acme/after'")]
    listed = await either.rows("SELECT full_name FROM repositories WHERE id = $1", widgets.id)
    assert listed[0]["full_name"] == "acme/after"


async def test_a_repository_that_is_deleted_while_it_runs_is_let_go(either: World) -> None:
    widgets = await either.github.create_repository("acme/vanishes", files=WORDS)
    sha = await widgets.commit(SLOW, branch="feature")
    await either.running(sha)
    await widgets.delete()

    async def is_over() -> bool:
        return [attempt["conclusion"] for attempt in await either.attempts(sha)] == ["cancelled"]

    await either.eventually(is_over)
    await either.settled()


async def test_an_installation_runs_the_default_branch_once_and_no_backlog(either: World) -> None:
    widgets = await either.github.create_repository("newcomer/widgets", files=WORDS, install=False)
    old = await widgets.commit({"a.md": "a\n"}, branch="feature")
    await widgets.open_pull("Old", head="feature")
    head = await widgets.git.head("refs/heads/main")
    installation = await either.github.install("newcomer", repositories=[widgets])
    await either.ended(str(head))
    more = await either.github.create_repository("newcomer/more", files=WORDS, install=False)
    await installation.add_repositories(more)
    await either.ended(str(await more.git.head("refs/heads/main")))
    await either.settled()
    assert either.github.check_runs(old) == []


async def test_a_suspended_installation_is_told_when_it_is_back(either: World) -> None:
    widgets = await either.github.create_repository("paused/widgets", files=WORDS)
    first = await widgets.commit({"a.md": "a\n"}, branch="feature")
    await either.ended(first)
    await either.github.installation(widgets).suspend()
    await either.settled()
    await either.github.installation(widgets).unsuspend()
    second = await widgets.commit({"b.md": "b\n"}, branch="feature")
    await either.ended(second)
