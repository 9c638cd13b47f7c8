"""Check-run bodies: what a reviewer reads and presses, and annotations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from bot.annotations import MOST
from bot.check_view import CheckView
from bot.checks import CheckBody, log_sections, parse_external_id
from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from draftsman.domain.run import Conclusion, RunState
from tests.bot.views import ALL_PASSED, FAILURE, SHA, SUCCESS, WAITS, bodies, finding, make_view
from tests.bot.work import make_findings, make_plan


def test_what_failed_is_read_first_and_the_log_ends_where_it_broke() -> None:
    plan = make_plan(fast=("ruff check .", "mypy src | cat"))
    view = make_view(conclusion=FAILURE, codes={"setup-1": 0, "fast-1": 1}, plan=plan)
    view = replace(view, findings=make_findings(2), log_tail="\x1b[31msrc/a.py:1\x1b[0m\n")
    fast, full = bodies(view)
    lines = fast.summary.splitlines()
    assert lines[0] == "### `ruff check .` failed (exit 1)"
    assert lines[2] == "failed after 1.5 s · image cached"
    assert "`src/a.py:1`" in lines[4]
    assert "| ❌ | fast-1 | `ruff check .` | exit 1 | 1.5 s |" in lines
    assert "| ⚪ | fast-2 | <code>mypy src &#124; cat</code> | not run |  |" in lines
    assert "pyproject.toml:7" in fast.summary
    assert "Image `draftsman-runner/acme/widgets:0123456789ab`, cached" in lines
    assert fast.text == "```text\nsrc/a.py:1\n```"
    assert "see **Draftsman / fast**" in full.summary
    assert log_sections(view, Tier.FAST) == frozenset({"fast-1"})
    assert log_sections(view, Tier.FULL) == frozenset()


def test_a_failure_with_an_explanation_shows_it_unharmed() -> None:
    output = "```\n# not a heading\n| a | b |\n</details>"
    fast, _ = bodies(make_view(conclusion=FAILURE, title="the Dockerfile did not build", detail=output))
    assert f"````text\n{output}\n````" in fast.summary


def test_a_maintainer_is_told_how_a_waiting_commit_gets_checked() -> None:
    for body in bodies(make_view(RunState.WAITING, started_at=None, title=WAITS)):
        assert "press **Approve**" in body.summary
        assert f"comment `/approve {SHA}` on pull request 12" in body.summary
        assert "It covers no later commit." in body.summary
        assert "git push" not in body.summary


def test_what_was_approved_and_what_never_runs_say_what_comes_next() -> None:
    approved, _ = bodies(make_view(conclusion=Conclusion.ACTION_REQUIRED, started_at=None, title="approved by alice"))
    assert "newer checks of the same names" in approved.summary
    never, _ = bodies(make_view(conclusion=Conclusion.ACTION_REQUIRED, started_at=None, title="forks are not run here"))
    assert f"git fetch origin pull/12/head && git push origin {SHA}:refs/heads/reviewed-{SHA[:7]}" in never.summary


def test_a_tier_that_was_not_asked_for_is_told_once_however_the_attempt_goes_on() -> None:
    only_fast = frozenset({Tier.FAST})
    ways = [
        make_view(RunState.QUEUED, started_at=None, tiers=only_fast),
        make_view(RunState.RUNNING, codes={"setup-1": 0, "fast-1": "running"}, tiers=only_fast),
        replace(make_view(conclusion=FAILURE, codes={"setup-1": 0, "fast-1": 1}, tiers=only_fast), log_tail="log"),
        make_view(conclusion=Conclusion.CANCELLED, title="cancelled by alice", tiers=only_fast),
    ]
    told = [bodies(view)[1] for view in ways]
    assert {body.digest for body in told} == {told[0].digest}
    assert "comment `/test full`" in told[0].summary
    assert buttons(told[0]) == ["rerun"]


def buttons(body: CheckBody) -> list[str]:
    return [action.identifier for action in body.actions]


@pytest.mark.parametrize(
    ("view", "fast", "full"),
    [
        (make_view(RunState.QUEUED, started_at=None), [], []),
        (make_view(RunState.RUNNING, codes={"setup-1": 0, "fast-1": 0, "full-1": "running"}), [], []),
        (make_view(RunState.WAITING, started_at=None), [], []),
        (make_view(RunState.WAITING, started_at=None, title=WAITS), ["approve"], ["approve"]),
        (make_view(conclusion=Conclusion.ACTION_REQUIRED, title="approved by alice"), [], []),
        (make_view(conclusion=SUCCESS, codes=ALL_PASSED), ["rebuild"], ["rebuild"]),
        (make_view(conclusion=FAILURE, codes={"setup-1": 1}), ["rerun", "rebuild"], ["rerun", "rebuild"]),
        (
            replace(make_view(conclusion=FAILURE, title="the Dockerfile did not build"), image=None),
            ["rerun", "rebuild"],
            ["rerun", "rebuild"],
        ),
        (
            replace(make_view(conclusion=Conclusion.CANCELLED, title="cancelled"), image=None, plan=None),
            ["rerun"],
            ["rerun"],
        ),
        (make_view(conclusion=Conclusion.ERROR, title="the engine is away"), ["rerun"], ["rerun"]),
        (make_view(conclusion=Conclusion.ERROR, title="the engine is away", retried_as=2), [], []),
        (make_view(conclusion=Conclusion.SKIPPED, title="only documentation changed"), ["rerun"], ["rerun"]),
        (
            make_view(conclusion=Conclusion.NEUTRAL, plan=make_plan(fast=(), full=())),
            ["rebuild"],
            ["rebuild"],
        ),
        (
            replace(make_view(conclusion=Conclusion.NEUTRAL, title="this instance does not serve acme"), plan=None),
            [],
            [],
        ),
    ],
)
def test_the_buttons_are_those_that_do_something(view: CheckView, fast: list[str], full: list[str]) -> None:
    found = bodies(view)
    assert [buttons(body) for body in found] == [fast, full]
    # What is left out of an update stays at GitHub: no button at all has to be said.
    assert all("actions" in body.request(()) for body in found)


def test_an_external_id_is_read_back_and_nothing_else_is() -> None:
    fast, full = bodies(make_view(conclusion=SUCCESS, codes=ALL_PASSED))
    assert parse_external_id(fast.external_id) == (UUID(int=7), 1, Tier.FAST)
    assert parse_external_id(full.external_id) == (UUID(int=7), 1, Tier.FULL)
    run = str(UUID(int=7))
    for other in (
        "",
        "1/2/3",
        f"{run}/0/fast",
        f"{run}/1/setup",
        f"{run}/1/fast\n",
        f"{run.upper()}a/1/fast",
        f"x{run}/1/full",
    ):
        assert parse_external_id(other) is None


def test_the_fast_tier_ends_before_the_full_one() -> None:
    fast, full = bodies(make_view(conclusion=SUCCESS, codes=ALL_PASSED))
    assert fast.completed_at == "2026-11-23T14:00:28Z"
    assert full.completed_at == "2026-11-23T14:00:30Z"


def test_what_setup_found_is_told_with_the_first_tier_that_was_asked_for() -> None:
    setup = finding(tier=Tier.SETUP, path="pyproject.toml")
    view = replace(make_view(conclusion=FAILURE, codes={"setup-1": 1}), findings=(setup,), log_tail="no such package")
    assert [len(body.annotations) for body in bodies(view)] == [1, 0]
    only_full = replace(view, attempt=replace(view.attempt, tiers=frozenset({Tier.FULL})))
    fast, full = bodies(only_full)
    assert [len(fast.annotations), len(full.annotations)] == [0, 1]
    assert full.summary.startswith("### Setup failed: `uv sync` failed (exit 1)")
    assert "Draftsman / fast" not in full.summary
    assert log_sections(only_full, Tier.FULL) == frozenset({"setup-1"})


def annotations_of(*findings: Finding, tier: Tier = Tier.FAST) -> tuple[dict[str, Any], ...]:
    view = replace(make_view(conclusion=FAILURE, codes={"fast-1": 1}), findings=findings)
    return bodies(view)[0 if tier is Tier.FAST else 1].annotations


def test_annotations_are_in_githubs_shape() -> None:
    assert annotations_of(finding(path="./src/a.py", column=5)) == (
        {
            "path": "src/a.py",
            "start_line": 3,
            "end_line": 3,
            "start_column": 5,
            "end_column": 5,
            "annotation_level": "failure",
            "title": "E1",
            "message": "m",
        },
    )
    [several] = annotations_of(finding(end_line=9, column=5))
    assert (several["start_line"], several["end_line"]) == (3, 9)
    assert "start_column" not in several
    [backwards] = annotations_of(finding(end_line=1))
    assert backwards["end_line"] == 3


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../a", "a/../b", "a//b", "a\\b", "a\nb", ".", "a/./b"])
def test_a_finding_outside_of_the_repository_is_no_annotation(path: str) -> None:
    assert annotations_of(finding(path=path)) == ()


def test_annotations_keep_the_order_of_the_findings_and_each_comes_once() -> None:
    found = annotations_of(finding(level=Level.NOTICE), finding(line=5, level=Level.WARNING), finding(), finding())
    assert [one["annotation_level"] for one in found] == ["notice", "warning", "failure"]


def test_more_findings_than_are_shown_are_counted() -> None:
    view = replace(make_view(conclusion=FAILURE, codes={"fast-1": 1}), findings=make_findings(MOST + 7))
    fast, _ = bodies(view)
    assert len(fast.annotations) == MOST
    assert f"{MOST} of {MOST + 7} findings are shown at their lines" in fast.summary
    assert fast.title.endswith(f"{MOST + 7} findings")
