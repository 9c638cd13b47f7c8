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
MAX_CHARACTERS = 100_000
"""Of all workflows together: the pure parser takes up to 20 s for 1 MB. Those after it count as absent."""

MAX_JOBS = 50
MAX_STEPS = 500
"""By workflow."""

MAX_COMMANDS = 200
MAX_VERSIONS = 50
"""By ecosystem."""

PLAIN_COMMAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/:=,@+-]{0,200}")
VERSION_KEYS = {"python": "python-version", "node": "node-version"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A command line or a version that a workflow names.

    `folder` is where a command runs, empty for the top of the repository. `env` holds the plain variables that the
    workflow sets for it.
    """

    file: str
    line: int | None
    text: str
    folder: str = ""
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a workflow: its plain commands in order, and the images of the services that it starts."""

    file: str
    name: str
    commands: tuple[Seen, ...]
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflows:
    """The plain commands of all workflows, each once, and the versions that they set up, by ecosystem.

    `jobs` has the same commands by job, in order, repeated where jobs repeat them.
    """

    commands: tuple[Seen, ...] = ()
    versions: dict[str, tuple[Seen, ...]] | None = None
    jobs: tuple[Job, ...] = ()

    def versions_of(self, ecosystem: str) -> tuple[Seen, ...]:
        """Return the versions that workflows set up for `python` or `node`."""
        return (self.versions or {}).get(ecosystem, ())


def is_workflow(path: str) -> bool:
    """Return whether the path is that of a workflow."""
    return path.startswith(FOLDER) and path.endswith((".yml", ".yaml")) and path.count("/") == 2


def read_workflows(tree: Tree) -> Workflows:
    """Return what the workflows run, each command and version once. A workflow that cannot be read counts as absent."""
    commands: dict[str, Seen] = {}
    versions: dict[str, dict[str, Seen]] = {ecosystem: {} for ecosystem in VERSION_KEYS}
    characters = 0
    for path in sorted(filter(is_workflow, tree.paths))[:MAX_WORKFLOWS]:
        text = tree.text(path) or ""
        characters += len(text)
        document = read_yaml(tree, path) if characters <= MAX_CHARACTERS else None
        if not isinstance(document, dict) or not _runs_on_changes(document.get("on")):
            continue
        lines = [" ".join(line.split()) for line in text.splitlines()]
        jobs = list(table(document, "jobs").values())[:MAX_JOBS]
        for command in _commands(jobs):
            if command not in commands and len(commands) < MAX_COMMANDS:
                commands[command] = Seen(path, _line(lines, command), command)
        for ecosystem, key in VERSION_KEYS.items():
            line = _line(lines, key)
            for found in _versions(jobs, key):
                if len(versions[ecosystem]) < MAX_VERSIONS:
                    versions[ecosystem].setdefault(found, Seen(path, line, found))
    return Workflows(tuple(commands.values()), {name: tuple(found.values()) for name, found in versions.items()})


def _runs_on_changes(trigger: object) -> bool:
    names = trigger if isinstance(trigger, dict | list) else [trigger]
    return any(isinstance(name, str) and name in ("push", "pull_request") for name in names)


def _steps(jobs: list[object]) -> Iterator[tuple[object, dict[str, object]]]:
    """Yield the steps, each with its job. Aliases let a few bytes of YAML repeat steps a million times."""
    left = MAX_STEPS
    for job in jobs:
        steps = job.get("steps") if isinstance(job, dict) else None
        chosen = steps[:left] if isinstance(steps, list) else []
        left -= len(chosen)
        yield from ((job, step) for step in chosen if isinstance(step, dict))


def _commands(jobs: list[object]) -> Iterator[str]:
    for job, step in _steps(jobs):
        script = step.get("run")
        elsewhere = step.get("working-directory") or table(job, "defaults", "run").get("working-directory")
        if not isinstance(script, str) or elsewhere:
            continue
        for line in script.splitlines()[:50]:
            command = " ".join(line.split())
            if PLAIN_COMMAND.fullmatch(command):
                yield command


def _versions(jobs: list[object], key: str) -> Iterator[str]:
    values: list[object] = []
    for job in jobs:
        matrix = table(job, "strategy", "matrix").get(key)
        values += matrix[:20] if isinstance(matrix, list) else [matrix]
    values += [table(step, "with").get(key) for _, step in _steps(jobs)]
    for value in values:
        if isinstance(value, str):
            yield from (line.strip() for line in value.splitlines()[:20] if "${{" not in line)


def _line(lines: list[str], needle: str) -> int | None:
    return next((number for number, line in enumerate(lines, start=1) if needle in line), None)
