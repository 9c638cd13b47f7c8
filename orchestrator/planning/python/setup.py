"""How a Python project is installed: its manager's command, with the groups and extras that the checks need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from draftsman.domain.plan import ProfileOverrides
from orchestrator.planning import grammar
from orchestrator.planning.documents import strings, table, toml_line
from orchestrator.planning.python import rules
from orchestrator.planning.python.calls import Call
from orchestrator.planning.python.in_lock import brought_along
from orchestrator.planning.python.installs import named_sets, tool_requirements
from orchestrator.planning.python.pip_setup import pip_commands
from orchestrator.planning.python.practice import Practice
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.python.sets import checking
from orchestrator.planning.trail import Trail

PREFIXES = {"uv": "uv run --no-sync ", "poetry": "poetry run ", "pdm": "pdm run ", "pipenv": "pipenv run "}


@dataclass(frozen=True, slots=True)
class PythonSetup:
    """How Python is set up. `names` are the distributions that are known to be installed afterwards.

    `commands` install, in order. `prefix` stands before commands; `importable` says that the project is installed.
    `complete` says that a person set the command, so that nothing may be added to it. `known` are requirements,
    by name, with which the workflows install tools. `along` are the distributions that a lock says come with `names`.
    """

    manager: str
    commands: tuple[str, ...]
    names: frozenset[str]
    prefix: str
    importable: bool
    complete: bool
    known: Mapping[str, str]
    along: frozenset[str] = frozenset()

    def adding(self, *requirements: str) -> str:
        """Return the command that installs more distributions into the same environment.

        The environments of uv, Poetry, PDM and Pipenv are `.venv` in the project, where uv's pip finds them.
        """
        words = " ".join(map(grammar.quoted, requirements))
        return f"pip install {words}" if self.manager == "pip" else f"uv pip install {words}"


def decide_setup(
    project: PythonProject, practice: Practice, manager: str, overrides: ProfileOverrides, trail: Trail
) -> PythonSetup:
    """Return how the project is installed by the manager; the profile's own setup command comes first."""
    if manager == "pip":
        commands, names, itself = pip_commands(project, practice, trail)
    else:
        commands, names = _INSTALL[manager](project, practice, trail)
        built = bool(table(project.pyproject, "build-system")) or "setup.py" in project.tree.paths
        itself = manager != "pipenv" and project.installable_by is not None
        itself = itself and (built or manager in ("poetry", "pdm")) and not any("--no-root" in one for one in commands)
    if overrides.setup is not None:
        words = overrides.setup.replace("=", " ").replace("'", " ").replace('"', " ").split()
        names |= project.required | frozenset(words)
    _note_git_version(project, itself, trail)
    known = tool_requirements(project, practice)
    complete = overrides.setup is not None
    along = brought_along(project.tree.text("uv.lock") or "", names) if manager == "uv" else frozenset()
    return PythonSetup(manager, commands, names, PREFIXES.get(manager, ""), itself, complete, known, along)


def _note_git_version(project: PythonProject, itself: bool, trail: Trail) -> None:
    names = project.git_versions
    if itself and names and trail.applies(rules.GIT_VERSION):
        sentence = "the project's version comes from git tags, which the job's checkout has"
        trail.note("setup", names[0], sentence, file=project.installable_by, by=rules.GIT_VERSION)


def _sets(
    project: PythonProject, practice: Practice, manager: str, trail: Trail
) -> tuple[dict[str, str], dict[str, str], dict[str, Call]]:
    """Return extras and groups to install, each with the reason, and the flags that the workflows give besides."""
    extras, groups, flags = named_sets(practice, manager) if trail.applies(rules.WORKFLOW_SETS) else ({}, {}, {})
    if extras or groups or flags:
        why = "as the workflows install it"
        chosen = {name: f"{why} ({call.place})" for name, call in extras.items() if name in project.extras}
        grouped = {name: f"{why} ({call.place})" for name, call in groups.items() if name in project.groups}
        return chosen, grouped, flags
    if not trail.applies(rules.CHECK_SETS):
        return {}, {}, {}
    return (
        dict.fromkeys(checking(project.extras), "the extra that checks need"),
        dict.fromkeys(checking(project.groups), "the group that checks need"),
        {},
    )


def _note_sets(project: PythonProject, sets: Mapping[str, str], sections: tuple[str, ...], trail: Trail) -> None:
    text = project.tree.text("pyproject.toml")
    for name, reason in sets.items():
        lines = (toml_line(text, section, name) or toml_line(text, f"{section}.{name}") for section in sections)
        line = next((line for line in lines if line), None)
        by = rules.WORKFLOW_SETS if reason.startswith("as the workflows") else rules.CHECK_SETS
        trail.note("setup", name, reason, file="pyproject.toml" if line else None, line=line, by=by)


EXTRA_SECTIONS = ("project.optional-dependencies", "tool.poetry.extras")
GROUP_SECTIONS = ("dependency-groups", "tool.poetry.group", "tool.pdm.dev-dependencies")


