"""Check-run bodies: the table of verdicts, what a reviewer reads, and GitHub's limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.annotations import MOST
from bot.check_reading import LOG_BYTES
from bot.check_view import CheckView
from bot.checks import CheckBody, check_run_body, log_sections, parse_external_id
from bot.comparison import Base, BaseBranch
from bot.markdown import size
from bot.verdict import stands
from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Evidence, Plan, Tier
from draftsman.domain.run import Conclusion, Naming, Ref, RefKind, RunState, merge_subject
from draftsman.store.steps import StepRecord
from tests.bot.views import SHA, make_view
from tests.bot.work import make_findings, make_plan
from tests.github.check_rules import complaints

ALL_PASSED = {"setup-1": 0, "fast-1": 0, "full-1": 0}
FAILURE, SUCCESS = Conclusion.FAILURE, Conclusion.SUCCESS
WAITS = "waiting for approval: the first pull request of stranger"


def merge_of(view: CheckView) -> CheckView:
    """The same attempt, of a run that tests the commit merged into main."""
    run = replace(view.attempt.run, subject=merge_subject("abc1234" + 33 * "0"))
    return replace(view, attempt=replace(view.attempt, run=run))


def bodies(view: CheckView) -> tuple[CheckBody, CheckBody]:
    """Both bodies, each checked against what GitHub demands."""
    found = (check_run_body(view, Tier.FAST), check_run_body(view, Tier.FULL))
    for body in found:
        assert complaints(body.request(body.annotations[:50]) | {"head_sha": "a" * 40}, creating=True) == []
    return found


STATES: list[tuple[str, CheckView, tuple[str, str], tuple[str, str]]] = [
    (
        "queued",
        make_view(RunState.QUEUED, started_at=None),
        ("queued", "waiting for a worker"),
        ("queued", "waiting for a worker"),
    ),
    (
        "preparing",
        make_view(RunState.PREPARING),
        ("in_progress", "fetching the commit and making the plan"),
        ("in_progress", "fetching the commit and making the plan"),
    ),
    (
        "building",
        make_view(RunState.BUILDING),
        ("in_progress", "getting the image ready"),
        ("in_progress", "getting the image ready"),
    ),
    (
        "setup runs",
        make_view(RunState.RUNNING, codes={"setup-1": "running"}),
        ("in_progress", "setting up: uv sync"),
        ("in_progress", "setting up: uv sync"),
    ),
    (
        "fast runs",
        make_view(RunState.RUNNING, codes={"setup-1": 0, "fast-1": "running"}),
        ("in_progress", "running: ruff check ."),
        ("in_progress", "waiting for the fast checks"),
    ),
    (
        "full runs",
        make_view(RunState.RUNNING, codes={"setup-1": 0, "fast-1": 0, "full-1": "running"}),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("in_progress", "running: pytest"),
    ),
    (
        "both passed",
        make_view(conclusion=SUCCESS, codes=ALL_PASSED),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
    ),
    (
        "setup failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 2}),
        ("failure", "`uv sync` failed (exit 2)"),
        ("failure", "not run: setup failed"),
    ),
    (
        "fast failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 0, "fast-1": 1}),
        ("failure", "`ruff check .` failed (exit 1)"),
        ("failure", "not run: fast failed"),
    ),
    (
        "full failed",
        make_view(conclusion=FAILURE, codes=ALL_PASSED | {"full-1": 1}),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("failure", "`pytest` failed (exit 1)"),
    ),
    (
        "two fast steps failed",
        make_view(
            conclusion=FAILURE,
            codes={"setup-1": 0, "fast-1": 1, "fast-2": 1},
            plan=make_plan(fast=("ruff check .", "mypy")),
        ),
        ("failure", "`ruff check .` failed (exit 1), and 1 more"),
        ("failure", "not run: fast failed"),
    ),
    (
        "no full commands",
        make_view(conclusion=SUCCESS, codes={"setup-1": 0, "fast-1": 0}, plan=make_plan(full=())),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("neutral", "nothing was run: no full checks were found in this repository"),
    ),
    (
        "no fast commands, full failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 0, "full-1": 1}, plan=make_plan(fast=())),
        ("neutral", "nothing was run: no fast checks were found in this repository"),
        ("failure", "`pytest` failed (exit 1)"),
    ),
    (
        "no full commands, fast failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 0, "fast-1": 1}, plan=make_plan(full=())),
        ("failure", "`ruff check .` failed (exit 1)"),
        ("neutral", "nothing was run: no full checks were found in this repository"),
    ),
    (
        "no commands at all",
        make_view(conclusion=Conclusion.NEUTRAL, title="nothing to run", plan=make_plan(fast=(), full=())),
        ("neutral", "nothing was run: no fast checks were found in this repository"),
        ("neutral", "nothing was run: no full checks were found in this repository"),
    ),
    (
        "out of memory in full",
        make_view(
            conclusion=FAILURE,
            codes=ALL_PASSED | {"full-1": 137},
            title="out of memory: `pytest` needed more than 4096 MiB",
            detail="Use less.",
        ),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("failure", "out of memory: `pytest` needed more than 4096 MiB"),
    ),
    (
        "out of memory in fast, its end never seen",
        make_view(
            conclusion=FAILURE,
            codes={"setup-1": 0, "fast-1": "running"},
            title="out of memory: `ruff check .` needed more than 4096 MiB",
            detail="Use less.",
        ),
        ("failure", "out of memory: `ruff check .` needed more than 4096 MiB"),
        ("failure", "not run: fast failed"),
    ),
    (
        "the Dockerfile did not build",
        make_view(conclusion=FAILURE, title="the Dockerfile did not build", detail="a\nb"),
        ("failure", "the Dockerfile did not build"),
        ("failure", "the Dockerfile did not build"),
    ),
    (
        "timed out in fast",
        make_view(
            conclusion=Conclusion.TIMED_OUT,
            codes={"setup-1": 0, "fast-1": "running"},
            title="timed out: `ruff check .` ran longer than 30 min",
        ),
        ("timed_out", "timed out: `ruff check .` ran longer than 30 min"),
        ("failure", "not run: fast timed out"),
    ),
    (
        "timed out in full",
        make_view(
            conclusion=Conclusion.TIMED_OUT,
            codes={"setup-1": 0, "fast-1": 0, "full-1": "running"},
            title="timed out: `pytest` ran longer than 30 min",
        ),
        ("success", "1 of 1 step passed in 1.5 s, image cached"),
        ("timed_out", "timed out: `pytest` ran longer than 30 min"),
    ),
    (
        "cancelled",
        make_view(conclusion=Conclusion.CANCELLED, codes={"setup-1": 0}, title="superseded by abc1234"),
        ("cancelled", "superseded by abc1234"),
        ("cancelled", "superseded by abc1234"),
    ),
    (
        "skipped",
        make_view(conclusion=Conclusion.SKIPPED, title="only documentation changed"),
        ("skipped", "only documentation changed"),
        ("skipped", "only documentation changed"),
    ),
    (
        "our fault",
        make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED | {"full-1": "pending"}, title="the engine is away"),
        ("failure", "Draftsman could not run this: the engine is away"),
        ("failure", "Draftsman could not run this: the engine is away"),
    ),
    (
        "our fault in full",
        make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED | {"full-1": "running"}, title="the engine is away"),
        ("failure", "Draftsman could not run this: the engine is away"),
        ("failure", "Draftsman could not run this: the engine is away"),
    ),
    (
        "a job that says it passed and did not",
        make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED, title="its result is missing"),
        ("failure", "Draftsman could not run this: its result is missing"),
        ("failure", "Draftsman could not run this: its result is missing"),
    ),
    (
        "looking at who wrote it",
        make_view(RunState.WAITING, started_at=None),
        ("queued", "looking at whether this needs approval"),
        ("queued", "looking at whether this needs approval"),
    ),
    (
        "waiting for approval",
        make_view(RunState.WAITING, started_at=None, title=WAITS),
        ("action_required", WAITS),
        ("action_required", WAITS),
    ),
    (
        "approved: another attempt runs it",
        make_view(conclusion=Conclusion.ACTION_REQUIRED, started_at=None, title="approved by alice"),
        ("action_required", "approved by alice"),
        ("action_required", "approved by alice"),
    ),
    (
        "only fast was asked for, and runs",
        make_view(RunState.RUNNING, codes={"setup-1": 0, "fast-1": "running"}, tiers=frozenset({Tier.FAST})),
        ("in_progress", "running: ruff check ."),
        ("action_required", "not asked for: only the fast checks were run"),
    ),
    (
        "only full was asked for, and setup failed",
        make_view(conclusion=FAILURE, codes={"setup-1": 1}, tiers=frozenset({Tier.FULL})),
        ("action_required", "not asked for: only the full checks were run"),
        ("failure", "`uv sync` failed (exit 1)"),
    ),
    (
        "only full was asked for, and ended in setup",
        make_view(
            conclusion=Conclusion.TIMED_OUT,
            codes={"setup-1": "running"},
            tiers=frozenset({Tier.FULL}),
            title="timed out: `uv sync` ran longer than 30 min",
        ),
        ("action_required", "not asked for: only the full checks were run"),
        ("timed_out", "timed out: `uv sync` ran longer than 30 min"),
    ),
    (
        "a merge passed",
        merge_of(make_view(conclusion=SUCCESS, codes=ALL_PASSED)),
        ("success", "1 of 1 step passed in 1.5 s, image cached, merged into main at abc1234"),
        ("success", "1 of 1 step passed in 1.5 s, image cached, merged into main at abc1234"),
    ),
    (
        "a merge is not possible",
        merge_of(make_view(conclusion=FAILURE, title="conflicts with main at abc1234", detail="a.py")),
        ("failure", "conflicts with main at abc1234"),
        ("failure", "conflicts with main at abc1234"),
    ),
    (
        "a merge waits",
        merge_of(make_view(RunState.QUEUED, started_at=None)),
        ("queued", "waiting for a worker"),
        ("queued", "waiting for a worker"),
    ),
]


@pytest.mark.parametrize(("view", "fast", "full"), [row[1:] for row in STATES], ids=[row[0] for row in STATES])
def test_what_happened_is_said_on_both_tiers(view: CheckView, fast: tuple[str, str], full: tuple[str, str]) -> None:
    said = [(body.conclusion or body.status, body.title) for body in bodies(view)]
    assert said == [fast, full]


def test_every_state_and_conclusion_is_reported_on_both_tiers() -> None:
    ends = [make_view(conclusion=conclusion) for conclusion in Conclusion]
    on_the_way = [make_view(state) for state in RunState if state is not RunState.FINISHED]
    for view in [*ends, *on_the_way]:
        for body in bodies(view):
            assert body.title
            assert body.summary


@pytest.mark.parametrize(
    ("view", "shown", "stays"),
    [
        (make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED | {"full-1": "running"}), "success", True),
        (make_view(conclusion=Conclusion.ERROR), "success", True),
        (make_view(conclusion=Conclusion.ERROR, codes=ALL_PASSED | {"full-1": "running"}), None, False),
        (make_view(conclusion=Conclusion.ERROR), "action_required", False),
        (make_view(conclusion=Conclusion.ERROR, codes={"setup-1": 0, "fast-1": 1}), "success", False),
        (make_view(conclusion=FAILURE, codes={"setup-1": 1}), "success", False),
        (make_view(RunState.RUNNING), "success", False),
    ],
)
def test_only_a_fast_tier_that_was_told_as_passed_stands_where_the_fault_is_ours(
    view: CheckView, shown: str | None, stays: bool
) -> None:
    assert stands(view, Tier.FAST, shown) is stays
    assert not stands(view, Tier.FULL, shown)


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


def finding(**fields: Any) -> Finding:
    known = {"tier": Tier.FAST, "path": "a.py", "line": 3, "level": Level.FAILURE, "title": "E1", "message": "m"}
    return Finding(**{**known, "tool": "ruff", **fields})


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


CHARACTERS = "`|\n@<>*_~#-&\\\r\t \x1b[1m😀é\U0001f468\u200d\U0001f469\u2028\x00\ud800aZ"
WILD = st.one_of(
    st.text(max_size=400),
    st.text(alphabet="`|\n@<😀", max_size=400).map(lambda text: text * 20),
    st.text(alphabet=CHARACTERS, max_size=60),
    st.text(alphabet=CHARACTERS, min_size=1, max_size=3).map(lambda text: text * 30_000),  # one huge line, as a rule
    st.sampled_from(
        [
            "```\nnever closed",
            "<details><summary>",
            "| a | b |\r\n|---|---|\r\n",
            "~~~~",
            "😀" * 17_000,
            "\r\n" * 40_000,
        ]
    ),
)
PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


def assert_whole(source: str) -> None:
    """Nothing in the Markdown is left open, nor closed by what strangers wrote."""
    tokens = PARSER.parse(f"{source}\n\nthe end")
    assert [token.content for token in tokens[-2:-1]] == ["the end"]
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>") <= 1
    assert "<summary>" not in html.replace("<details><summary>", "")


@settings(max_examples=40, deadline=None)
@given(
    commands=st.lists(WILD, max_size=60),
    wild=WILD,
    log=WILD.map(lambda text: text * 40),
    number=st.integers(0, 400),
    conclusion=st.sampled_from(Conclusion),
)
def test_whatever_is_in_it_github_takes_it(
    commands: list[str], wild: str, log: str, number: int, conclusion: Conclusion
) -> None:
    plan = Plan(
        profile=make_plan(fast=commands).profile,
        toolchains=(),
        dockerfile="",
        caches=(),
        evidence=tuple(Evidence(wild, wild, 3, wild, wild) for _ in range(100)),
        warnings=(wild,) * 100,
    )
    steps = tuple(
        StepRecord(f"fast-{at}", Tier.FAST, command, "finished", at % 2, 1.0) for at, command in enumerate(commands)
    )
    findings = tuple(finding(line=line + 1, message=wild, title=wild) for line in range(number))
    view = replace(
        merge_of(make_view(plan=plan, title=wild, detail=wild * 3, conclusion=conclusion, asked_by=wild, number=2)),
        steps=steps,
        findings=findings,
        log_tail=log[-LOG_BYTES:],
        written=wild,
        namings=(Naming(Ref(RefKind.PULL_REQUEST, wild), base_branch=wild),),
        base=Base(BaseBranch(wild, is_own=False), "abc1234", steps, findings[:1]),
    )
    for body in bodies(view):
        assert size(body.title) <= 255
        assert "\n" not in body.title
        assert size(body.summary) <= 65_535
        assert body.summary.endswith(f"[whole log and details]({view.details_url})")
        assert_whole(body.summary)
        if body.text is not None:
            assert size(body.text) <= 65_535
            assert_whole(body.text)
            assert [token.type for token in PARSER.parse(body.text)] == ["fence"]
        for one in body.annotations:
            assert 0 < len(one["title"]) <= 255
            assert 0 < size(one["message"]) <= 64 * 1024
        for text in (body.title, body.summary, body.text or ""):
            text.encode()  # no half of a character anywhere


def test_the_end_of_a_log_is_kept_at_whole_lines_and_whole_characters() -> None:
    view = make_view(conclusion=FAILURE, codes={"setup-1": 0, "fast-1": 1})
    many = "\r\n".join(f"{number} 😀 line" for number in range(9_000))
    text = check_run_body(replace(view, log_tail=many), Tier.FAST).text or ""
    assert text.splitlines()[1].endswith(" 😀 line")
    assert text.splitlines()[-2] == "8999 😀 line"
    assert size(text) <= LOG_BYTES // 2
    one = check_run_body(replace(view, log_tail="😀" * 20_000), Tier.FAST).text or ""
    assert set(one.splitlines()[1]) == {"😀"}


def test_what_the_job_wrote_keeps_its_lines_and_stays_a_quotation() -> None:
    view = replace(make_view(conclusion=SUCCESS, codes=ALL_PASSED), written="# Coverage\r\n\r\n- 93 %\n```\nx")
    fast, _ = bodies(view)
    assert "> \\# Coverage\n>\n> \\- 93 %\n> \\`\\`\\`\n> x\n" in fast.summary
