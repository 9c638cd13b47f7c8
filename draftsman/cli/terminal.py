"""What people see: progress on standard error, results on standard output, colours only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Collection

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from draftsman.ansi import HarmlessLines, harmless
from draftsman.domain.alert import Alert
from draftsman.domain.outcome import Outcome, StepResult
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.progress import Entered, ImageReady, Output, Planned, Progress, StepFinished, StepStarted
from draftsman.domain.run import Conclusion, RunState
from draftsman.log_commands import shown_lines

MARKS = {
    Conclusion.SUCCESS: "[green]✔[/]",
    Conclusion.NEUTRAL: "[yellow]■[/]",
    Conclusion.SKIPPED: "[yellow]■[/]",
    Conclusion.ACTION_REQUIRED: "[yellow]![/]",
}
_FAILED = "[red]✘[/]"


def console(*, to_stderr: bool = False) -> Console:
    """Return a console that writes plain lines where it is piped, and honours NO_COLOR."""
    return Console(stderr=to_stderr, highlight=False, soft_wrap=True, emoji=False)


_PIPED_WIDTH = 1000


def show_table(table: Table) -> None:
    """Print a table: as wide as the terminal, and whole, one row a line, where it is piped."""
    shown = console()
    if not shown.is_terminal:
        shown.width = _PIPED_WIDTH
    shown.print(table)


def mark(conclusion: Conclusion | None) -> str:
    """Return the sign of a conclusion, with markup for its colour."""
    return "[blue]●[/]" if conclusion is None else MARKS.get(conclusion, _FAILED)


def quoted(text: str) -> str:
    """Return a stranger's text as markup that shows it on one line, without its colours."""
    return escape(" ⏎ ".join(harmless(text).strip("\n").split("\n")))


class TerminalSink:
    """Shows an attempt's progress as it happens: steps with marks, their output indented below."""

    def __init__(self, shown: Console, tiers: Collection[Tier] = CHECKED_TIERS) -> None:
        self._console = shown
        self._tiers = tiers
        self._lines = HarmlessLines(colours=shown.is_terminal and not shown.no_color)

    async def __call__(self, progress: Progress) -> None:
        """Take one piece of progress."""
        match progress:
            case Output(_, content):
                self._write(self._lines.feed(content))
            case Entered(RunState.PREPARING):
                self._say("[bold]●[/] fetching the source and planning")
            case Planned(plan):
                limited = plan.limited_to(self._tiers).profile
                named = (f"{chain.ecosystem} {chain.version}".strip() for chain in plan.toolchains)
                chains = ", ".join(named) or "no language"
                self._say(
                    f"[bold]●[/] plan: {quoted(chains)}, {quoted(plan.profile.dependency_manager)}, "
                    f"{len(limited.fast)} fast and {len(limited.full)} full checks"
                )
                for warning in plan.warnings:
                    self._say(f"  [yellow]{quoted(warning)}[/]")
            case Entered(RunState.BUILDING):
                self._say("[bold]●[/] building the image")
            case ImageReady(image):
                how = "cached" if image.cached else f"built in {image.build_seconds:.1f} s"
                self._say(f"[bold]●[/] image {quoted(image.tag)} ({how})")
            case StepStarted(step):
                self._say(f"[bold]▸ {step.id}[/] {quoted(step.command)}")
            case StepFinished(result):
                self._say(step_line(result))
            case Entered():
                pass

    def _say(self, line: str) -> None:
        self._write(self._lines.finish())
        self._console.print(line)

    def _write(self, lines: list[str]) -> None:
        self._console.file.write("".join(f"  {line}\n" for line in shown_lines(lines)))
        self._console.file.flush()


def step_line(result: StepResult) -> str:
    """Return a finished step as one line of markup."""
    sign = _FAILED if result.is_red else MARKS[Conclusion.SUCCESS if result.exit_code == 0 else Conclusion.NEUTRAL]
    exit_note = (
        "" if result.exit_code == 0 else f" [red]exit {result.exit_code}[/]{' (may fail)' if result.may_fail else ''}"
    )
    return f"{sign} {result.id} {quoted(result.command)} [dim]{result.seconds:.1f} s[/]{exit_note}"


def show_outcome(shown: Console, outcome: Outcome) -> None:
    """Print how an attempt ended: conclusion, title, what to do, and where the findings are."""
    shown.print(f"{mark(outcome.conclusion)} [bold]{outcome.conclusion}[/]: {quoted(outcome.title)}")
    if outcome.detail:
        shown.print(escape(harmless(outcome.detail)))
    for found in outcome.findings:
        shown.print(f"  {quoted(found.path)}:{found.line}: {found.level}: {quoted(found.title)}")


def complain(sentence: str, detail: str = "", alert: Alert | None = None) -> None:
    """Print an error on standard error: the sentence and the page that helps, then its detail indented."""
    shown = console(to_stderr=True)
    see = "" if alert is None else f" (see {alert.page})"
    shown.print(f"[red]draftsman:[/] {quoted(sentence + see)}")
    if detail:
        for line in harmless(detail).splitlines()[-40:]:
            print(f"  {line}", file=sys.stderr)