def _uv(project: PythonProject, practice: Practice, trail: Trail) -> tuple[tuple[str, ...], frozenset[str]]:
    text = project.tree.text("pyproject.toml")
    words = ["uv sync"]
    if "uv.lock" in project.tree.paths and trail.applies(rules.UV_SYNC):
        words.append("--frozen")
        trail.note("setup", "--frozen", "the lock decides the versions", file="uv.lock", by=rules.UV_SYNC)
    elif "uv.lock" not in project.tree.paths:
        trail.note("setup", "uv sync", "no `uv.lock`: versions are resolved anew in each run")
    if "workspace" in table(project.pyproject, "tool", "uv") and trail.applies(rules.UV_WORKSPACE):
        words.append("--all-packages")
        line = toml_line(text, "tool.uv.workspace")
        sentence = "a workspace: all members"
        trail.note("setup", "--all-packages", sentence, file="pyproject.toml", line=line, by=rules.UV_WORKSPACE)
    extras, groups, flags = _sets(project, practice, "uv", trail)
    default = _default_groups(project)
    groups = {name: reason for name, reason in groups.items() if name not in default}
    for flag in ("--all-extras", "--all-groups"):
        if flag in flags:
            words.append(flag)
            trail.note("setup", flag, f"as the workflows install it ({flags[flag].place})", by=rules.WORKFLOW_SETS)
    extras = {} if "--all-extras" in flags else extras
    groups = {} if "--all-groups" in flags else groups
    _note_sets(project, extras, EXTRA_SECTIONS, trail)
    _note_sets(project, groups, GROUP_SECTIONS, trail)
    words += [f"--extra {name}" for name in extras] + [f"--group {name}" for name in groups]
    every = project.groups if "--all-groups" in flags else {*groups, *default}
    wanted = project.extras if "--all-extras" in flags else extras
    return (" ".join(words),), _names(project, wanted, every)


def _default_groups(project: PythonProject) -> tuple[str, ...]:
    """Return the groups that `uv sync` installs without being asked."""
    default = table(project.pyproject, "tool", "uv").get("default-groups", ["dev"])
    return tuple(name for name in project.groups if default == "all" or name in strings(default))


def _poetry(project: PythonProject, practice: Practice, trail: Trail) -> tuple[tuple[str, ...], frozenset[str]]:
    file = "poetry.lock" if "poetry.lock" in project.tree.paths else "pyproject.toml"
    trail.note("setup", "poetry install", "Poetry installs the lock, and its groups", file=file)
    words = ["poetry install --no-interaction"]
    extras, groups, flags = _sets(project, practice, "poetry", trail)
    declared = table(project.pyproject, "tool", "poetry", "group")
    optional = {name for name in declared if table(declared, name).get("optional") is True}
    default = [name for name in project.groups if name not in optional]
    groups = {name: reason for name, reason in groups.items() if name in optional}
    _note_sets(project, extras, EXTRA_SECTIONS, trail)
    _note_sets(project, groups, GROUP_SECTIONS, trail)
    words += [f"--with {','.join(groups)}"] if groups else []
    if "--all-extras" in flags:
        words.append("--all-extras")
        extras = dict.fromkeys(project.extras, "")
    else:
        words += [f"--extras {name}" for name in extras]
    if "--no-root" in flags:
        words.append("--no-root")
    return (" ".join(words),), _names(project, extras, {*groups, *default})


def _pdm(project: PythonProject, practice: Practice, trail: Trail) -> tuple[tuple[str, ...], frozenset[str]]:
    locked = "pdm.lock" in project.tree.paths
    command = "pdm sync -d" if locked else "pdm install -d --frozen-lockfile"
    sentence = "the lock decides the versions" if locked else "no `pdm.lock`: versions are resolved anew in each run"
    trail.note("setup", command, sentence, file="pdm.lock" if locked else None)
    extras, _, _ = _sets(project, practice, "pdm", trail)
    _note_sets(project, extras, EXTRA_SECTIONS, trail)
    words = [command, *(f"-G {name}" for name in extras)]
    return (" ".join(words),), _names(project, extras, project.groups)


def _pipenv(project: PythonProject, practice: Practice, trail: Trail) -> tuple[tuple[str, ...], frozenset[str]]:
    locked = "Pipfile.lock" in project.tree.paths
    command = "pipenv sync --dev" if locked else "pipenv install --dev"
    sentence = "the lock decides the versions" if locked else "no `Pipfile.lock`: versions are resolved anew"
    trail.note("setup", command, sentence, file="Pipfile.lock" if locked else "Pipfile")
    return (command,), _names(project, {}, project.groups)


def _names(
    project: PythonProject, extras: Mapping[str, object], groups: Mapping[str, object] | set[str]
) -> frozenset[str]:
    names = project.dependencies.union(*(project.extras[name] for name in extras))
    return names.union(*(project.groups[name] for name in groups))


_INSTALL = {"uv": _uv, "poetry": _poetry, "pdm": _pdm, "pipenv": _pipenv}
