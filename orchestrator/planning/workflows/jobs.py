"""Walks the jobs of a workflow: which of them are checks, and what their steps run and set up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from draftsman.domain.plan import Tree
from orchestrator.planning import any_rules, grammar
from orchestrator.planning.documents import Document, table
from orchestrator.planning.folder_path import joined
from orchestrator.planning.shell_script import MAX_SCRIPT, read_script
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows.actions import (
    image_version,
    rustup_version,
    script_of,
    setup_files,
    setup_versions,
)
from orchestrator.planning.workflows.broken import read_or_warn
from orchestrator.planning.workflows.expansion import Expansion
from orchestrator.planning.workflows.expressions import UNTOLD, Scope, interpolated, may_hold, told
from orchestrator.planning.workflows.marked_yaml import Text
from orchestrator.planning.workflows.matrix import cells_of, chosen_cells, is_other_system
from orchestrator.planning.workflows.seen import Job, Seen
from orchestrator.planning.workflows.variables import kept_env, set_env

MAX_JOBS = 50
MAX_STEPS = 500
"""Of a workflow, counted again for each cell of a matrix and each call of an action."""

MAX_JOB_COMMANDS = 200
MAX_DEPTH = 4
"""Workflows and actions that call each other."""

NO_CHECK = re.compile(
    r"(?:publish|release|deploy(?:ment)?|pages|docs?|documentation|bench(?:marks?)?|codeql|stale|nightly)(?![a-z]).*"
)
OWN_REPOSITORY = re.compile(r"github\.repository|\.repo\.full_name|github\.event\.")
OF_A_CELL = re.compile(r" --shard[= ][0-9]+/[0-9]+(?= |$)| --manifest-path[= ](?:\./)?Cargo\.toml(?= |$)")
LINUX = re.compile(r"ubuntu-[0-9.]+-arm$")
"""Linux on ARM: some run all their tests on it, and matrices prefer other runners."""

GOLANGCI_RELEASE = re.compile(r"v?[12]\.[0-9]{1,3}(?:\.[0-9]{1,3})?")
POSIX_SHELL = re.compile(r"(?:.{0,60}[ \"'])?(?:bash|sh)(?: .*)?")


@dataclass(slots=True)
class Found:
    """What the jobs of all workflows run and set up, in order."""

    jobs: list[Job] = field(default_factory=list)
    versions: list[tuple[str, Seen]] = field(default_factory=list)
    files: list[tuple[str, Seen]] = field(default_factory=list)


@dataclass(slots=True)
class _Place:
    """Where steps stand: their file, what a script's defaults are, and what a job collects.

    `root` is where the repository is checked out, None where another one is.
    """

    file: str
    folder: str | None
    posix: bool
    commands: list[Seen]
    only_versions: bool
    unfinished: list[Seen]
    depth: int = 0
    root: str | None = ""


class Walk:
    """Walks one workflow, and the workflows and actions of the repository that it calls.

    At most `characters` of scripts, inputs and variables are read, counted again wherever a step is repeated.
    """

    def __init__(
        self, tree: Tree, trail: Trail, expansion: Expansion, documents: dict[str, object], characters: int
    ) -> None:
        self.found = Found()
        self.characters_left = characters
        self._tree = tree
        self._trail = trail
        self._expansion = expansion
        self._documents = documents
        self._steps_left = MAX_STEPS
        self._cells: dict[int, list[dict[str, object]] | None] = {}
        self._jobs_left = MAX_JOBS

    def workflow(self, file: str, document: Document, inputs: dict[str, str], depth: int = 0) -> None:
        """Read the jobs of a workflow that is started, with the values of its inputs."""
        scope = Scope(inputs=inputs)
        scope = scope.with_env(set_env(document, scope))
        for name, job in table(document, "jobs").items():
            self._jobs_left -= 1
            if self._jobs_left < 0 or not isinstance(job, dict):
                continue
            if self._is_check(str(name), job, scope):
                self._job(file, document, str(name), job, scope, depth)

    def _is_check(self, name: str, job: Document, scope: Scope) -> bool:
        if self._trail.applies(any_rules.NO_RELEASES):
            if "environment" in job or NO_CHECK.fullmatch(name.lower()):
                return False
            # What a matrix or a file of this job says cannot be known here, and counts as unknown.
            if not may_hold(job.get("if"), replace(scope, matrix=None)):
                return False
        return True

    def _counts(self, job: Document, scope: Scope) -> bool:
        """Return whether a job runs on Linux and has to succeed."""
        if not self._trail.applies(any_rules.LINUX_ONLY):
            return True
        system = told(job.get("runs-on"), scope)
        other = system is not None and is_other_system(system) and not LINUX.match(system)
        return not other and told(job.get("continue-on-error"), scope) != "true"

    def _job(self, file: str, document: Document, name: str, job: Document, scope: Scope, depth: int) -> None:
        matrix = table(job, "strategy").get("matrix")
        if id(matrix) not in self._cells:  # aliases are the same object in many jobs
            self._cells[id(matrix)] = cells_of(matrix) if self._trail.applies(any_rules.MATRIX) else None
        cells = self._cells[id(matrix)]
        chosen = [None] if cells is None else chosen_cells(cells)
        called = job.get("uses")
        commands: list[Seen] = []
        unfinished: list[Seen] = []
        for cell in chosen if cells is None else cells:
            here = replace(scope, matrix=cell)
            here = here.with_env(set_env(job, here))
            if not self._counts(job, here):
                continue
            kept = cell is None or any(cell is one for one in chosen)
            if isinstance(called, str):
                commands += self._linted_elsewhere(file, called, job, here) if kept else []
                self._called_workflow(called, job, here, depth, kept=kept)
                continue
            mine: list[Seen] = []
            folder = _folder(_default(document, job, "working-directory"), here)
            posix = _is_posix(_default(document, job, "shell"))
            self._container(file, job, here)
            self._steps(_Place(file, folder, posix, mine, not kept, unfinished), job.get("steps"), here)
            before = {(one.text, one.folder) for one in commands}
            commands += [one for one in mine if (one.text, one.folder) not in before]
        services = list(_services(job, scope))
        if not isinstance(called, str) or commands:
            images, lines = tuple(map(str, services)), tuple(one.line for one in services)
            once = tuple(dict.fromkeys(unfinished))
            self.found.jobs.append(Job(file, name, tuple(commands), images, lines, once))

    def _called_workflow(self, uses: str, job: Document, scope: Scope, depth: int, *, kept: bool) -> None:
        path = uses.removeprefix("./")
        if not kept or path == uses or depth >= MAX_DEPTH or not self._trail.applies(any_rules.REUSABLE_WORKFLOW):
            return
        document = self._document(path)
        declared = table(document, "on", "workflow_call", "inputs")
        self.workflow(path, document, _inputs(declared, job, scope), depth + 1)

    def _linted_elsewhere(self, file: str, uses: str, job: Document, scope: Scope) -> list[Seen]:
        """Return the lint of another repository's workflow that is told which golangci-lint to run."""
        if uses.startswith("./") or not self._trail.applies(any_rules.LINTED_ELSEWHERE):
            return []
        for key, value in list(table(job, "with").items())[:50]:
            release = told(value, scope)
            if "golangci" in str(key) and release is not None and GOLANGCI_RELEASE.fullmatch(release):
                line = _line(value) if isinstance(value, str) else None
                self.found.versions.append(("golangci-lint", Seen(file, line, release)))
                return [Seen(file, line, "golangci-lint run")]
        return []

    def _document(self, path: str) -> Document:
        if path not in self._documents:
            self._documents[path] = read_or_warn(path, self._tree.text(path) or "", self._trail)
        document = self._documents[path]
        return document if isinstance(document, dict) else {}

    def _container(self, file: str, job: Document, scope: Scope) -> None:
        container = job.get("container")
        image = container.get("image") if isinstance(container, dict) else container
        text = told(image, scope)
        version = image_version(text) if text else None
        if version and isinstance(image, Text):
            self.found.versions.append((version[0], Seen(file, image.line, version[1])))

    def _steps(self, place: _Place, steps: object, scope: Scope, depth: int = 0) -> None:
        for step in steps if isinstance(steps, list) else []:
            if self._steps_left <= 0 or self.characters_left <= 0:
                return
            self._steps_left -= 1
            self.characters_left -= _length(step)
            if not isinstance(step, dict) or (place.only_versions and not step.keys() & {"uses", "parallel"}):
                continue
            if not self._runs(step, scope):
                continue
            here = scope.with_env(set_env(step, scope))
            if "parallel" in step and depth < MAX_DEPTH and self._trail.applies(any_rules.PARALLEL):
                self._steps(place, step["parallel"], here, depth + 1)
                continue
            uses = step.get("uses")
            if isinstance(uses, str):
                self._uses(place, uses, step, here)
            elif isinstance(step.get("run"), str) and not place.only_versions:
                self._run(place, step, here)

    def _runs(self, step: Document, scope: Scope) -> bool:
        if step.get("continue-on-error") == "true":
            return False
        return not self._trail.applies(any_rules.LINUX_ONLY) or may_hold(step.get("if"), scope)

    def _uses(self, place: _Place, uses: str, step: Document, scope: Scope) -> None:
        if uses.startswith("./"):
            self._local_action(place, uses, step, scope)
            return
        given = {key: value for key, value in list(table(step, "with").items())[:50] if isinstance(value, str)}
        if uses.startswith("actions/checkout@"):
            place.root = _checkout(given, place.root, scope)
            return
        known = {key: text for key, value in given.items() if (text := told(value, scope)) is not None}
        for ecosystem, version in setup_versions(uses, known):
            if version.strip():
                at = _line_in(given, known, version, uses)
                self.found.versions.append((ecosystem, Seen(place.file, at, version.strip())))
        for ecosystem, path in setup_files(known):
            target = joined("", path)
            if target and target in self._tree.paths:
                self.found.files.append((ecosystem, Seen(place.file, _line_in(given, known, path, uses), target)))
        if not place.only_versions and self._trail.applies(any_rules.ACTIONS):
            script = script_of(uses, {key: interpolated(value, scope) for key, value in given.items()})
            if script:
                self._script(place, script, _line(uses), False, _folder(given.get("working-directory"), scope), scope)

    def _local_action(self, place: _Place, uses: str, step: Document, scope: Scope) -> None:
        folder = joined("", uses)
        if folder is None or place.depth >= MAX_DEPTH or not self._trail.applies(any_rules.COMPOSITE_ACTION):
            return
        path = next(
            (f"{folder}/action.{end}" for end in ("yml", "yaml") if f"{folder}/action.{end}" in self._tree.paths), None
        )
        if path is None:
            return
        document = self._document(path)
        inner = replace(scope, inputs=_inputs(table(document, "inputs"), step, scope))
        inside = replace(place, file=path, folder="", posix=True, depth=place.depth + 1)
        self._steps(inside, table(document, "runs").get("steps"), inner)
        place.root = inside.root

    def _run(self, place: _Place, step: Document, scope: Scope) -> None:
        script = step["run"]
        shell = step.get("shell")
        if not (place.posix if shell is None else _is_posix(shell)):
            return
        given = step.get("working-directory")
        folder = place.folder if given is None else _folder(given, scope)
        line = script.line + 1 if isinstance(script, Text) and script.block else _line(script)
        self._script(place, script, line, isinstance(script, Text) and script.block, folder, scope)

    def _script(
        self, place: _Place, script: str, line: int | None, counts: bool, folder: str | None, scope: Scope
    ) -> None:
        """Add the plain commands of a script. `counts` says that its lines are the file's own."""
        if folder is None or len(script) > MAX_SCRIPT:
            return
        text = interpolated(script, scope)
        env = kept_env(scope.env)
        reading = read_script(text, folder, scope.env)
        for command in reading.unfinished:
            inside = _inside(command.folder, place.root)
            at = line + command.line if counts and line is not None else line
            if inside is not None and len(place.unfinished) < MAX_JOB_COMMANDS:
                place.unfinished.append(Seen(place.file, at, command.text, inside))
        for command in reading.commands:
            inside = _inside(command.folder, place.root)
            if len(place.commands) >= MAX_JOB_COMMANDS:
                return
            if inside is None:
                continue
            at = line + command.line if counts and line is not None else line
            merged = tuple(sorted({**env, **kept_env(dict(command.env))}.items()))
            version = rustup_version(command.text)
            if version:
                self.found.versions.append(("rust", Seen(place.file, at, version)))
            seen = Seen(place.file, at, _normal(command.text), inside, merged)
            place.commands += self._expansion.of(seen)


