"""Events that come after what they tell of is over, or after another one that happened later."""

from __future__ import annotations

import pytest

from tests.scenario.conftest import World, attempt_of
from tests.scenario.samples import NAMES, WORDS, checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]


async def test_an_event_that_comes_late_does_not_bring_an_old_name_back(world: World) -> None:
    widgets = await world.github.create_repository("acme/old-name", files=WORDS)
    await world.policy("acme/old-name", run_tags=True)
    sha = await widgets.commit({"a.md": "a\n"}, branch="feature")
    await world.ended(sha)
    late = await world.github.push_payload(widgets, "refs/heads/feature", before=None, after=sha)
    await widgets.rename("new-name")
    await world.github.deliver("push", late)
    await world.settled()
    listed = await world.rows("SELECT full_name, clone_url FROM repositories WHERE id = $1", widgets.id)
    assert [tuple(row) for row in listed] == [("acme/new-name", widgets.clone_url)]
    assert await world.rows("SELECT 1 FROM policies WHERE repo = 'acme/new-name' AND run_tags")
    tagged = await widgets.commit({"b.md": "[skip ci]\n"}, message="b [skip ci]")
    await widgets.tag("v1", tagged)
    await world.ended(tagged)


async def test_a_policy_that_was_set_before_any_event_goes_along_with_a_new_name(world: World) -> None:
    widgets = await world.github.create_repository("acme/never-heard-of", files=WORDS)
    await world.policy("acme/never-heard-of", run_tags=True)
    await widgets.rename("heard-of")
    await world.settled()
    assert await world.rows("SELECT 1 FROM policies WHERE repo = 'acme/heard-of' AND run_tags")


async def test_a_comment_that_is_quicker_than_the_push_leaves_no_check_out(world: World) -> None:
    widgets = await world.github.create_repository("acme/quick-comment", files=WORDS)
    world.github.auto_deliver = False  # GitHub is slow to tell of the push
    sha = await widgets.commit({"a.md": "a\n"}, branch="feature")
    pull = await widgets.open_pull("A", head="feature")
    world.github.auto_deliver = True
    comment = await pull.comment("/test fast")
    # The comment names no repository that is known: the event itself makes it so.
    await world.until(lambda: "rocket" in comment.reactions)
    await world.settled()
    shown = await world.ended(sha)
    assert (shown["fast"].conclusion, shown["full"].conclusion) == ("neutral", "action_required")
    await world.github.deliver("pull_request", await world.github.pull_payload(pull, "opened"))
    shown = await world.ended(sha, attempt=2)
    assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "neutral")


async def test_a_branch_that_comes_back_while_its_commit_is_being_cancelled_has_it_run_again(world: World) -> None:
    widgets = await world.github.create_repository("acme/swift-return", files=WORDS)
    sha = await widgets.commit(checks(fast="trap '' TERM; sleep 7 & wait; sleep 3"), branch="feature")
    await world.running(sha)
    await widgets.commit(WORDS | {".draftsman.toml": None, "b.md": "b\n"}, branch="feature")

    async def is_being_cancelled() -> bool:
        query = "SELECT 1 FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.head_sha = $1 AND cancel_asked <> ''"
        return bool(await world.rows(query, sha))

    await world.eventually(is_being_cancelled)
    await widgets.move_ref("refs/heads/feature", sha)
    shown = await world.ended(sha, attempt=2)
    assert (shown["fast"].conclusion, attempt_of(shown["fast"])) == ("success", 2)
