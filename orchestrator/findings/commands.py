"""GitHub's own protocol in a step's output: `::error file=a.py,line=1,title=Bad::what is wrong`.

What is known here is what https://docs.github.com/actions/reference/workflow-commands-for-github-actions says, and
where that is silent, what the runner does (`ActionCommand.cs` and `ActionCommandManager.cs` in actions/runner): space
before the command is no matter, nor is the case of its name; what follows the name goes up to the next `::`; and a
token that stops commands must not be empty or the name of a command.
"""

from __future__ import annotations

import re

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.places import Places

LEVELS = {"error": Level.FAILURE, "warning": Level.WARNING, "notice": Level.NOTICE}

STOP = "stop-commands"

OTHERS = frozenset(
    {
        "debug",
        "group",
        "endgroup",
        "add-mask",
        "echo",
        "add-matcher",
        "remove-matcher",
        "set-output",
        "save-state",
        "set-env",
        "add-path",
    }
)
"""Commands that tell the runner something. They say nothing about a line, whatever they carry."""

PLACE = re.compile(r"[^:]{1,400}:\d{1,7}:(?:\d{1,7}:)? ")
"""Ruff writes the place once more in front of the message."""


def take_commands(lines: list[str], tier: Tier, places: Places) -> tuple[list[Finding], list[str]]:
    """Return the findings of the commands, and the lines that are no commands.

    A command without a file of the repository is no finding. Between `::stop-commands::TOKEN` and `::TOKEN::` commands
    are lines like any other.
    """
    findings: list[Finding] = []
    rest: list[str] = []
    token = ""
    for line in lines:
        name, properties, message = _command(line)
        if token:
            if name == token:
                token = ""
            else:
                rest.append(line)
        elif name == STOP:
            told = message.strip().lower()
            token = told if told not in {"", STOP, "pause-logging", *LEVELS, *OTHERS} else ""
        elif name in LEVELS:
            finding = _finding(LEVELS[name], properties, message, tier, places)
            if finding:
                findings.append(finding)
        elif name not in OTHERS:
            rest.append(line)
    return findings, rest


def _command(line: str) -> tuple[str, str, str]:
    """Return a command's name in small letters, its properties and its message; three empty ones where it is none."""
    # Most lines are none: two characters tell.
    text = line if line.startswith("::") else line.lstrip() if "::" in line else ""
    head, separator, message = text[2:].partition("::") if text.startswith("::") else ("", "", "")
    if not separator:
        return "", "", ""
    name, _, properties = head.partition(" ")
    return name.lower(), properties, message


def _finding(level: Level, properties: str, message: str, tier: Tier, places: Places) -> Finding | None:
    pairs = (pair.partition("=") for pair in properties.split(","))
    told = {name.strip().lower(): _unescape_property(value) for name, _, value in pairs}
    title = told.get("title", "")
    return places.finding(
        tier,
        told.get("file", ""),
        told.get("line") or "1",
        level,
        title,
        PLACE.sub("", _unescape(message), count=1) if PLACE.match(message) else _unescape(message),
        re.split(r"[^\w-]", title, maxsplit=1)[0].lower() or "annotation",
        told.get("col"),
        told.get("endline"),
    )


def _unescape(text: str) -> str:
    # The sign itself last: `%250A` is what a tool wrote for the text `%0A`.
    return text.replace("%0D", "").replace("%0A", "\n").replace("%25", "%")


def _unescape_property(text: str) -> str:
    return _unescape(text.replace("%3A", ":").replace("%2C", ","))
