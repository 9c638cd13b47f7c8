"""Findings of linters, type checkers and compilers: one line each, or a heading and its lines.

The formats are data. Every expression is anchored and scans with classes that exclude what follows them,
so that its time is linear in the line, which is capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.places import Places
from orchestrator.findings.text import LONGEST_MESSAGE, shorten

PATH = r"(?P<path>[^:]{1,400})"
PLACE = rf"{PATH}:(?P<line>\d{{1,7}})"
CODE = r"(?P<code>[A-Z]{1,7}\d{1,5}|invalid-syntax|unformatted)"

MOST_FOLLOWING = 10
"""Lines that may continue the message of one finding."""

LEVELS = {"error": Level.FAILURE, "warning": Level.WARNING, "notice": Level.NOTICE, "information": Level.NOTICE}


@dataclass(frozen=True, slots=True)
class Matcher:
    """A format of one line. Groups: path, line, message; and if told: column, level, code.

    `follows` tells which lines after it belong to its message.
    """

    tool: str
    pattern: re.Pattern[str]
    level: Level = Level.FAILURE
    follows: re.Pattern[str] | None = None


CONCISE = Matcher("ruff", re.compile(rf"{PLACE}:(?P<column>\d{{1,7}}): {CODE}:? (?:\[\*\] )?(?P<message>.*)"))

MATCHERS = (
    CONCISE,
    Matcher("ruff", re.compile(rf"{PLACE}: \[{CODE}\] (?P<message>.*)")),
    Matcher(
        "eslint",
        re.compile(
            # No bracket in the rule: so each place that the message could end at is scanned once, to the next one.
            rf"{PLACE}:(?P<column>\d{{1,7}}): (?P<message>.*) \[(?P<level>Error|Warning)(?:/(?P<code>[^\[\]]*))?\]$"
        ),
    ),
    Matcher(
        "mypy",
        re.compile(
            r"(?P<path>[^:]{1,400}\.pyi?):(?P<line>\d{1,7})(?::(?P<column>\d{1,7}))?(?::\d{1,7}:\d{1,7})?: "
            r"(?P<level>error|warning): (?P<message>.*)"
        ),
    ),
    Matcher(
        "tsc",
        re.compile(
            r"(?P<path>[^:]{1,400})\((?P<line>\d{1,7}),(?P<column>\d{1,7})\): "
            r"(?P<level>error|warning) (?P<code>TS\d{1,6}): (?P<message>.*)"
        ),
        follows=re.compile(r" {2,40}\S"),
    ),
    Matcher(
        "tsc",
        re.compile(rf"{PLACE}:(?P<column>\d{{1,7}}) - (?P<level>error|warning) (?P<code>TS\d{{1,6}}): (?P<message>.*)"),
        follows=re.compile(r" {2,40}[A-Z]"),
    ),
    Matcher(
        "pyright",
        re.compile(rf"{PLACE}:(?P<column>\d{{1,7}}) - (?P<level>error|warning|information): (?P<message>.*)"),
        follows=re.compile(r"\s{4,40}\S"),
    ),
)
"""In order: the first that matches a line has it."""

ARROW = re.compile(rf" {{1,8}}--> {PLACE}(?::(?P<column>\d{{1,7}}))?$")
ARROW_HEAD = re.compile(rf"{CODE}:? (?:\[\*\] )?(?P<message>.*)")
"""Ruff's default format: what on one line, where on the next."""

ROWS = (
    Matcher(
        "eslint",
        re.compile(
            r"\s{1,8}(?P<line>\d{1,7}):(?P<column>\d{1,7})\s{1,8}(?P<level>error|warning)\s{1,8}(?P<message>.*)"
        ),
    ),
    Matcher(
        "ruff",
        re.compile(rf"\s{{1,8}}(?P<line>\d{{1,7}}):(?P<column>\d{{1,7}})\s{{1,8}}{CODE}:? (?:\[\*\] )?(?P<message>.*)"),
    ),
)
"""Formats in which the file stands on a line of its own, above its findings."""

COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^:]{1,1000})::(?P<message>.*)")
"""A GitHub workflow command, which several tools can write."""

MYPY_NOTE = re.compile(rf"{PLACE}(?::\d{{1,7}})?(?::\d{{1,7}}:\d{{1,7}})?: note: (?P<message>.*)")
MYPY_CODE = re.compile(r"\[([a-z][a-z0-9-]{1,60})\]")
PYRIGHT_RULE = re.compile(r"\((report[A-Za-z]{1,60})\)")
RUFF_END = re.compile(r"Found \d{1,9} errors?\b.{0,60}\.$")
"""Flake8 writes the same lines as Ruff's concise format, but no such end."""


