"""A commit that is named twice: into other bases, by others, after its checks are gone."""

from __future__ import annotations

import pytest

from tests.scenario.conftest import World
from tests.scenario.samples import SLOW, WORDS, checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]


async def test_a_change_that_removes_the_checks_fails(either: World) -> None:
    widgets = await either.github.create_repository("acme/removed", files=checks())
    await either.ended(await widgets.commit({"a.md": "a\n"}))
    await widgets.commit(
        checks(full="true") | {".draftsman.toml": "setup = ''\nfast = ['true']\nfull = []\n"}, branch="x"
    )
    pull = await widgets.open_pull("No more tests", head="x")

    def is_told() -> bool:
        now = either.shown(pull.head_sha)
        return {tier: run.conclusion for tier, run in now.items()} == {"fast": "success", "full": "failure"}

    await either.until(is_told)
    shown = either.shown(pull.head_sha)
    assert "this change removes the checks" in str(shown["full"].title)


async def test_another_base_of_a_strangers_pull_request_is_another_judge(either: World) -> None:
    strict = checks(fast="false")
    widgets = await either.github.create_repository("acme/judges", private=False, files=strict)
    await either.policy("acme/judges", approval="open")
    await widgets.commit(checks(fast="true"), branch="weak", message="weak")
    fork = await either.github.fork(widgets, "stranger")
    sha = await fork.commit({"a.md": "a\n"}, branch="feature", author="stranger")
    pull = await widgets.open_pull("A", head="feature", base="weak", head_repository=fork, author="stranger")
    assert (await either.ended(sha))["fast"].conclusion == "success"
    await pull.edit_base("main")
    assert (await either.ended(sha, attempt=2))["fast"].conclusion == "failure"


async def test_a_stranger_does_not_end_what_others_want_to_know_of_the_same_commit(either: World) -> None:
    widgets = await either.github.create_repository("acme/shared", private=False, files=WORDS)
    sha = await widgets.commit(SLOW, branch="feature")
    await either.running(sha)
    fork = await either.github.fork(widgets, "stranger")
    pull = await widgets.open_pull("Mine", head="feature", head_repository=fork, author="stranger")
    assert pull.head_sha == sha
    comment = await pull.comment("/cancel", author="stranger")
    await either.until(lambda: "confused" in comment.reactions)
    [answer] = [one for one in either.github.comments(widgets, pull.number) if one.by_app]
    assert "names this commit too" in answer.body
    assert [attempt["state"] for attempt in await either.attempts(sha)] == ["running"]
    owners = await pull.comment("/cancel")
    await either.until(lambda: "rocket" in owners.reactions)
    await either.ended(sha)


async def test_a_rerun_that_has_to_wait_does_not_hold_up_a_cancel(either: World) -> None:
    widgets = await either.github.create_repository("acme/held-up", files=SLOW)
    await widgets.commit({"a.md": "a\n"}, branch="feature")
    pull = await widgets.open_pull("A", head="feature")
    await either.running(pull.head_sha)
    rebuild = await pull.comment("/rebuild")
    await either.until(lambda: "rocket" in rebuild.reactions)
    cancel = await pull.comment("/cancel")
    await either.until(lambda: "rocket" in cancel.reactions)
    assert (await either.ended(pull.head_sha))["fast"].conclusion == "cancelled"
    await either.settled()
    assert len(await either.attempts(pull.head_sha)) == 1


async def test_a_flood_of_commands_is_passed_over(world: World) -> None:
    widgets = await world.github.create_repository("acme/flood", private=False, files=WORDS)
    await widgets.commit({"a.md": "a\n"}, branch="feature")
    pull = await widgets.open_pull("A", head="feature")
    await world.ended(pull.head_sha)
    comments = [await pull.comment("/draftsman help", author="noise") for _ in range(25)]
    await world.settled()
    assert [comment.reactions for comment in comments[20:]] == [[]] * 5
    assert len([one for one in world.github.comments(widgets, pull.number) if one.by_app]) == 5
    ours = await pull.comment("/draftsman help")
    await world.settled()
    assert ours.reactions == ["eyes", "rocket"]
