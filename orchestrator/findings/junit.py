"""Findings and totals of a JUnit XML report.

There is no standard; what is read here is what pytest, jest-junit, vitest, node, RspecJunitFormatter, gotestsum,
go-junit-report, Maven Surefire and cargo-nextest write: `testcase` elements, in which `failure` or `error` stands.
The document is a stranger's: its size, its depth and its text are capped, a DTD (and so every entity of its own) is
refused, and of a document that breaks off counts what comes before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from xml.parsers import expat  # nosec B406: no DTD gets past _Reader.doctype

from draftsman.ansi import harmless
from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.frames import Place, deepest, is_frame
from orchestrator.findings.go_tests import find_go_tests
from orchestrator.findings.places import Places
from orchestrator.findings.text import LONGEST_LINE

LARGEST_JUNIT = 10 * 1024 * 1024
"""Bytes. A larger report is not read."""

DEEPEST = 100
"""Elements within each other. What is deeper ends the reading."""

MOST_FINDINGS = 2000
"""Of one report. What is beyond is counted, not shown."""

MOST_TRIED = 10_000
"""Failures of one report whose place is looked for. What is beyond is counted as well."""

LONGEST_TEXT = 200_000
"""Characters of one failure."""

MOST_LINES = 1000
"""Lines at the beginning of one failure, and as many at its end."""

MOST_SAID = 40
"""Lines of a message."""

MOST_SECONDS = 1e9

EXTENSIONS = ("py", "java", "kt", "groovy", "scala", "rb", "js", "ts", "mjs", "cs", "php")
"""What the file of a class may end with."""

SAYS_NOTHING = frozenset(["", "failed", "failure", "error", "test failed", "test failure"])

CONTROL = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"
CONTROL_REFERENCE = re.compile(rb"&#(?:x0{0,6}([01]?[0-9a-fA-F])|0{0,6}([0-9]|[12][0-9]|3[01]));")
"""References to characters that XML forbids. Tools write them all the same, where a test printed colours."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the test cases came to. `unplaced` are failures and errors without a line of the repository."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    unplaced: int = 0


@dataclass(frozen=True, slots=True)
class JUnit:
    """What a report said."""

    findings: tuple[Finding, ...] = ()
    totals: Totals = Totals()


def read_junit(content: bytes, tier: Tier, places: Places) -> JUnit:
    """Return the findings and the totals of a report; none where it is too large, has a DTD or is no XML."""
    if len(content) > LARGEST_JUNIT:
        return JUnit()
    reader = _Reader(tier, places)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    with suppress(expat.ExpatError, _StopError):  # what came before counts
        parser.Parse(_readable(content), True)
    return reader.result()


