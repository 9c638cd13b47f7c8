"""At which release a check tool is had that setup does not install, and how it is started then."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.documents import read_toml, table
from orchestrator.planning.python.checkers import Linter
from orchestrator.planning.python.hooks import Hook
from orchestrator.planning.python.installs import REQUIREMENT
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.python.setup import PythonSetup
from orchestrator.planning.versions import RUFF

RUFF_FILES = ("ruff.toml", ".ruff.toml")
MAX_COMPANIONS = 20


@dataclass(frozen=True, slots=True)
class Addition:
    """How a tool that is not installed starts, the command that setup needs for it (or none), and why so."""

    start: str
    command: str
    why: str


def addition(
    linter: Linter, project: PythonProject, setup: PythonSetup, hook: Hook | None, runs: bool
) -> Addition | None:
    """Return how to have the tool, or None where it cannot be had. `runs` says that a workflow or a hook runs it.

    A tool that needs nothing of the project runs at the release that something names. A type checker needs the
    project's dependencies, so it is added to its environment, and only where that is set up. ruff runs at our own
    release only where its settings say which rules apply, or somebody runs it: its default rules change.
    """
    if setup.complete and (setup.manager == "pip" or not linter.alone):
        return None
    known = setup.known.get(linter.name)
    if known is not None and not setup.complete and (linter.alone or setup.names):
        requirements = [known, *_companions(linter, setup)]
        why = f"the workflows install {linter.name} for it"
        return Addition(setup.prefix + linter.name, setup.adding(*requirements), why)
    if linter.name == "ruff" and (runs or _selects_rules(project)):
        release, source = _ruff_release(project, hook)
    elif hook is not None and hook.release is not None:
        release, source = hook.release, "the pre-commit hook names the release"
    else:
        return None
    why = f"{linter.name} is used but not among the dependencies: {source}"
    companions = [one for one in hook.dependencies if grammar.fits(REQUIREMENT, one)][:MAX_COMPANIONS] if hook else []
    if linter.alone and setup.manager != "pip" and not companions:
        return Addition(f"uvx {linter.name}@{release}", "", why)
    if not linter.alone and not setup.names and not companions:  # a hook's dependencies are all that it has, too
        return None
    return Addition(setup.prefix + linter.name, setup.adding(f"{linter.name}=={release}", *companions), why)


def _companions(linter: Linter, setup: PythonSetup) -> list[str]:
    """Return what the workflows install beside a tool: stubs for mypy, plugins for flake8 and pylint."""
    begins = {"mypy": ("types-",), "flake8": ("flake8-", "pep8-"), "pylint": ("pylint-",)}.get(linter.name, ())
    found = [line for name, line in setup.known.items() if name.startswith(begins) and begins]
    return [line for line in found if line not in setup.names][:MAX_COMPANIONS]


def _selects_rules(project: PythonProject) -> bool:
    """Return whether ruff's settings say which rules apply, or which release."""
    for document in (table(project.pyproject, "tool", "ruff"), *(read_toml(project.tree, name) for name in RUFF_FILES)):
        if {"select", "required-version"} & set(document) or "select" in table(document, "lint"):
            return True
    return False


def _ruff_release(project: PythonProject, hook: Hook | None) -> tuple[str, str]:
    """Return the release of ruff, from `required-version` or the pre-commit hook, else our pin; and its source."""
    for document in (table(project.pyproject, "tool", "ruff"), *(read_toml(project.tree, name) for name in RUFF_FILES)):
        required = document.get("required-version")
        if isinstance(required, str) and grammar.fits(grammar.PIN, required.removeprefix("==")):
            return required.removeprefix("=="), "`required-version` names the release"
    if hook is not None and hook.release is not None:
        return hook.release, "the pre-commit hook names the release"
    return RUFF, "Draftsman's release of it"
