"""`draftsman runs`: what ran, how it ended, and why it did what it did."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from draftsman.ansi import HarmlessLines, harmless
from draftsman.cli import services, terminal
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import DraftsmanError
from draftsman.domain.run import RunState
from draftsman.log_commands import shown_lines
from draftsman.settings import Settings
from draftsman.store import attempts, logs, purge
from draftsman.store.database import Pool
from draftsman.store.logs import LogChunk, Mark
from draftsman.store.run_document import run_document, summary

_FOLLOW_SECONDS = 0.5
_TOO_LARGE = 2**31


async def list_runs(
    settings: Settings, *, repo: str | None, sha: str | None, state: str | None, limit: int, as_json: bool
) -> int:
    """Print the newest runs; `state` is a state or a conclusion, `sha` a commit or its beginning."""
    async with services.opened(services.found(settings).database_url, size=2) as pool:
        found = await attempts.recent(pool, limit=limit, repo=repo, sha=sha and sha.lower(), state=state)
    if as_json:
        print(json.dumps([summary(attempt) for attempt in found], indent=2))
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("", "run", "repository", "commit", "attempt", "state", "since (UTC)", "title"):
        table.add_column(heading, no_wrap=heading != "title")
    for attempt in found:
        standing = attempt.conclusion or attempt.state
        table.add_row(
            terminal.mark(attempt.conclusion),
            str(attempt.run.id)[:8],
            quoted(attempt.run.repository.full_name),
            attempt.run.head_sha[:12],
            str(attempt.number),
            standing,
            f"{attempt.finished_at or attempt.started_at or attempt.created_at:%Y-%m-%d %H:%M}",
            quoted(attempt.title or (f"since {attempt.reason}" if attempt.reason else "")),
        )
    terminal.show_table(table)
    if not found:
        terminal.console().print("no such run: `draftsman deliveries list` shows what events came, and their decisions")
    return 0


async def show_run(settings: Settings, run_id: str, *, as_json: bool) -> int:
    """Print one run: an attempt's steps, findings and evidence, all attempts, and the run's history."""
    async with services.opened(services.found(settings).database_url, size=2) as pool:
        document = await run_document(pool, *await find_attempts(pool, run_id), terms=settings.terms)
    if document is None:
        raise _no_attempt(run_id)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _show(terminal.console(), document)
    return 0


async def print_log(settings: Settings, run_id: str, *, follow: bool, timestamps: bool = False) -> int:
    """Print the log of an attempt, by default the newest; with `follow`, go on until it has finished."""
    colours = sys.stdout.isatty()
    async with services.opened(services.found(settings).database_url, size=2) as pool:
        run, number = await find_attempts(pool, run_id)
        known = [one.id for one in await attempts.of_run(pool, run) if number in (None, one.number)]
        if not known:
            raise _no_attempt(run_id)
        attempt_id = known[0]
        position = 0
        section = ""
        lines = HarmlessLines(colours=colours)
        stamps = Stamps() if timestamps else None
        while True:
            attempt = await attempts.get(pool, attempt_id)
            async for chunk in logs.read(pool, attempt_id, after=position):
                position = chunk.position
                if chunk.section != section:
                    section = chunk.section
                    _print_lines([*lines.finish(), f"--- {harmless(section)}"])
                _print_lines(lines.feed(chunk.content if stamps is None else stamps.stamped(chunk)))
            if not follow or attempt is None or attempt.state is RunState.FINISHED:
                _print_lines(lines.finish())
                if removal := await purge.removal_of(pool, attempt_id):
                    terminal.console(to_stderr=True).print(quoted(_removed(removal.at, removal.by)))
                return 0
            await asyncio.sleep(_FOLLOW_SECONDS)


class Stamps:
    """Puts time and stream before the lines of a log, of which a chunk may begin in the midst of one."""

    def __init__(self) -> None:
        self._at_line_start = True
        self._section = ""

    def stamped(self, chunk: LogChunk) -> bytes:
        """Return the content with `12:34:56.789 out | ` before each line; without a time where nobody took it."""
        if chunk.section != self._section:
            self._section, self._at_line_start = chunk.section, True
        marks = chunk.marks or (Mark(0, "", 0),)
        ends = [mark.offset for mark in marks[1:]] + [len(chunk.content)]
        text = b""
        for mark, end in zip(marks, ends, strict=True):
            stamp = self._stamp(mark)
            for line in chunk.content[mark.offset : end].splitlines(keepends=True):
                text += (stamp if self._at_line_start else b"") + line
                self._at_line_start = line.endswith((b"\n", b"\r"))
        return text

    @staticmethod
    def _stamp(mark: Mark) -> bytes:
        if not mark.at:
            return b" " * 16 + b" | "
        at = datetime.fromtimestamp(mark.at / 1000, tz=UTC)
        return f"{at:%H:%M:%S}.{mark.at % 1000:03} {mark.stream.removeprefix('std')} | ".encode()


def _print_lines(lines: list[str]) -> None:
    print("".join(f"{line}\n" for line in shown_lines(lines)), end="", flush=True)


async def find_run(pool: Pool[Any], prefix: str) -> UUID:
    """Return the run whose id, or that of an attempt of it, begins so. Raises DraftsmanError where not one does."""
    found = await attempts.find(pool, prefix)
    if not found:
        raise DraftsmanError(f"There is no run {prefix!r}; `draftsman runs list` shows the newest.")
    if len(found) > 1:
        raise DraftsmanError(f"Several runs begin with {prefix!r}: give more of the id.")
    return found[0]


async def find_attempts(pool: Pool[Any], target: str) -> tuple[UUID, int | None]:
    """Return the run that `RUN` or `RUN/ATTEMPT` names, and the attempt's number where one is named."""
    prefix, slash, number = target.partition("/")
    if slash and not (number.isascii() and number.isdigit() and 0 < int(number) < _TOO_LARGE):
        raise DraftsmanError(f"{target!r} names no attempt: write RUN/2 for the second one.")
    return await find_run(pool, prefix), int(number) if slash else None


