"""Findings of linters, type checkers and compilers, by the problem matchers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.matchers import Limits, Match, Matcher, load_matchers, match_at, may_match
from orchestrator.findings.places import Places
from orchestrator.findings.text import LONGEST_MESSAGE, shorten

MOST_FOLLOWING = 10
"""Lines that may continue the message of one finding."""

MOST_OF_RUSTC = 60
"""Lines of one diagnostic of rustc in which its lint is looked for."""

LEVELS = {
    "error": Level.FAILURE,
    "fatal error": Level.FAILURE,
    "warning": Level.WARNING,
    "notice": Level.NOTICE,
    "information": Level.NOTICE,
    "info": Level.NOTICE,
    "note": Level.NOTICE,
    "style": Level.NOTICE,
    # RuboCop's: convention, refactor, warning, error, fatal, info.
    "c": Level.WARNING,
    "r": Level.WARNING,
    "w": Level.WARNING,
    "e": Level.FAILURE,
    "f": Level.FAILURE,
    "i": Level.NOTICE,
}
"""What the tools call a severity, in small letters."""

MYPY_NOTE = re.compile(
    r"(?P<path>[^:]{1,400}):(?P<line>\d{1,7})(?::\d{1,7})?(?::\d{1,7}:\d{1,7})?: note: (?P<message>.*)"
)
MYPY_CODE = re.compile(r"\[([a-z][a-z0-9-]{1,60})\]")
PYRIGHT_RULE = re.compile(r"\((report[A-Za-z]{1,60})\)")
RUST_LINT = re.compile(
    r"  *= note: [^#]{0,20}(?:#\[(?:warn|deny|forbid)\(|`-[DWF] )(?P<clippy>clippy::)?(?P<lint>[a-z_-]{1,80})"
)
RUFF_END = re.compile(r"Found \d{1,9} errors?\b.{0,60}\.$")
"""Flake8 writes the same lines as Ruff's concise format, but no such end."""


def find_diagnostics(lines: list[str], tier: Tier, places: Places, limits: Limits) -> Iterator[Finding]:
    """Yield what linters and compilers said, in order."""
    matchers = load_matchers()
    if not any(line.startswith("Found ") and RUFF_END.match(line) for line in lines):
        matchers = tuple(replace(each, tool="flake8") if each.owner == "ruff-concise" else each for each in matchers)
    last: Finding | None = None
    number = 0
    while number < len(lines) and not limits.used_up:
        noted = _with_note(last, lines[number], places) if last else None
        if noted:
            last = noted
            number += 1
            continue
        findings, end = _at(matchers, lines, number, tier, places, limits)
        number = end + 1
        if findings:
            if last:
                yield last
            yield from findings[:-1]
            last = findings[-1]
    if last:
        yield last


def _at(
    matchers: tuple[Matcher, ...], lines: list[str], number: int, tier: Tier, places: Places, limits: Limits
) -> tuple[list[Finding], int]:
    """Return the findings that begin at this line, and the number of the last line that belongs to them."""
    if not lines[number]:
        return [], number
    for matcher in matchers:
        if not may_match(matcher, lines, number):
            continue
        found = []
        end = number
        for match in match_at(matcher, lines, number, limits):
            finding = _finding(matcher, match, lines, tier, places, limits)
            if finding is None:
                break  # no file of the repository: its other rows are none either
            found.append(finding)
            end = match.last
        if found:
            return found, end
    return [], number


def _finding(
    matcher: Matcher, match: Match, lines: list[str], tier: Tier, places: Places, limits: Limits
) -> Finding | None:
    told = match.told
    path = told.get("file", "")
    if not places.resolve(path):
        return None
    message = told.get("message", "").rstrip() or matcher.text
    code, tool = told.get("code", "").strip(), matcher.tool
    if matcher.owner == "mypy":
        message, code = _split(MYPY_CODE, message + _wrapped(lines[match.last], lines[match.last + 1 :][:3]))
    else:
        message += _following(matcher, lines, match.last, limits)
    if matcher.owner == "pyright":
        message, code = _split(PYRIGHT_RULE, message)
    elif matcher.owner == "rustc":
        tool, code = _lint(lines, match.last, code)
    return places.finding(
        tier,
        path,
        told.get("line", "1"),
        LEVELS.get(told.get("severity", matcher.severity).lower(), Level.FAILURE),
        f"{tool}: {code}" if code else tool,
        message,
        tool,
        told.get("column"),
        told.get("endLine"),
    )


def _following(matcher: Matcher, lines: list[str], number: int, limits: Limits) -> str:
    """Return the lines that continue a message, with a line break before each."""
    text = ""
    for line in lines[number + 1 : number + 1 + MOST_FOLLOWING] if matcher.follows else ():
        assert matcher.follows
        if not limits.match(matcher.follows, line) or limits.match(matcher.patterns[0].expression, line):
            break
        text += "\n" + line.strip()
    return text


def _with_note(last: Finding, line: str, places: Places) -> Finding | None:
    """Return the finding with a note of mypy about it, None where the line is no such note."""
    note = MYPY_NOTE.match(line) if last.tool == "mypy" and ": note: " in line else None
    if not note or int(note["line"]) != last.line or places.resolve(note["path"]) != last.path:
        return None
    return replace(last, message=shorten(f"{last.message}\n{note['message']}", LONGEST_MESSAGE))


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


def _split(pattern: re.Pattern[str], message: str) -> tuple[str, str]:
    """Return a message and the code that it ends with, empty where it ends with none."""
    start = max(message.rfind("["), message.rfind("("))
    match = pattern.fullmatch(message, start) if start > 0 and message[start - 1].isspace() else None
    return (message[:start].rstrip(), match[1]) if match else (message, "")


def _lint(lines: list[str], number: int, code: str) -> tuple[str, str]:
    """Return the tool and the code of a diagnostic of rustc: which lint it is stands below its source lines."""
    for line in lines[number + 1 : number + 1 + MOST_OF_RUSTC]:
        if not line:
            break
        match = RUST_LINT.match(line) if "= note: " in line else None
        if match:
            return ("clippy" if match["clippy"] else "rustc"), match["lint"].replace("-", "_")
    return "rustc", code
