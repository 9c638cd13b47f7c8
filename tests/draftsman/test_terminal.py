"""What a repository says is shown, and steers nothing."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from draftsman.cli.terminal import TerminalSink, complain, quoted, show_outcome
from draftsman.domain.finding import Finding, Level
from draftsman.domain.outcome import Outcome, StepResult
from draftsman.domain.plan import Plan, Profile, Step, Tier
from draftsman.domain.progress import Output, Planned, StepFinished, StepStarted
from draftsman.domain.run import Conclusion

EVIL = "x\x1b]0;title\x07\x9b2J\x1b[1 q [bold]\udce9\ny"
SHOWN = "x [bold]�"


def screen() -> tuple[Console, io.TextIOWrapper]:
    """Return a console that is a terminal as far as rich knows, and its file, which takes UTF-8 alone."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    return Console(file=file, force_terminal=True, color_system="standard", width=200, highlight=False), file


def written(file: io.TextIOWrapper) -> str:
    file.flush()
    buffer = file.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def assert_shown(text: str) -> None:
    assert SHOWN in text
    for sign in ("\x1b]", "\x9b", "\x07", "title", " q"):
        assert sign not in text


async def test_commands_and_warnings_of_a_repository_steer_nothing() -> None:
    shown, file = screen()
    sink = TerminalSink(shown)
    await sink(Planned(Plan(Profile(None, EVIL, "", (), ()), (), "", (), (), (EVIL,))))
    await sink(StepStarted(Step("fast-1", Tier.FAST, EVIL)))
    await sink(StepFinished(StepResult("fast-1", Tier.FAST, EVIL, 1, 0.5)))
    text = written(file)
    assert_shown(text)
    assert text.count(SHOWN) == 4


async def test_output_that_is_cut_inside_a_sequence_steers_nothing() -> None:
    shown, file = screen()
    sink = TerminalSink(shown)
    for chunk in (b"one\x1b", b"]0;title", b"\x07two\x1b[3", b"1mred\n", b"end\x1b["):
        await sink(Output("fast-1", chunk))
    await sink(StepFinished(StepResult("fast-1", Tier.FAST, "true", 0, 0.5)))
    lines = written(file).splitlines()
    assert lines[:2] == ["  onetwo\x1b[31mred\x1b[0m", "  end"]


def test_an_outcome_and_an_error_steer_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    shown, file = screen()
    finding = Finding(Tier.FAST, EVIL, 3, Level.FAILURE, EVIL, "m", "tool")
    show_outcome(shown, Outcome(Conclusion.FAILURE, EVIL, EVIL, findings=(finding,)))
    assert_shown(written(file))
    complain(EVIL, EVIL)
    assert_shown(capsys.readouterr().err)


def test_a_name_with_a_line_break_is_one_line() -> None:
    assert quoted("a\nb\n") == "a ⏎ b"
