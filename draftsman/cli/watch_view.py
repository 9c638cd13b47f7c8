"""What somebody who watches a run is shown: a picture that changes, or a line for each change where it is piped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from draftsman.ansi import harmless
from draftsman.cli import terminal
from draftsman.cli.terminal import quoted
from draftsman.domain.run import Attempt, RunState
from draftsman.store.steps import StepRecord


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest attempt of a run at one moment. `is_told` is False while nobody knows yet whether it must wait.

    `waits` is why nobody executes it, empty where somebody does.
    """

    attempt: Attempt
    steps: tuple[StepRecord, ...] = ()
    is_told: bool = True
    waits: str = ""

    @property
    def has_ended(self) -> bool:
        """Return whether nothing more comes by itself: it has finished, or a person must approve it."""
        return self.attempt.state is RunState.FINISHED or self.must_wait

    @property
    def must_wait(self) -> bool:
        """Return whether the run waits for approval."""
        return self.attempt.state is RunState.WAITING and self.is_told


def news(before: Seen | None, now: Seen) -> list[str]:
    """Return lines of markup that say what is new."""
    same = before is not None and before.attempt.id == now.attempt.id
    lines = [] if same else [_head(now.attempt)]
    known = {step.id: step.state for step in before.steps} if before is not None and same else {}
    entered = not same or (before is not None and before.attempt.state is not now.attempt.state)
    again = before is not None and before.waits != now.waits and bool(now.waits)
    if (entered or again) and not now.has_ended:
        lines.append(f"[bold]●[/] {_standing(now)}")
    lines += [_step(step) for step in now.steps if step.state not in ("pending", known.get(step.id))]
    return lines + (_end(now) if now.has_ended else [])


def picture(now: Seen) -> RenderableType:
    """Return all that there is to see, as it is now."""
    lines = [_head(now.attempt)]
    if not now.has_ended:
        since = now.attempt.started_at or now.attempt.created_at
        lines.append(f"[bold]●[/] {_standing(now)} [dim]{_seconds((datetime.now(UTC) - since).total_seconds())}[/]")
    lines += [_step(step) for step in now.steps]
    return Group(*(Text.from_markup(line) for line in lines + (_end(now) if now.has_ended else [])))


def _head(attempt: Attempt) -> str:
    merged = attempt.run.merge_base_sha
    into = f", merged into {merged[:12]}" if merged else ""
    why = f", since {quoted(attempt.reason)}" if attempt.reason else ""
    return (
        f"[bold]{quoted(attempt.run.repository.full_name)}[/] at {attempt.run.head_sha[:12]}{into}, "
        f"run {str(attempt.run.id)[:8]}, attempt {attempt.number}{why}"
    )


def _standing(now: Seen) -> str:
    return f"{now.attempt.state}: {quoted(now.waits)}" if now.waits else str(now.attempt.state)


def _step(step: StepRecord) -> str:
    command = quoted(step.command)
    if step.state == "pending":
        return f"[dim]  {step.id} {command}[/]"
    if step.state == "running":
        return f"[bold]▸ {step.id}[/] {command}"
    sign = "[red]✘[/]" if step.is_red else "[yellow]■[/]" if step.exit_code else "[green]✔[/]"
    note = "" if not step.exit_code else f" [red]exit {step.exit_code}[/]{' (may fail)' if step.may_fail else ''}"
    return f"{sign} {step.id} {command} [dim]{_seconds(step.seconds or 0)}[/]{note}"


def _end(now: Seen) -> list[str]:
    attempt = now.attempt
    if now.must_wait:
        return [
            f"[yellow]![/] [bold]waiting[/]: {quoted(attempt.title or '')}",
            f"  `draftsman runs approve {str(attempt.run.id)[:8]}` lets it run, once you have read the change.",
        ]
    said = f"{terminal.mark(attempt.conclusion)} [bold]{attempt.conclusion}[/]: {quoted(attempt.title or '')}"
    return [said, *([escape(harmless(attempt.detail))] if attempt.detail else [])]


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 0):.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