def find_diagnostics(lines: list[str], tier: Tier, places: Places) -> Iterator[Finding]:
    """Yield what linters and compilers said, in order."""
    heading = ""
    last: Finding | None = None
    linter = "ruff" if any(line.startswith("Found ") and RUFF_END.match(line) for line in lines) else "flake8"
    for number, line in enumerate(lines):
        note = MYPY_NOTE.match(line) if last and ": note: " in line else None
        if last and note and places.resolve(note["path"]) == last.path and int(note["line"]) == last.line:
            last = replace(last, message=shorten(f"{last.message}\n{note['message']}", LONGEST_MESSAGE))
            continue
        found = (
            _of_line(lines, number, linter, tier, places)
            or _of_arrow(lines, number, tier, places)
            or _of_row(line, heading, tier, places)
            or _of_command(line, tier, places)
        )
        if found:
            if last:
                yield last
            last = found
        elif line and not line[0].isspace():
            heading = line.removesuffix(":") if len(line) <= 400 else ""
    if last:
        yield last


def _of_line(lines: list[str], number: int, linter: str, tier: Tier, places: Places) -> Finding | None:
    if ":" not in lines[number]:
        return None
    for matcher in MATCHERS:
        match = matcher.pattern.match(lines[number])
        if match and places.resolve(match["path"]):
            named = replace(matcher, tool=linter) if matcher is CONCISE else matcher
            following = _following(lines, number, matcher)
            return _finding(named, match, match["path"], following, tier, places)
    return None


def _following(lines: list[str], number: int, matcher: Matcher) -> str:
    """Return the lines that continue a message, with a line break before each."""
    if matcher.tool == "mypy":
        return _wrapped(lines[number], lines[number + 1 : number + 4])
    text = ""
    for line in lines[number + 1 : number + 1 + MOST_FOLLOWING]:
        if not matcher.follows or not matcher.follows.match(line) or matcher.pattern.match(line):
            break
        text += "\n" + line.strip()
    return text


def _wrapped(line: str, after: list[str]) -> str:
    """Return the rest of a message that mypy's `--pretty` wrapped: it ends with a code in brackets."""
    if _split(MYPY_CODE, line)[1]:
        return ""
    text = ""
    for following in after:
        if not following or following[0].isspace():
            return ""
        text += " " + following.strip()
        if _split(MYPY_CODE, text)[1]:
            return text
    return ""


def _finding(
    matcher: Matcher, match: re.Match[str], path: str, following: str, tier: Tier, places: Places
) -> Finding | None:
    groups = match.groupdict()
    level = LEVELS[groups["level"].lower()] if groups.get("level") else matcher.level
    message, code = match["message"].rstrip() + following, groups.get("code") or ""
    if matcher.tool == "mypy":
        message, code = _split(MYPY_CODE, message)
    elif matcher.tool == "pyright":
        message, code = _split(PYRIGHT_RULE, message)
    elif matcher.tool == "eslint" and not code and "  " in message:
        # The columns of the stylish format: at least two spaces stand before the rule.
        message, _, code = message.rpartition("  ")
    title = f"{matcher.tool}: {code.strip()}" if code.strip() else matcher.tool
    return places.finding(tier, path, match["line"], level, title, message, matcher.tool, groups.get("column"))


def _split(pattern: re.Pattern[str], message: str) -> tuple[str, str]:
    """Return a message and the code that it ends with, empty where it ends with none."""
    start = max(message.rfind("["), message.rfind("("))
    match = pattern.fullmatch(message, start) if start > 0 and message[start - 1].isspace() else None
    return (message[:start].rstrip(), match[1]) if match else (message, "")


def _of_arrow(lines: list[str], number: int, tier: Tier, places: Places) -> Finding | None:
    place = ARROW.match(lines[number]) if "--> " in lines[number] else None
    head = ARROW_HEAD.match(lines[number - 1]) if place and number else None
    if not place or not head:
        return None
    title, message = f"ruff: {head['code']}", head["message"]
    return places.finding(tier, place["path"], place["line"], Level.FAILURE, title, message, "ruff", place["column"])


def _of_row(line: str, heading: str, tier: Tier, places: Places) -> Finding | None:
    if not heading or not line[:1].isspace():
        return None
    for matcher in ROWS:
        match = matcher.pattern.match(line)
        if match:
            return _finding(matcher, match, heading, "", tier, places)
    return None


def _of_command(line: str, tier: Tier, places: Places) -> Finding | None:
    match = COMMAND.match(line) if line.startswith("::") else None
    if not match:
        return None
    pairs = (pair.partition("=") for pair in match["properties"].split(","))
    told = {name.strip(): _unescape(value) for name, _, value in pairs}
    path, number = told.get("file", ""), told.get("line", "1")
    if not number.isdecimal() or len(number) > 7:
        return None
    column = told.get("col", "")
    title = told.get("title", "")
    return places.finding(
        tier,
        path,
        number,
        LEVELS[match["level"]],
        title,
        # Ruff writes the place once more in front of the message.
        re.sub(r"^[^:]{1,400}:\d{1,7}:(?:\d{1,7}:)? ", "", _unescape(match["message"])),
        re.split(r"[^\w-]", title, maxsplit=1)[0].lower() or "annotation",
        column if column.isdecimal() and len(column) <= 7 else None,
    )


def _unescape(text: str) -> str:
    for escaped, plain in (("%0D", ""), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, plain)
    return text
