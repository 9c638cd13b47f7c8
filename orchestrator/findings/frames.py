"""Where a failure happened, out of its traceback in a report: the deepest frame inside the repository.

Python alone prints the deepest frame last. Every expression is anchored and scans with classes that exclude what
follows them, so that its time is linear in the line, which is capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.findings.places import Places

MOST_LINES = 5000
"""Lines of one traceback that are looked at."""

PATH = r"(?P<path>(?:file://)?[^\s:()][^:()]{0,400})"
PYTHON = (
    re.compile(r'\s{0,40}File "(?P<path>[^"]{1,400})", line (?P<line>\d{1,7})(?:, in |$)'),
    re.compile(r"(?P<path>[^:\s][^:]{0,400}\.pyi?):(?P<line>\d{1,7}):(?: |$)"),
)
OTHERS = (
    re.compile(rf"at (?:[^()]{{1,400}} \()?{PATH}:(?P<line>\d{{1,7}}):(?P<column>\d{{1,7}})\)?"),
    re.compile(rf"❯ (?:[^\s:()]{{1,200}} )?{PATH}:(?P<line>\d{{1,7}}):(?P<column>\d{{1,7}})$"),
    re.compile(r"(?:# )?(?P<path>[^:\s#][^:]{0,400}):(?P<line>\d{1,7}):in "),
    re.compile(r"thread '[^']{1,400}' (?:\(\d{1,20}\) )?panicked at (?P<path>[^:']{1,400}):(?P<line>\d{1,7}):"),
    re.compile(rf"{PATH}:(?P<line>\d{{1,7}})(?::(?P<column>\d{{1,7}}))?(?:: |:?$)"),
)
JAVA = re.compile(
    r"at (?:[^\s()/]{1,200}/){0,3}(?P<method>[\w.$<>]{1,400})\((?P<path>[^\s:()]{1,200}):(?P<line>\d{1,7})\)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file of the repository, by its path there."""

    path: str
    line: str
    column: str | None = None


def deepest(lines: Iterable[str], places: Places) -> Place | None:
    """Return the place of the deepest frame inside the repository, None where no frame is inside it."""
    last: Place | None = None
    first: Place | None = None
    for number, line in enumerate(lines):
        if number >= MOST_LINES:
            break
        if ":" not in line and "File " not in line:
            continue
        python = _match(PYTHON, line, places)
        last = python or last
        if not first and not python:
            first = _java(line.strip(), places) or _match(OTHERS, line.strip(), places)
    return last or first


def is_frame(line: str) -> bool:
    """Whether the line is one of a traceback, in whichever file. Text before the first such line is a message."""
    text = line.strip()
    return (
        text.startswith(("at ", "❯ ", "Traceback (most recent call last)", "stack backtrace:", "note: run with "))
        or any(expression.match(line) for expression in PYTHON)
        or any(expression.match(text) for expression in OTHERS[1:4])
    )


def _match(expressions: tuple[re.Pattern[str], ...], line: str, places: Places) -> Place | None:
    for expression in expressions:
        match = expression.match(line)
        path = places.resolve(match["path"]) if match else None
        if match and path:
            return Place(path, match["line"], match.groupdict().get("column"))
    return None


def _java(text: str, places: Places) -> Place | None:
    match = JAVA.match(text) if text.startswith("at ") else None
    if not match:
        return None
    # The class tells the folder; the frame has the file's name alone.
    folders = match["method"].split(".")[:-2][-20:]
    path = places.resolve("/".join([*folders, match["path"]]))
    return Place(path, match["line"]) if path else None