def _readable(content: bytes) -> bytes:
    """Return the document as UTF-8 without what XML forbids. The encoding that it declares is overridden."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
    else:
        text = content.decode("utf-8-sig", "replace")
    plain = text.encode("utf-8", "replace").translate(None, CONTROL)
    return CONTROL_REFERENCE.sub(_allowed, plain) if b"&#" in plain else plain


def _allowed(match: re.Match[bytes]) -> bytes:
    number = int(match[1], 16) if match[1] else int(match[2])
    return match[0] if number in (9, 10, 13) else b""


class _StopError(Exception):
    """The document is not read any further."""


@dataclass(slots=True)
class _Case:
    """A test case, and the first failure in it."""

    told: Mapping[str, str]
    suite: Mapping[str, str]
    outcome: str = ""
    message: str = ""
    kind: str = ""
    text: list[str] = field(default_factory=list)
    room: int = LONGEST_TEXT


class _Reader:
    """Hears of each element, and keeps no more than one test case and the suites around it."""

    def __init__(self, tier: Tier, places: Places) -> None:
        self._tier = tier
        self._places = places
        self._findings: list[Finding] = []
        self._counts = dict.fromkeys(("tests", "failure", "error", "skipped", "unplaced"), 0)
        self._tried = 0
        self._depth = 0
        self._suites: list[Mapping[str, str]] = []
        self._case: _Case | None = None
        self._inside = ""
        self._whole: float | None = None
        self._of_suites: float | None = None
        self._of_cases = 0.0

    def doctype(self, *_declared: object) -> None:
        """Refuse a document type: entities of a document's own exist only in one."""
        raise _StopError

    def start(self, name: str, told: Mapping[str, str]) -> None:
        """Hear of the beginning of an element."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise _StopError
        if name == "testsuites":
            self._whole = _seconds(told.get("time"))
        elif name == "testsuite":
            seconds = _seconds(told.get("time"))
            if not self._suites and seconds is not None:
                self._of_suites = (self._of_suites or 0.0) + seconds
            self._suites.append(told)
        elif name == "testcase":
            self._case = _Case(told, self._suites[-1] if self._suites else {})
            self._of_cases += _seconds(told.get("time")) or 0.0
        elif self._case and name in ("failure", "error", "skipped") and not self._case.outcome:
            self._case.outcome = self._inside = name
            self._case.message, self._case.kind = told.get("message", ""), told.get("type", "")

    def data(self, text: str) -> None:
        """Hear of text."""
        if self._inside and self._case and self._case.room > 0:
            self._case.text.append(text[: self._case.room])
            self._case.room -= len(text)

    def end(self, name: str) -> None:
        """Hear of the end of an element."""
        self._depth -= 1
        if name == self._inside:
            self._inside = ""
        elif name == "testsuite" and self._suites:
            self._suites.pop()
        elif name == "testcase" and self._case:
            self._count(self._case)
            self._case, self._inside = None, ""

    def result(self) -> JUnit:
        """Return what was heard of so far."""
        counts = self._counts
        seconds = next((told for told in (self._whole, self._of_suites) if told is not None), self._of_cases)
        totals = Totals(
            tests=counts["tests"],
            failures=counts["failure"],
            errors=counts["error"],
            skipped=counts["skipped"],
            seconds=round(min(seconds, MOST_SECONDS), 3),
            unplaced=counts["unplaced"],
        )
        return JUnit(tuple(self._findings), totals)

    def _count(self, case: _Case) -> None:
        self._counts["tests"] += 1
        if not case.outcome:
            return
        self._counts[case.outcome] += 1
        if case.outcome == "skipped" or len(self._findings) >= MOST_FINDINGS or self._tried >= MOST_TRIED:
            return
        self._tried += 1
        finding = _finding(case, self._tier, self._places)
        if finding:
            self._findings.append(finding)
        else:
            self._counts["unplaced"] += 1


def _seconds(told: str | None) -> float | None:
    """Return a time, None where it is none. Surefire writes `1,234.5`."""
    try:
        seconds = float((told or "")[:40].replace(",", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds <= MOST_SECONDS else None


def _finding(case: _Case, tier: Tier, places: Places) -> Finding | None:
    text = "".join(case.text).split("\n")
    if len(text) > 2 * MOST_LINES:  # the message is at its beginning, Python's deepest frame at its end
        text = text[:MOST_LINES] + text[-MOST_LINES:]
    lines = [harmless(line[: 4 * LONGEST_LINE])[:LONGEST_LINE] for line in text]
    go = _go_finding(case, lines, tier, places) if any(".go:" in line for line in lines) else None
    if go:
        return go
    said = _said(harmless(case.message), case.kind, lines)
    # A frame says where it failed, the attributes only where the test begins.
    place = deepest([*harmless(case.message).split("\n"), *lines], places) or _declared(case, places)
    if not place:
        return None
    title = harmless(_title(case, places))
    return places.finding(tier, place.path, place.line, Level.FAILURE, title, said, _tool(case), place.column)


def _said(message: str, kind: str, lines: list[str]) -> str:
    """Return the message of a failure: its attribute, or where that says nothing, the text above the traceback."""
    start = next((n for n, line in enumerate(lines) if line.strip() and " panicked at " not in line), len(lines))
    text = lines[start : start + MOST_SAID]
    end = next((number for number, line in enumerate(text) if is_frame(line)), len(text))
    above = "\n".join(line.rstrip() for line in text[:end]).strip()
    told = "\n".join(message.strip().split("\n")[:MOST_SAID])
    if told.lower() in SAYS_NOTHING or told == kind or " panicked at " in told.partition("\n")[0]:
        return above or told or kind
    # XML makes spaces of the line breaks in an attribute; the text has them still.
    flattened = "  " in told and "\n" not in told
    return above if flattened and _squeezed(told) in _squeezed(above) else told


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _declared(case: _Case, places: Places) -> Place | None:
    """Return the place that the attributes tell: a file and a line, or a class whose file is in the repository."""
    file = places.resolve(case.told.get("file", ""))
    line = case.told.get("line") or case.told.get("lineno") or "1"
    if file:
        if _tool(case) == "pytest" and line.isascii() and line.isdecimal() and len(line) <= 7:
            line = str(int(line) + 1)  # pytest counts from 0
        return Place(file, line)
    classname = case.told.get("classname", "")
    names = (classname, case.suite.get("file", ""), case.suite.get("filepath", ""), case.suite.get("name", ""))
    path = next((path for path in (_file_of(name, places) for name in names if name) if path), None)
    return Place(path, "1") if path else None


def _file_of(name: str, places: Places) -> str | None:
    """Return the file that a class or a suite is in, None where its name tells none of the repository."""
    if len(name) > LONGEST_LINE:
        return None
    path = places.resolve(name)
    if path:
        return path
    # com.example.OuterTest$Inner, App\Tests\CartTest, tests.test_cart.TestCart, a::b
    parts = re.split(r"::|[.\\]", name.partition("$")[0])[:20]
    for length in range(len(parts), 1, -1):
        base = "/".join(parts[:length])
        for extension in EXTENSIONS:
            path = places.resolve(f"{base}.{extension}")
            if path:
                return path
    return None


def _title(case: _Case, places: Places) -> str:
    classname, name = case.told.get("classname", "").strip(), case.told.get("name", "").strip()
    if not classname or name.startswith(classname) or _tool(case) == "rspec":
        return name
    if places.resolve(classname):
        return f"{classname} > {name}"
    return f"{classname}::{name}" if "::" in name else f"{classname}.{name}"


def _tool(case: _Case) -> str:
    suite = case.suite.get("name", "")
    return next((tool for tool in ("pytest", "rspec") if suite.startswith(tool)), "junit")


def _go_finding(case: _Case, lines: list[str], tier: Tier, places: Places) -> Finding | None:
    """Return the finding of a test of Go: the report holds what `go test` printed."""
    name = "".join(case.told.get("name", "").split())[:400]
    package = "".join(case.told.get("classname", "").split())[:400]
    logged = [line if line.startswith(("\t", "    ")) or ".go:" not in line else f"    {line}" for line in lines]
    kept = [line for line in logged if not line.lstrip().startswith(("=== ", "--- ", "FAIL\t", "ok  \t"))]
    found, _ = find_go_tests([f"=== FAIL: {package or '.'} {name or '.'} (0s)", *kept], tier, places)
    return found[0] if found else None
