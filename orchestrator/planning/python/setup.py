"""How a Python project is installed: uv or pip, which groups and extras, and what the checks lack."""

from __future__ import annotations

from dataclasses import dataclass

from draftsman.domain.plan import ProfileOverrides
from orchestrator.planning import grammar
from orchestrator.planning.documents import strings, table, toml_line
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.trail import Trail

CHECK_TOOLS = frozenset({"pytest", "ruff", "mypy", "black", "isort", "flake8", "pyright"})
CHECK_SETS = frozenset(
    {"test", "tests", "testing", "dev", "develop", "development", "lint", "linting"}
    | {"typing", "types", "typecheck", "check", "checks", "ci"}
)
"""Extras and groups that are installed for their name; others are for the tools that they hold."""

NOT_CHECK_SETS = frozenset({"all", "doc", "docs", "documentation", "release", "publish", "deploy", "bench"})
OTHER_LOCKS = ("poetry.lock", "pdm.lock", "Pipfile.lock")


@dataclass(frozen=True, slots=True)
class PythonSetup:
    """How Python is set up. `names` are the distributions that are known to be installed afterwards.

    `prefix` stands before commands; `importable` says that the project is installed in place.
    `complete` says that a person set the command, so that nothing may be added to it.
    """

    manager: str
    command: str
    names: frozenset[str]
    prefix: str
    importable: bool
    complete: bool

    def adding(self, requirement: str) -> str:
        """Return the command that installs one more distribution into the same environment."""
        return f"uv pip install {requirement}" if self.manager == "uv" else f"pip install {requirement}"


def decide_setup(project: PythonProject, overrides: ProfileOverrides, manager: str | None, trail: Trail) -> PythonSetup:
    """Return how the project is installed; the profile's manager and setup command come first."""
    chosen = _decide_manager(project, overrides, manager, trail)
    extras = _checking(project.extras)
    groups = _checking(project.groups)
    names = project.dependencies.union(*(project.extras[name] for name in extras))
    if chosen == "uv":
        command = _uv_sync(project, extras, groups, trail)
        names = names.union(*(project.groups[name] for name in {*groups, *_default_groups(project)}))
    else:
        command = _pip_install(project, extras, trail)
        names |= project.required
        if project.installable_by is None and not project.candidates:
            names = project.required
    if overrides.setup is not None:
        words = overrides.setup.replace("=", " ").replace("'", " ").replace('"', " ").split()
        names |= project.required | frozenset(words)
    importable = project.installable_by is not None and (
        chosen == "pip" or bool(table(project.pyproject, "build-system")) or "setup.py" in project.tree.paths
    )
    prefix = "uv run --no-sync " if chosen == "uv" else ""
    return PythonSetup(chosen, command, names, prefix, importable, overrides.setup is not None)


def _decide_manager(project: PythonProject, overrides: ProfileOverrides, manager: str | None, trail: Trail) -> str:
    if manager is not None:
        return manager  # the plan notes that the profile set it
    words = (overrides.setup or "").split()
    if words[:1] == ["uv"] or "pip" in words[:3]:
        chosen = "uv" if words[0] == "uv" else "pip"
        trail.note("dependency_manager", chosen, "the profile's setup command uses it")
        return chosen
    paths = project.tree.paths
    text = project.tree.text("pyproject.toml")
    other = next((lock for lock in OTHER_LOCKS if lock in paths), None)
    if "uv.lock" in paths:
        trail.note("dependency_manager", "uv", "the lock is uv's", file="uv.lock")
        chosen = "uv"
    elif "uv" in table(project.pyproject, "tool") and other is None:
        line = toml_line(text, "tool.uv")
        trail.note("dependency_manager", "uv", "`[tool.uv]` is set", file="pyproject.toml", line=line)
        chosen = "uv"
    elif project.groups and other is None:
        line = toml_line(text, "dependency-groups")
        rule = "`[dependency-groups]`, and no other tool's lock: uv"
        trail.note("dependency_manager", "uv", rule, file="pyproject.toml", line=line)
        chosen = "uv"
    else:
        first = project.manifests[0] if project.manifests else None
        rule = "no lock that Draftsman installs from: pip" if first else "no manifest: pip"
        trail.note("dependency_manager", "pip", rule, file=first)
        chosen = "pip"
    if other is not None and chosen == "pip":
        trail.note("dependency_manager", other, "seen, not used: the dependencies are installed with pip", file=other)
        trail.warn(f"{other} is not used: dependencies are installed with pip. Set `setup` in the profile to use it.")
    return chosen


