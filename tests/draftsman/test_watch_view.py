"""What somebody who watches a run sees."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console

from draftsman.cli.watch_view import Seen, news, picture
from draftsman.domain.plan import Tier
from draftsman.domain.run import Attempt, Conclusion, Repository, Run, RunState, Trust, merge_subject
from draftsman.store.steps import StepRecord

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WIDGETS = Repository(7, "acme/widgets", "https://x/y.git", "main", False, 3)
HOSTILE = "echo \x1b[31m\x1b]0;owned\x07[bold]not bold[/]\nsecond line"


def attempt(
    state: RunState,
    conclusion: Conclusion | None = None,
    title: str | None = None,
    *,
    number: int = 1,
    subject: str = "head",
) -> Attempt:
    run = Run(UUID(int=1), WIDGETS, "a" * 40, subject, NOW)
    return Attempt(
        UUID(int=number + 1), run, number, Trust.UNTRUSTED, state, conclusion, title, None, 1, 1, NOW, NOW, None
    )


def step(
    state: str, exit_code: int | None = None, *, command: str = "ruff check .", may_fail: bool = False
) -> StepRecord:
    return StepRecord("fast-1", Tier.FAST, command, state, exit_code, 75.5 if exit_code is not None else None, may_fail)


def shown(seen: Seen) -> str:
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system=None, width=120).print(picture(seen))
    return file.getvalue()


def text(lines: list[str]) -> list[str]:
    file = io.StringIO()
    for line in lines:
        Console(file=file, width=200, emoji=False, highlight=False).print(line)
    return file.getvalue().splitlines()


def test_what_a_run_waits_for_is_told_when_it_changes() -> None:
    queued = attempt(RunState.QUEUED)
    seen = [
        Seen(queued, waits="all workers are busy"),
        Seen(queued, waits="all workers are busy"),
        Seen(queued, waits="all runs are paused: [bold]upgrade[/]"),
        Seen(queued),
        Seen(attempt(RunState.PREPARING)),
    ]
    lines = [text(news(before, now)) for before, now in zip([None, *seen], seen, strict=False)]
    assert lines[0][-1] == "● queued: all workers are busy"
    assert lines[1:] == [[], ["● queued: all runs are paused: [bold]upgrade[/]"], [], ["● preparing"]]
    assert "all workers are busy" in shown(seen[0])


def test_each_change_is_told_once() -> None:
    seen = [
        Seen(attempt(RunState.QUEUED)),
        Seen(attempt(RunState.RUNNING), (step("pending"),)),
        Seen(attempt(RunState.RUNNING), (step("running"),)),
        Seen(attempt(RunState.RUNNING), (step("running"),)),
        Seen(attempt(RunState.FINISHED, Conclusion.FAILURE, "ruff failed"), (step("finished", 1),)),
    ]
    told = [text(news(before, now)) for before, now in zip([None, *seen], seen, strict=False)]
    assert told == [
        ["acme/widgets at aaaaaaaaaaaa, run 00000000, attempt 1", "● queued"],
        ["● running"],
        ["▸ fast-1 ruff check ."],
        [],
        ["✘ fast-1 ruff check . 1 min 15 s exit 1", "✘ failure: ruff failed"],
    ]


def test_a_newer_attempt_is_told_from_its_beginning() -> None:
    before = Seen(attempt(RunState.RUNNING), (step("running"),))
    now = Seen(attempt(RunState.RUNNING, number=2), (step("running"),))
    assert text(news(before, now)) == [
        "acme/widgets at aaaaaaaaaaaa, run 00000000, attempt 2",
        "● running",
        "▸ fast-1 ruff check .",
    ]


def test_the_picture_holds_all_that_there_is() -> None:
    running = shown(
        Seen(attempt(RunState.RUNNING, subject=merge_subject("b" * 40)), (step("finished", 0), step("pending")))
    )
    assert "merged into bbbbbbbbbbbb" in running
    assert "● running" in running
    assert "✔ fast-1 ruff check . 1 min 15 s" in running
    allowed = shown(
        Seen(attempt(RunState.FINISHED, Conclusion.SUCCESS, "passed"), (step("finished", 3, may_fail=True),))
    )
    assert "exit 3 (may fail)" in allowed
    assert "✔ success: passed" in allowed


def test_a_run_that_waits_says_how_to_approve_it_once_it_is_known() -> None:
    unknown = Seen(attempt(RunState.WAITING), is_told=False)
    assert not unknown.has_ended
    assert "approve" not in shown(unknown)
    told = Seen(attempt(RunState.WAITING, title="waiting for approval"))
    assert told.has_ended
    assert "draftsman runs approve 00000000" in shown(told)


def test_a_strangers_text_stays_text() -> None:
    now = Seen(attempt(RunState.FINISHED, Conclusion.FAILURE, HOSTILE), (step("finished", 1, command=HOSTILE),))
    for output in (shown(now), "\n".join(text(news(None, now)))):
        assert "\x1b[31m" not in output
        assert "\x07" not in output
        assert output.count("[bold]not bold[/]") == 2
