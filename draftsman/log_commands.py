"""GitHub's workflow commands in a log, as a person is shown them. Pure.

Tools write them for a log view that understands them ("Workflow commands for GitHub Actions"). Ours shows a group's
title as a heading, and `::error file=a.py,line=3::Message` as `error: Message`; what is meant for a machine alone goes.
"""

from __future__ import annotations

import re

_COMMAND = re.compile(r"::(?P<name>group|endgroup|error|warning|notice|debug|add-mask)(?: [^:]{0,2000})?::(?P<text>.*)")
_PREFIX = re.compile(r"^(?:\d\d:\d\d:\d\d\.\d{3} (?:out|err)| {16}) \| ")
_ESCAPES = (("%0D", ""), ("%0A", " "), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


def shown_line(line: str) -> str | None:
    """Return the line as it is shown, None where it is not."""
    prefix = match[0] if (match := _PREFIX.match(line)) else ""
    command = _COMMAND.fullmatch(line.rstrip("\r"), len(prefix)) if line.startswith("::", len(prefix)) else None
    if command is None:
        return line
    name, text = command["name"], command["text"]
    for escaped, plain in _ESCAPES:
        text = text.replace(escaped, plain)
    if name == "group":
        return f"{prefix}▾ {text}"
    return f"{prefix}{name}: {text}" if name in ("error", "warning", "notice") else None


def shown_lines(lines: list[str]) -> list[str]:
    """Return the lines that are shown, as they are."""
    return [shown for line in lines if (shown := shown_line(line)) is not None]
