"""Reads a workflow or an action, and warns of those that are not read."""

from __future__ import annotations

from orchestrator.planning import any_rules
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.workflows.marked_yaml import UnreadableYamlError, read_marked


def read_or_warn(path: str, text: str, trail: Trail) -> object:
    """Return the document, None where it cannot be read; the warning names the line."""
    try:
        return read_marked(text)
    except UnreadableYamlError as error:
        if trail.applies(any_rules.BROKEN_WORKFLOW):
            place = show(path) if error.line is None else f"{show(path)}:{error.line}"
            trail.warn(f"{place} cannot be read ({show(error.why)}): what it runs is not known.")
        return None


def warn_unread(path: str, trail: Trail) -> None:
    """Warn that this workflow and those after it are not read, since the ones before it are large enough."""
    if trail.applies(any_rules.BROKEN_WORKFLOW):
        trail.warn(f"{show(path)} and workflows after it are not read: those before it are too large together.")