def _checking(sets: dict[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the extras or groups that tests and checks need, in the order of the file."""
    return tuple(
        name
        for name, members in sets.items()
        if name.lower() in CHECK_SETS or (members & CHECK_TOOLS and name.lower() not in NOT_CHECK_SETS)
    )


def _default_groups(project: PythonProject) -> tuple[str, ...]:
    """Return the groups that `uv sync` installs without being asked."""
    default = table(project.pyproject, "tool", "uv").get("default-groups", ["dev"])
    return tuple(name for name in project.groups if default == "all" or name in strings(default))


def _uv_sync(project: PythonProject, extras: tuple[str, ...], groups: tuple[str, ...], trail: Trail) -> str:
    text = project.tree.text("pyproject.toml")
    words = ["uv sync"]
    if "uv.lock" in project.tree.paths:
        words.append("--frozen")
        trail.note("setup", "--frozen", "the lock decides the versions", file="uv.lock")
    else:
        trail.note("setup", "uv sync", "no `uv.lock`: versions are resolved anew in each run")
    if "workspace" in table(project.pyproject, "tool", "uv"):
        words.append("--all-packages")
        line = toml_line(text, "tool.uv.workspace")
        trail.note("setup", "--all-packages", "a workspace: all members", file="pyproject.toml", line=line)
    for extra in extras:
        words.append(f"--extra {extra}")
        _note_set("extra", extra, "project.optional-dependencies", text, trail)
    for group in groups:
        if group not in _default_groups(project):
            words.append(f"--group {group}")
            _note_set("group", group, "dependency-groups", text, trail)
    return " ".join(words)


def _pip_install(project: PythonProject, extras: tuple[str, ...], trail: Trail) -> str:
    words = []
    for path in project.requirement_files:
        words.append(f"-r {path}")
        trail.note("setup", path, "a requirement file", file=path)
    if project.installs_itself:
        trail.note("setup", project.installs_itself, "it installs the project itself", file=project.installs_itself)
    elif project.installable_by is not None:
        trail.note("setup", "-e .", "the project itself, in place", file=project.installable_by)
        for extra in extras:
            section = "project.optional-dependencies"
            _note_set("extra", extra, section, project.tree.text("pyproject.toml"), trail)
        words.append("-e " + grammar.quoted(f".[{','.join(extras)}]" if extras else "."))
    elif project.candidates:
        words += _loose_requirements(project, extras, trail)
    return f"pip install {' '.join(words)}" if words else ""


def _loose_requirements(project: PythonProject, extras: tuple[str, ...], trail: Trail) -> list[str]:
    """Return the project's requirements as words of a command, where the project itself cannot be installed."""
    declared = table(project.pyproject, "project")
    optional = table(declared, "optional-dependencies")
    lines = [*strings(declared.get("dependencies")), *(one for extra in extras for one in strings(optional[extra]))]
    folders = ", ".join(project.candidates[:5])
    rule = f"setuptools cannot tell which of the folders {folders} is the package: only dependencies are installed"
    line = toml_line(project.tree.text("pyproject.toml"), "project")
    trail.note("setup", " ".join(lines), rule, file="pyproject.toml", line=line)
    usable = [line.strip() for line in lines if line.isprintable() and not line.strip().startswith("-")]
    return [grammar.quoted(line) for line in usable if line]


def _note_set(kind: str, name: str, section: str, text: str | None, trail: Trail) -> None:
    line = toml_line(text, section, name)
    file = "pyproject.toml" if line else None
    trail.note("setup", name, f"the {kind} that checks need", file=file, line=line)
