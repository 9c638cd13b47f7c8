"""What people see: progress on standard error, results on standard output, colours only on a terminal."""

from __future__ import annotations

import codecs
import re
import sys

from rich.console import Console
from rich.markup import escape

from draftsman.domain.outcome import Outcome, StepResult
from draftsman.domain.progress import Entered, ImageReady, Output, Planned, Progress, StepFinished, StepStarted
from draftsman.domain.run import Conclusion, RunState

# Everything that moves the cursor, sets a title or rings: log text of a stranger must not steer a terminal.
_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b[^\[\]]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)
_SGR = re.compile(r"\x1b\[[0-9;]*m")

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


def mark(conclusion: Conclusion | None) -> str:
    """Return the sign of a conclusion, with markup for its colour."""
    return "[blue]●[/]" if conclusion is None else MARKS.get(conclusion, _FAILED)


def harmless(text: str, *, colours: bool) -> str:
    """Return log text without control sequences; colours are kept where the terminal shows them."""
    text = _CONTROL.sub("", text)
    return text if colours else _SGR.sub("", text)


class TerminalSink:
    """Shows an attempt's progress as it happens: steps with marks, their output indented below."""

    def __init__(self, shown: Console) -> None:
        self._console = shown
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    async def __call__(self, progress: Progress) -> None:
        """Take one piece of progress."""
        match progress:
            case Output(_, content):
                self._write(self._decoder.decode(content))
            case Entered(RunState.PREPARING):
                self._say("[bold]●[/] fetching the source and planning")
            case Planned(plan):
                chains = ", ".join(f"{chain.ecosystem} {chain.version}" for chain in plan.toolchains) or "no language"
                self._say(
                    f"[bold]●[/] plan: {escape(chains)}, {plan.profile.dependency_manager}, "
                    f"{len(plan.profile.fast)} fast and {len(plan.profile.full)} full checks"
                )
                for warning in plan.warnings:
                    self._say(f"  [yellow]{escape(warning)}[/]")
            case Entered(RunState.BUILDING):
                self._say("[bold]●[/] building the image")
            case ImageReady(image):
                how = "cached" if image.cached else f"built in {image.build_seconds:.1f} s"
                self._say(f"[bold]●[/] image {escape(image.tag)} ({how})")
            case StepStarted(step):
                self._say(f"[bold]▸ {step.id}[/] {escape(step.command)}")
            case StepFinished(result):
                self._say(step_line(result))
            case Entered():
                pass

    def _say(self, line: str) -> None:
        self._write("", end=True)
        self._console.print(line)

    def _write(self, text: str, *, end: bool = False) -> None:
        lines = (self._rest + text).split("\n")
        self._rest = lines.pop()
        if end and self._rest:
            lines.append(self._rest)
            self._rest = ""
        if len(self._rest) > 8192:  # a line without an end must not grow for ever
            lines.append(self._rest)
            self._rest = ""
        colours = self._console.is_terminal and not self._console.no_color
        for line in lines:
            reset = "\x1b[0m" if colours and "\x1b" in line else ""
            self._console.file.write(f"  {harmless(line, colours=colours)}{reset}\n")
        self._console.file.flush()


def step_line(result: StepResult) -> str:
    """Return a finished step as one line of markup."""
    sign = MARKS[Conclusion.SUCCESS] if result.exit_code == 0 else _FAILED
    exit_note = "" if result.exit_code == 0 else f" [red]exit {result.exit_code}[/]"
    return f"{sign} {result.id} {escape(result.command)} [dim]{result.seconds:.1f} s[/]{exit_note}"


def show_outcome(shown: Console, outcome: Outcome) -> None:
    """Print how an attempt ended: conclusion, title, what to do, and where the findings are."""
    shown.print(f"{mark(outcome.conclusion)} [bold]{outcome.conclusion}[/]: {escape(outcome.title)}")
    if outcome.detail:
        shown.print(escape(harmless(outcome.detail, colours=False)))
    for found in outcome.findings:
        shown.print(f"  {escape(found.path)}:{found.line}: {found.level}: {escape(found.title)}")


def complain(sentence: str, detail: str = "") -> None:
    """Print an error on standard error: the sentence, then its detail indented."""
    shown = console(to_stderr=True)
    shown.print(f"[red]draftsman:[/] {escape(sentence)}")
    if detail:
        for line in harmless(detail, colours=False).splitlines()[-40:]:
            print(f"  {line}", file=sys.stderr)
