"""What failed, seen against the last run of the base branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.check_view import CheckView
from bot.checks import check_run_body
from bot.comparison import Base, BaseBranch, base_branch, is_new, verdict_note
from bot.markdown import size
from draftsman.domain.finding import Finding
from draftsman.domain.plan import Plan, Tier
from draftsman.domain.run import Conclusion, Naming, Ref, RefKind
from tests.bot.views import make_attempt, make_steps, make_view
from tests.bot.work import make_findings, make_plan

SHA = "abc1234" + 33 * "0"
MAIN = BaseBranch("main", is_own=False)
ITSELF = BaseBranch("main", is_own=True)
TWO = make_plan(fast=("ruff check .", "mypy"))


def base_of(
    codes: Mapping[str, int | str], branch: BaseBranch = MAIN, plan: Plan = TWO, findings: tuple[Finding, ...] = ()
) -> Base:
    return Base(branch, SHA, make_steps(plan, codes), findings)


def pull(number: str, base: str | None, *, current: bool = True) -> Naming:
    return Naming(Ref(RefKind.PULL_REQUEST, number), None, base, current)


def branch(name: str) -> Naming:
    return Naming(Ref(RefKind.BRANCH, name))


@pytest.mark.parametrize(
    ("namings", "expected"),
    [
        ([branch("feature")], MAIN),
        ([branch("main")], ITSELF),
        ([pull("1", "release"), branch("feature")], BaseBranch("release", is_own=False)),
        ([pull("1", "old", current=False), pull("2", "release")], BaseBranch("release", is_own=False)),
        ([pull("1", "release"), branch("release")], BaseBranch("release", is_own=True)),
        ([pull("1", None)], MAIN),
        ([], MAIN),
    ],
)
def test_a_change_is_compared_with_the_branch_that_it_goes_to(namings: list[Naming], expected: BaseBranch) -> None:
    assert base_branch(make_attempt().run, namings) == expected


@pytest.mark.parametrize(
    ("here", "there", "on_a_branch", "on_main_itself"),
    [
        ({"fast-1": 1}, {"fast-1": 0}, "new here: main passes (abc1234)", "was green at abc1234"),
        ({"fast-1": 1}, {"fast-1": 1}, "fails on main too (abc1234)", "failed at abc1234 too"),
        ({"fast-1": 1}, {"fast-1": 2, "fast-2": 0}, "fails on main too (abc1234)", "failed at abc1234 too"),
        (
            {"fast-1": 1, "fast-2": 1},
            {"fast-1": 1, "fast-2": 0},
            "1 of 2 failures is new since main, abc1234",
            "1 of 2 failures is new since abc1234",
        ),
        ({"fast-1": 1}, {"fast-1": "running"}, "", ""),
        ({"fast-1": 1}, {}, "", ""),
        ({"fast-1": 0}, {"fast-1": 1}, "", ""),
    ],
)
def test_a_failure_is_news_or_it_is_not(
    here: dict[str, int | str], there: dict[str, int | str], on_a_branch: str, on_main_itself: str
) -> None:
    steps = make_steps(TWO, here)
    assert verdict_note(steps, (), base_of(there)) == on_a_branch
    assert verdict_note(steps, (), base_of(there, ITSELF)) == on_main_itself
    assert verdict_note(steps, (), None) == ""


def test_a_command_that_the_base_has_not_got_is_compared_with_nothing() -> None:
    steps = make_steps(make_plan(fast=("ruff check --select ALL",)), {"fast-1": 1})
    assert verdict_note(steps, (), base_of({"fast-1": 0})) == ""


def test_findings_are_the_same_at_another_line_and_others_in_another_file_or_of_another_tool() -> None:
    [known] = make_findings(1)
    base = base_of({"fast-1": 1}, findings=(known,))
    assert is_new(replace(known, line=99, column=4), base) is False
    assert is_new(replace(known, path="./src/a.py"), base) is False
    others: list[dict[str, Any]] = [{"path": "b.py"}, {"title": "E1"}, {"message": "other"}, {"tool": "mypy"}]
    assert all(is_new(replace(known, **other), base) is True for other in others)
    assert is_new(replace(known, tier=Tier.FULL, message="other"), base) is None  # the base never ran that tier
    assert is_new(known, None) is None


def test_new_findings_of_a_step_that_fails_on_the_base_too_are_counted() -> None:
    steps = make_steps(TWO, {"fast-1": 1})
    base = base_of({"fast-1": 1}, findings=make_findings(1))
    assert verdict_note(steps, make_findings(3), base) == "fails on main too (abc1234), 2 new findings here"
    assert verdict_note(steps, make_findings(1), base) == "fails on main too (abc1234)"


def failed_view(**fields: Any) -> CheckView:
    view = make_view(conclusion=Conclusion.FAILURE, codes={"setup-1": 0, "fast-1": 1}, plan=TWO)
    return replace(view, **fields)


def test_the_check_run_says_it_in_its_title_its_first_lines_its_table_and_its_list() -> None:
    base = base_of({"setup-1": 0, "fast-1": 1, "fast-2": 0}, findings=make_findings(1))
    body = check_run_body(failed_view(base=base, findings=make_findings(3)), Tier.FAST)
    note = "fails on main too (abc1234), 2 new findings here"
    assert body.title == f"`ruff check .` failed (exit 1): 3 findings, {note}"
    lines = body.summary.splitlines()
    assert lines[2].startswith(f"**F{note[1:]}** · failed after 1.5 s")
    listed = [line for line in lines if line.startswith("- ❌")]
    assert [line.rpartition(" · ")[2] for line in listed] == ["**new here**", "**new here**", "on main too"]
    assert "| ❌ | fast-1 | `ruff check .` | exit 1, fails on main too | 1.5 s |" in lines
    # What is sent again and again keeps its order: annotations are counted.
    assert [one["start_line"] for one in body.annotations] == [1, 2, 3]


def test_nothing_is_compared_where_nothing_failed_or_the_fault_is_ours() -> None:
    base = base_of({"setup-1": 0, "fast-1": 0, "fast-2": 0})
    for view in (
        make_view(conclusion=Conclusion.SUCCESS, codes={"setup-1": 0, "fast-1": 0, "full-1": 0}),
        make_view(conclusion=Conclusion.ERROR, codes={"setup-1": 0, "fast-1": 1}, title="the engine is away"),
        make_view(conclusion=Conclusion.CANCELLED, codes={"setup-1": 0, "fast-1": 1}, title="cancelled by alice"),
    ):
        for tier in (Tier.FAST, Tier.FULL):
            body = check_run_body(replace(view, base=base), tier)
            assert "abc1234" not in body.title + body.summary


def test_a_branch_with_a_long_and_hostile_name_breaks_nothing() -> None:
    name = "<img/src=x>`" + "é" * 200
    base = base_of({"fast-1": 0}, BaseBranch(name, is_own=False))
    body = check_run_body(failed_view(base=base), Tier.FAST)
    assert body.title.startswith("`ruff check .` failed (exit 1), new here: ")
    assert body.title.endswith(" passes (abc1234)")
    assert size(body.title) <= 200
    assert "<img" not in body.summary.replace("\\<img", "")
