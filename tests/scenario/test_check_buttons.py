"""The buttons of the check UI, the command line and the API: every way to have checks run again."""

from __future__ import annotations

import json

import pytest

from tests.github import GitHubStandIn, Repository
from tests.scenario.conftest import World, attempt_of
from tests.scenario.samples import NAMES, WORDS, checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]


async def pushed(github: GitHubStandIn, name: str, files: dict[str, str]) -> tuple[Repository, str]:
    """A repository with these files, and a commit that was pushed to it."""
    widgets = await github.create_repository(f"acme/{name}", files=files)
    return widgets, await widgets.commit({"a.md": "a\n"}, branch="feature")


async def test_rerunning_one_check_leaves_the_other(either: World) -> None:
    _, sha = await pushed(either.github, "rerun-one", checks(full="false"))
    before = await either.ended(sha)
    await either.github.press_rerun(before["full"])
    await either.until(lambda: attempt_of(either.shown(sha)["full"]) == 2)
    await either.until(lambda: either.shown(sha)["full"].status == "completed")
    await either.settled()
    shown = either.shown(sha)
    assert shown["fast"] == before["fast"]
    assert (shown["full"].conclusion, shown["full"].id > before["full"].id) == ("failure", True)


async def test_rerunning_failed_checks_runs_what_did_not_come_to_be(either: World) -> None:
    widgets, sha = await pushed(either.github, "rerun-failed", checks(fast="false"))
    before = await either.ended(sha)
    assert {tier: run.conclusion for tier, run in before.items()} == dict.fromkeys(NAMES, "failure")
    await either.github.press_rerun_failed(widgets, sha)
    await either.ended(sha, attempt=2)
    await either.settled()
    assert [attempt["number"] for attempt in await either.attempts(sha)] == [1, 2], "two buttons, one attempt"


async def test_rerunning_all_checks_makes_new_check_runs(either: World) -> None:
    widgets, sha = await pushed(either.github, "rerun-all", WORDS)
    await either.ended(sha)
    await either.github.press_rerun_all(widgets, sha)
    await either.ended(sha, attempt=2)
    assert len(either.github.check_runs(sha)) == 4


async def test_the_rebuild_button_builds_the_image_anew(either: World) -> None:
    _, sha = await pushed(either.github, "rebuild-button", checks(fast="false"))
    before = await either.ended(sha)
    assert "rebuild" in [action["identifier"] for action in before["fast"].actions]
    await either.github.press_button(before["fast"], "rebuild")
    shown = await either.ended(sha, attempt=2)
    assert "built in" in str(shown["fast"].title) + str(shown["fast"].summary)


async def test_the_rerun_button_is_for_those_who_may_write(either: World) -> None:
    _, sha = await pushed(either.github, "rerun-button", checks(fast="false"))
    before = await either.ended(sha)
    await either.github.press_button(before["fast"], "rerun", by="passer-by")
    await either.settled()
    assert len(await either.attempts(sha)) == 1
    await either.github.press_button(before["fast"], "rerun", by="octocat")
    await either.ended(sha, attempt=2)


async def test_a_commit_that_its_message_kept_from_running_runs_when_asked(either: World) -> None:
    widgets = await either.github.create_repository("acme/asked-suite", files=WORDS)
    sha = await widgets.commit({"a.md": "a\n"}, branch="feature", message="words [skip ci]")
    await either.settled()
    await either.github.press_rerun_all(widgets, sha)
    assert (await either.ended(sha))["fast"].conclusion == "neutral"


async def test_what_fails_on_main_too_is_told_from_what_is_new(world: World) -> None:
    fast = "test ! -e broken || { echo a.py:1:1: E1 is broken; exit 1; }"
    widgets = await world.github.create_repository("acme/compared", files=checks(fast=fast, full="test ! -e red"))
    await world.ended(await widgets.commit({"red": "x\n"}))
    pull = await _pull(widgets, {"a.md": "a\n"}, "still-red")
    shown = await world.ended(pull)
    assert "fails on main too" in str(shown["full"].title) + str(shown["full"].summary)
    await world.ended(await widgets.commit({"red": None}))
    pull = await _pull(widgets, {"broken": "x\n"}, "newly-red")
    shown = await world.ended(pull)
    assert "new here" in str(shown["fast"].title) + str(shown["fast"].summary)


async def _pull(widgets: Repository, files: dict[str, str], branch: str) -> str:
    await widgets.commit(files, branch=branch)
    return (await widgets.open_pull(branch, head=branch)).head_sha


async def test_the_command_line_runs_again_and_watches(world: World) -> None:
    _, sha = await pushed(world.github, "watched", checks(full="false"))
    await world.ended(sha)
    run_id = str((await world.rows("SELECT id FROM runs WHERE head_sha = $1", sha))[0]["id"])
    code, said = await world.product.command("runs", "rerun", run_id[:13])
    assert (code, "Attempt 2" in said) == (0, True), said
    code, said = await world.product.command("runs", "watch", run_id, "--json")
    assert (code, json.loads(said)["conclusion"]) == (1, "failure")
    assert attempt_of((await world.ended(sha, attempt=2))["full"]) == 2
