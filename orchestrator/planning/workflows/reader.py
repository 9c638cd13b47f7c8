"""Reads all workflows of a commit into one value."""

from __future__ import annotations

from collections.abc import Iterable

from draftsman.domain.plan import Tree
from orchestrator.planning import any_rules
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows.broken import read_or_warn, warn_unread
from orchestrator.planning.workflows.expansion import Expansion
from orchestrator.planning.workflows.files import ranked_workflows
from orchestrator.planning.workflows.jobs import Found, Walk
from orchestrator.planning.workflows.marked_yaml import FAST
from orchestrator.planning.workflows.seen import Job, Seen, Workflows

MAX_CHARACTERS = 100_000 if FAST else 32_000
"""Of all workflows together, but for the first: these take about 60 ms. Those after it count as absent, with a warning.
Of a hundred popular repositories the largest has 94,000.
"""

MAX_STEP_CHARACTERS = 120_000
"""Of the steps of all workflows: aliases and matrices repeat steps."""

MAX_COMMANDS = 200
MAX_VERSIONS = 50
"""By ecosystem."""

CHANGES = ("push", "pull_request", "merge_group")


def read_workflows(tree: Tree, trail: Trail | None = None) -> Workflows:
    """Return what the workflows run that a change starts, each command and version once.

    Those with names that promise checks come first. `trail` knows the rules in force, and is warned of workflows that
    cannot be read: they count as absent.
    """
    trail = trail or Trail()
    expansion = Expansion(tree, trail)
    documents: dict[str, object] = {}
    found: list[Found] = []
    characters = 0
    for path in ranked_workflows(tree.paths):
        text = tree.text(path) or ""
        if not any(event in text for event in CHANGES):
            continue
        characters += len(text)
        if characters > MAX_CHARACTERS and documents:
            warn_unread(path, trail)
            break
        documents[path] = read_or_warn(path, text, trail)
    left = MAX_STEP_CHARACTERS
    for path, document in list(documents.items()):
        if isinstance(document, dict) and _runs_on_changes(document.get("on"), trail):
            walk = Walk(tree, trail, expansion, documents, left)
            walk.workflow(path, document, {})
            left = walk.characters_left
            found.append(walk.found)
    jobs = tuple(job for one in found for job in one.jobs)
    return Workflows(
        commands=_each_once(jobs),
        versions=_by_ecosystem(pair for one in found for pair in one.versions),
        jobs=jobs,
        version_files=_by_ecosystem(pair for one in found for pair in one.files),
    )


def _each_once(jobs: Iterable[Job]) -> tuple[Seen, ...]:
    """Return the commands of the top folder, each the first time that it runs."""
    commands: dict[str, Seen] = {}
    for job in jobs:
        for seen in job.commands:
            if not seen.folder and len(commands) < MAX_COMMANDS:
                commands.setdefault(seen.text, seen)
    return tuple(commands.values())


def _by_ecosystem(pairs: Iterable[tuple[str, Seen]]) -> dict[str, tuple[Seen, ...]]:
    found: dict[str, dict[str, Seen]] = {}
    for ecosystem, seen in pairs:
        mine = found.setdefault(ecosystem, {})
        if len(mine) < MAX_VERSIONS:
            mine.setdefault(seen.text, seen)
    return {ecosystem: tuple(mine.values()) for ecosystem, mine in found.items()}


def _runs_on_changes(trigger: object, trail: Trail) -> bool:
    if not trail.applies(any_rules.ON_CHANGES):
        return True
    if isinstance(trigger, dict):
        return any(event in trigger and _on_branches(event, trigger[event]) for event in CHANGES)
    names = trigger if isinstance(trigger, list) else [trigger]
    return any(isinstance(name, str) and name in CHANGES for name in names)


def _on_branches(event: str, filters: object) -> bool:
    """Return whether an event with these filters happens when a branch or an open pull request changes."""
    if not isinstance(filters, dict):
        return True
    types = filters.get("types")
    if event == "push":
        return not ("tags" in filters and "branches" not in filters and "branches-ignore" not in filters)
    return not isinstance(types, list) or event != "pull_request" or bool({"opened", "synchronize"} & _strings(types))


def _strings(values: list[object]) -> set[str]:
    return {value for value in values if isinstance(value, str)}
