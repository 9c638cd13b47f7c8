"""Planning of Python repositories."""

from __future__ import annotations

from draftsman.domain.plan import Toolchain
from orchestrator.planning.part import Ecosystem, Part, Question
from orchestrator.planning.python import files
from orchestrator.planning.python.linters import choose_linters
from orchestrator.planning.python.project import PythonProject, read_project
from orchestrator.planning.python.setup import decide_setup
from orchestrator.planning.python.suites import choose_suite
from orchestrator.planning.python.version import choose_python
from orchestrator.planning.system_packages import PYTHON_NEEDS, needed
from orchestrator.planning.trail import Trail


def infer(question: Question, trail: Trail) -> Part | None:
    """Return what Python brings to the plan, or None where the commit is no Python project.

    Raises PlanError where a Python hint is malformed.
    """
    project = read_project(question.tree)
    if not question.forced and not _is_project(project, trail):
        return None
    version = choose_python(project, question.workflows, trail)
    setup = decide_setup(project, question.overrides, question.manager, trail)
    linters = choose_linters(project, setup, question.workflows, trail)
    full, additions = choose_suite(project, setup, question.workflows, trail)
    commands = (setup.command, *linters.additions, *additions)
    return Part(
        toolchain=Toolchain("python", version, f"python:{version}-slim"),
        manager=setup.manager,
        setup=tuple(command for command in commands if command),
        fast=linters.commands,
        full=full,
        caches=("uv", "pip") if setup.manager == "uv" else ("pip",),
        apt=_system_packages(project, setup.names, trail),
    )


def _is_project(project: PythonProject, trail: Trail) -> bool:
    """Return whether this is a Python project: a manifest with sources, or sources that can stand alone."""
    if project.manifests and project.sources:
        return True
    alone = [path for path in project.sources if files.stands_alone(path)]
    tested = [path for path in project.tests if files.stands_alone(path)]
    if alone and (tested or "package.json" not in project.tree.paths):
        shown = (tested or alone)[0]
        trail.note("image", shown, "Python files and no manifest: a Python project", file=shown)
        return True
    strays = sorted(path for path in project.tree.paths if path.endswith(".py"))
    for path in [*project.manifests, *strays][:3]:
        rule = "seen, not used: no Python project belongs to it"
        trail.note("image", path, rule, file=path)
    return False


def _system_packages(project: PythonProject, names: frozenset[str], trail: Trail) -> tuple[str, ...]:
    packages: list[str] = []
    for name, apt in needed(names | project.locked, PYTHON_NEEDS).items():
        packages += apt
        trail.note("image", " ".join(apt), f"Debian packages that {name} needs")
    return tuple(dict.fromkeys(packages))


ECOSYSTEM = Ecosystem(
    name="python",
    managers=("uv", "pip"),
    words=frozenset({"python", "python3", "pip", "pip3", "uv", "uvx", "pytest", "ruff", "mypy", "black", "tox", "nox"}),
    portable=False,
    looked_for="pyproject.toml, setup.py, setup.cfg, requirements.txt, uv.lock, .py files",
    reads=files.reads,
    infer=infer,
)
