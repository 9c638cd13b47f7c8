"""Reads a workflow or an action, and warns of one that cannot be read."""

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