def _default(document: Document, job: Document, key: str) -> object:
    own = table(job, "defaults", "run").get(key)
    return table(document, "defaults", "run").get(key) if own is None else own


def _folder(value: object, scope: Scope) -> str | None:
    """Return the folder that `working-directory` names, empty for the top, None where it cannot be told."""
    if value is None:
        return ""
    text = told(value, scope)
    return None if text is None else joined("", text)


def _checkout(given: Mapping[str, str], root: str | None, scope: Scope) -> str | None:
    """Return where the repository is after a checkout: it, or another one, in the top folder or below."""
    path = told(given.get("path", ""), scope)
    path = None if path is None else joined("", path)
    other = given.get("repository", "")
    if other and not OWN_REPOSITORY.search(other):
        return None if path == "" else root
    return path


def _inside(folder: str, root: str | None) -> str | None:
    """Return a folder of the runner as one of the repository; None where it is none."""
    if not root:
        return folder if root is not None else None
    return folder.removeprefix(root).lstrip("/") if folder == root or folder.startswith(root + "/") else None


def _is_posix(shell: object) -> bool:
    return shell is None or (isinstance(shell, str) and POSIX_SHELL.fullmatch(shell) is not None)


def _inputs(declared: Document, caller: Document, scope: Scope) -> dict[str, str]:
    """Return the values of an action's or workflow's inputs: what the caller passes, else their defaults."""
    values = {str(name): value.get("default", "") for name, value in declared.items() if isinstance(value, dict)}
    given = {
        str(name): interpolated(value, scope)
        for name, value in list(table(caller, "with").items())[:50]
        if isinstance(value, str)
    }
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    return {name: UNTOLD if "${{" in value else value for name, value in {**texts, **given}.items()}


def _services(job: Document, scope: Scope) -> Iterator[Text]:
    for service in list(table(job, "services").values())[:10]:
        image = service.get("image") if isinstance(service, dict) else service
        if isinstance(image, Text) and grammar.fits(grammar.IMAGE, image):
            yield image


def _length(step: object) -> int:
    """Return the characters of a step's script, inputs and variables."""
    if not isinstance(step, dict):
        return 0
    values = [step.get("run"), *list(table(step, "with").values())[:50], *list(table(step, "env").values())[:50]]
    return sum(len(value) for value in values if isinstance(value, str))


def _line_in(given: Mapping[str, str], known: Mapping[str, str], value: str, uses: str) -> int | None:
    """Return the line of the input that holds a value, else that of the step."""
    lines = (_line(text) for key, text in given.items() if value in known.get(key, ""))
    return next(filter(None, lines), _line(uses))


def _line(text: str) -> int | None:
    return text.line if isinstance(text, Text) else None


def _normal(command: str) -> str:
    """Return the command without flags that a cell of a matrix gives it: `--shard 1/3`, which would run a part of the
    tests, and `--manifest-path ./Cargo.toml`, which is the one that Cargo takes by itself.
    """
    return OF_A_CELL.sub("", command)
