"""Findings of RSpec: where an example failed, in the deepest frame inside the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.places import Places

MOST_LINES = 1000
"""Lines of one failing example that are looked at."""

MOST_SAID = 40
"""Lines of a message."""

FAILED = re.compile(r" {1,8}\d{1,6}(?:\.\d{1,6})?\) (?P<name>.{1,1000})$")
OUTSIDE = re.compile(r"An error occurred (?P<name>(?:while loading|outside of examples|in an? ).{0,400})$")
FRAME = re.compile(r"\s{0,40}# (?P<path>[^:\s][^:]{0,400}):(?P<line>\d{1,7})(?::in |$)")
END = re.compile(r"Finished in |Failed examples:|Run options: |Top \d")


@dataclass(slots=True)
class Example:
    """One failing example: its name and its lines."""

    name: str
    lines: list[str] = field(default_factory=list)


def find_ruby_tests(lines: list[str], tier: Tier, places: Places) -> tuple[list[Finding], list[str]]:
    """Return the findings of RSpec, and the lines that are not RSpec's."""
    examples: list[Example] = []
    rest: list[str] = []
    section = ""
    for line in lines:
        outside = OUTSIDE.match(line) if line.startswith("An error occurred ") else None
        failed = FAILED.match(line) if section == "failures" and line.startswith(" ") else None
        if outside or failed:
            section = "failures" if failed else "outside"
            examples.append(Example((outside or failed)["name"]))  # type: ignore[index]
        elif line == "Failures:":
            section = "failures"
        elif section and END.match(line):
            section = ""
        elif not section or not examples:
            rest.append(line)
        elif len(examples[-1].lines) < MOST_LINES:
            examples[-1].lines.append(line)
    return list(_findings(examples, tier, places)), rest


def _findings(examples: list[Example], tier: Tier, places: Places) -> Iterator[Finding]:
    for example in examples:
        frames = (FRAME.match(line) for line in example.lines if "# " in line)
        place = next((frame for frame in frames if frame and places.resolve(frame["path"])), None)
        if place:
            said = _said(example.lines)
            finding = places.finding(tier, place["path"], place["line"], Level.FAILURE, example.name, said, "rspec")
            if finding:
                yield finding


def _said(lines: list[str]) -> str:
    said: list[str] = []
    for line in lines[: 2 * MOST_SAID]:
        if FRAME.match(line):
            break
        if line.strip():
            said.append(line.strip())
    return "\n".join(said[:MOST_SAID])