def _no_attempt(target: str) -> DraftsmanError:
    return DraftsmanError(f"There is no such attempt, {target!r}: `draftsman runs show RUN` lists those of a run.")


def _removed(at: datetime, by: str | None) -> str:
    how = "its time was over (DRAFTSMAN_LOG_DAYS)" if by is None else f"by {by}"
    return f"the log was removed on {at:%Y-%m-%d %H:%M:%S} UTC: {how}"


def _why(document: dict[str, Any]) -> str:
    """Return why the attempt is there that Draftsman made by itself, and from when on it may start."""
    if document["reason"] is None:
        return ""
    waits = document["not_before"] is not None and document["state"] == RunState.QUEUED
    when = f", not before {datetime.fromisoformat(document['not_before']):%Y-%m-%d %H:%M:%S %Z}" if waits else ""
    return f" (since {quoted(document['reason'])}{when})"


def _show(shown: Console, document: dict[str, Any]) -> None:
    sign = terminal.mark(document["conclusion"])
    shown.print(f"{sign} [bold]{quoted(document['repo'])}[/] at {document['sha']}")
    shown.print(f"  {document['conclusion'] or document['state']}: {quoted(document['title'] or '')}")
    if document["wait"]:
        shown.print(f"  waits since {_at(document['wait']['since'])}: {quoted(document['wait']['says'])}")
    if document["detail"]:
        shown.print(escape(harmless(document["detail"])))
    shown.print(f"  attempt {document['attempt']}{_why(document)}, wanted by {quoted(', '.join(document['refs']))}")
    if document["cause"]:
        spent = "" if document["retried_as"] is None else f", tried again as attempt {document['retried_as']}"
        shown.print(f"  cause: {document['cause']}{spent}")
    if document["image"]:
        shown.print(
            f"  image {quoted(document['image']['tag'])} ({'cached' if document['image']['cached'] else 'built'})"
        )
    if document["log_removed_at"]:
        removed = _removed(datetime.fromisoformat(document["log_removed_at"]), document["log_removed_by"])
        shown.print(f"  {quoted(removed)}")
    shown.print("\n[bold]steps[/]")
    for step in document["steps"]:
        result = step["state"] if step["exit_code"] is None else f"exit {step['exit_code']}, {step['seconds']:.1f} s"
        shown.print(f"  {step['id']:8} {quoted(step['command'])}  [dim]{result}[/]")
    if document["annotations"]:
        shown.print("\n[bold]annotations[/]")
    for found in document["annotations"]:
        shown.print(f"  {quoted(found['path'])}:{found['line']}: {found['level']}: {quoted(found['title'])}")
    shown.print("\n[bold]why[/]")
    for item in document["evidence"]:
        place = f"{item['file']}:{item['line']}" if item["line"] else item["file"] or "default"
        shown.print(
            f"  {quoted(item['decides'])}: {quoted(item['value'])}  [dim]{quoted(place)}: {quoted(item['rule'])}[/]"
        )
    if len(document["attempts"]) > 1:
        shown.print("\n[bold]attempts[/]")
        for one in document["attempts"]:
            standing = f"{one['conclusion'] or one['state']}: {quoted(one['title'] or '')}"
            shown.print(f"  {terminal.mark(one['conclusion'])} {one['attempt']:3} {standing}")
    shown.print("\n[bold]history[/]")
    for event in document["history"]:
        text = quoted(event["text"])
        shown.print(f"  [dim]{_at(event['at'])}[/] {quoted(event['actor']):20} {text}")


def _at(when: str) -> str:
    return f"{datetime.fromisoformat(when):%Y-%m-%d %H:%M:%S}"
