"""What the repository's own GitHub workflows run: evidence for commands and versions, in simple cases only.

Only workflows that a push or a pull request starts are read, and of them only `run:` lines that are one plain
command: no variables, pipes or expressions, and no other working directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning.documents import read_yaml, table

FOLDER = ".github/workflows/"
MAX_WORKFLOWS = 10
MAX_STEPS = 200
PLAIN_COMMAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/:=,@+-]{0,200}")
VERSION_KEYS = {"python": "python-version", "node": "node-version"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A command line or a version that a workflow names."""

    file: str
    line: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Workflows:
    """The plain commands of all workflows, and the versions that they set up, by ecosystem."""

    commands: tuple[Seen, ...] = ()
    versions: dict[str, tuple[Seen, ...]] | None = None

    def versions_of(self, ecosystem: str) -> tuple[Seen, ...]:
        """Return the versions that workflows set up for `python` or `node`."""
        return (self.versions or {}).get(ecosystem, ())


def is_workflow(path: str) -> bool:
    """Return whether the path is that of a workflow."""
    return path.startswith(FOLDER) and path.endswith((".yml", ".yaml")) and path.count("/") == 2


def read_workflows(tree: Tree) -> Workflows:
    """Return what the workflows run. A workflow that cannot be read counts as absent."""
    commands: list[Seen] = []
    versions: dict[str, list[Seen]] = {ecosystem: [] for ecosystem in VERSION_KEYS}
    for path in sorted(filter(is_workflow, tree.paths))[:MAX_WORKFLOWS]:
        document = read_yaml(tree, path)
        if not isinstance(document, dict) or not _runs_on_changes(document.get("on")):
            continue
        text = tree.text(path) or ""
        for job in list(table(document, "jobs").values())[:50]:
            commands.extend(Seen(path, _line(text, command), command) for command in _commands(job))
            for ecosystem, key in VERSION_KEYS.items():
                versions[ecosystem] += [Seen(path, _line(text, key), found) for found in _versions(job, key)]
    return Workflows(tuple(commands), {name: tuple(found) for name, found in versions.items()})


def _runs_on_changes(trigger: object) -> bool:
    names = trigger if isinstance(trigger, dict | list) else [trigger]
    return any(isinstance(name, str) and name in ("push", "pull_request") for name in names)


def _steps(job: object) -> list[dict[str, object]]:
    steps = job.get("steps") if isinstance(job, dict) else None
    return [step for step in steps[:MAX_STEPS] if isinstance(step, dict)] if isinstance(steps, list) else []


def _commands(job: object) -> Iterator[str]:
    if table(job, "defaults", "run").get("working-directory"):
        return
    for step in _steps(job):
        script = step.get("run")
        if not isinstance(script, str) or step.get("working-directory"):
            continue
        for line in script.splitlines()[:50]:
            command = " ".join(line.split())
            if PLAIN_COMMAND.fullmatch(command):
                yield command


def _versions(job: object, key: str) -> Iterator[str]:
    matrix = table(job, "strategy", "matrix").get(key)
    values: list[object] = list(matrix[:20]) if isinstance(matrix, list) else [matrix]
    values += [table(step, "with").get(key) for step in _steps(job)]
    for value in values:
        if isinstance(value, str):
            yield from (line.strip() for line in value.splitlines()[:20] if "${{" not in line)


def _line(text: str, needle: str) -> int | None:
    for number, line in enumerate(text.splitlines(), start=1):
        if needle in " ".join(line.split()):
            return number
    return None
