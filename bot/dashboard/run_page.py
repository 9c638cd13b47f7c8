"""The page of a run, as HTML without scripts. Pure: a view in, text out.

Everything in a view was written by strangers: the template escapes all of it, and the one text that is not
escaped there, a log, is escaped by `ansi`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bot.dashboard.ansi import Terminal, visible
from bot.dashboard.log_sections import LogSection
from bot.dashboard.run_view import RunView
from bot.duration import duration
from bot.markdown import plain
from draftsman.domain.plan import Tier
from draftsman.domain.run import RunState
from draftsman.log_commands import shown_line
from draftsman.store.steps import StepRecord

REFRESH_SECONDS = 5
"""How often the page of an unfinished attempt loads itself again."""

LOUD = frozenset({"failure", "timed_out", "error", "running"})
"""Steps that are shown open."""

COLOURS_MAY_TAKE = 3
"""Characters of markup for each byte of a log. A log that changes its colour at every letter goes on without."""

TIER_NAMES = {Tier.SETUP: "Setup", Tier.FAST: "Fast checks", Tier.FULL: "Full checks"}
SECTION_NAMES = {"prepare": "Prepare", "image": "Image", "checkout": "Checkout"}

CUT = Markup('<span class="cut">… {} of this section are left out here: <a href="{}">read the whole log</a> …</span>')


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of the log with its heading. `outcome` is the word that its mark and colour follow."""

    id: str
    heading: str
    outcome: str
    said: str
    log: Markup
    open: bool


def loud_steps(view: RunView) -> frozenset[str]:
    """Return the ids of the steps that the page shows open: those that failed, run, or were cut short."""
    return frozenset(step.id for step in view.steps if _step_outcome(step, view)[0] in LOUD)


def render_run(view: RunView) -> str:
    """Return the page, whole."""
    attempt = view.attempt
    status = attempt.conclusion or attempt.state
    finished = attempt.state is RunState.FINISHED
    return (
        _environment()
        .get_template("run.html.j2")
        .render(
            view=view,
            attempt=attempt,
            run=attempt.run,
            repository=attempt.run.repository,
            status=status,
            finished=finished,
            refresh=REFRESH_SECONDS if view.refreshing and not finished else None,
            phases=_phases(view),
            tiers=_tiers(view),
            took=_took(view),
            log_url=f"{view.page_url}/{attempt.number}/log",
            code_url=_code_url(view),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bot.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(
        duration=duration, moment=moment, words=words, url_path=url_path, plain=plain, size=_size
    )
    return environment


def _visible(value: object) -> object:
    """Return what is put into the page: a text without characters that no browser shows."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def url_path(text: str) -> str:
    """Return the text as the path of an address, whatever characters it has."""
    return quote(text, errors="replace")


def moment(when: datetime) -> str:
    """Return the moment in UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def words(value: str) -> str:
    """Return a state or conclusion as words: `timed_out` is `timed out`."""
    return value.replace("_", " ")


def _code_url(view: RunView) -> str:
    """Return where GitHub shows the repository."""
    return f"{view.server_url.rstrip('/')}/{url_path(view.attempt.run.repository.full_name)}"


def _took(view: RunView) -> float | None:
    started = view.attempt.started_at
    return None if started is None else ((view.attempt.finished_at or view.now) - started).total_seconds()


def _phases(view: RunView) -> list[Shown]:
    """Return the parts of the log that belong to no step, in order. The last one is open while it grows."""
    ids = {step.id for step in view.steps}
    sections = [section for section in view.sections if section.name not in ids]
    any_step = any(step.state != "pending" for step in view.steps)
    return [
        Shown(
            id=f"log-{number}",
            heading=SECTION_NAMES.get(section.name, section.name),
            outcome="",
            said=_said_of_section(section, view),
            log=_log(section, view),
            open=not any_step and number == len(sections),
        )
        for number, section in enumerate(sections, start=1)
    ]


def _said_of_section(section: LogSection, view: RunView) -> str:
    if section.name == "image" and view.image:
        return "cached" if view.image.cached else f"built in {duration(view.image.build_seconds)}"
    return ""


def _tiers(view: RunView) -> list[tuple[str, list[Shown]]]:
    logs = {section.name: section for section in view.sections}
    return [
        (name, [_step(step, logs.get(step.id), view) for step in view.steps if step.tier is tier])
        for tier, name in TIER_NAMES.items()
        if any(step.tier is tier for step in view.steps)
    ]


def _step(step: StepRecord, section: LogSection | None, view: RunView) -> Shown:
    outcome, said = _step_outcome(step, view)
    return Shown(
        id=f"step-{step.id}",
        heading=step.command,
        outcome=outcome,
        said=said,
        log=_log(section, view) if section else Markup(),
        open=outcome in LOUD,
    )


def _step_outcome(step: StepRecord, view: RunView) -> tuple[str, str]:
    finished = view.attempt.state is RunState.FINISHED
    if step.state == "pending":
        return ("skipped", "not run") if finished else ("queued", "waiting")
    if step.state == "running":
        conclusion = view.attempt.conclusion
        return (conclusion or "error", "cut short") if finished else ("running", "running")
    took = f" in {duration(step.seconds)}" if step.seconds is not None else ""
    if step.exit_code == 0:
        return "success", f"passed{took}"
    return (
        ("failure", f"exit code {step.exit_code}{took}")
        if step.is_red
        else (
            "neutral",
            f"exit code {step.exit_code}, may fail{took}",
        )
    )


def _log(section: LogSection, view: RunView) -> Markup:
    """Return the section's lines as HTML; where it was cut, a line says so and leads to the whole."""
    head = "\n".join(_lines(section.head))
    if not section.omitted:
        return Markup(head)  # noqa: S704 - escaped by Terminal
    link = CUT.format(_size(section.omitted), f"{view.page_url}/{view.attempt.number}/log")
    return Markup("\n").join((Markup(head), link, Markup("\n".join(_lines(section.tail)))))  # noqa: S704


def _lines(content: bytes) -> Iterator[str]:
    terminal = Terminal(markup=COLOURS_MAY_TAKE * len(content))
    for line in content.removesuffix(b"\n").split(b"\n"):
        shown = shown_line(line.decode("utf-8", errors="replace"))
        if shown is not None:
            yield terminal.line(shown)


def _size(count: int) -> str:
    for factor, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
