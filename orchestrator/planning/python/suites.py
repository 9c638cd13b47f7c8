"""The full checks of Python: which test runner the tests are written for, and how it is called."""

from __future__ import annotations

import re

from orchestrator.planning import grammar
from orchestrator.planning.documents import line_of, read_ini, table, toml_line
from orchestrator.planning.python import files
from orchestrator.planning.python.linters import has_path
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.python.setup import PythonSetup
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Workflows

PYTEST_STYLE = re.compile(r"^[ \t]*+(?:import pytest|from pytest )|^(?:async )?def test_", re.MULTILINE)
UNITTEST_STYLE = re.compile(r"^[ \t]*+(?:import unittest|from unittest |from django\.test )", re.MULTILINE)
CONFIGURATIONS = (
    ("pytest.ini", "pytest"),
    (".pytest.ini", "pytest"),
    ("tox.ini", "pytest"),
    ("setup.cfg", "tool:pytest"),
)
REPORTING = ("--cov", "--junit", "--codecov", "--color", "-n", "--numprocesses", "--durations")
"""pytest's options that only report or spread the work, and may need a plugin: not taken over from workflows."""


def choose_suite(
    project: PythonProject, setup: PythonSetup, workflows: Workflows, trail: Trail
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the full commands, and what setup has to install for them besides."""
    found = _pytest_reason(project, setup, workflows)
    if found is None:
        return _other_suite(project, setup, trail), ()
    file, line, reason = found
    additions: tuple[str, ...] = ()
    if "pytest" not in setup.names and not setup.complete:
        additions = (setup.adding("pytest"),)
        trail.note("setup", additions[0], "the tests use pytest, which no manifest of the repository names")
    call, rule = _pytest_call(project, setup, workflows)
    command = f"{setup.prefix}{call}"
    trail.note("full", command, reason + rule, file=file, line=line)
    return (command,), additions


def _pytest_reason(
    project: PythonProject, setup: PythonSetup, workflows: Workflows
) -> tuple[str | None, int | None, str] | None:
    """Return file, line and reason why pytest runs the tests, or None where it does not."""
    tree = project.tree
    options = table(project.pyproject, "tool", "pytest", "ini_options")
    if not project.tests and "python_files" not in options:
        return None
    if "pytest" in table(project.pyproject, "tool"):
        line = toml_line(tree.text("pyproject.toml"), "tool.pytest")
        return "pyproject.toml", line, "`[tool.pytest]` configures pytest"
    for file, section in CONFIGURATIONS:
        if file in ("pytest.ini", ".pytest.ini") and file in tree.paths:
            return file, 1, f"`{file}` configures pytest"
        if read_ini(tree, file).has_section(section):
            line = line_of(tree.text(file), rf"^\[{re.escape(section)}\]")
            return file, line, f"`[{section}]` configures pytest"
    for seen in workflows.commands:
        if _pytest_arguments(seen.text) is not None:
            return seen.file, seen.line, "the repository's own workflow runs pytest"
    if "pytest" in setup.names and project.tests:
        return project.tests[0], None, "the project depends on pytest and has tests"
    for path in project.tests[: files.MAX_TEST_SAMPLE]:
        line = line_of(tree.text(path), PYTEST_STYLE.pattern)
        if line:
            return path, line, "the tests are written for pytest"
    return None


def _pytest_arguments(command: str) -> list[str] | None:
    words = re.sub(r"^(uv run( --[a-z-]+)* |poetry run |pdm run )+", "", command).split()
    words = words[2:] if words[:1] in (["python"], ["python3"]) and words[1:2] == ["-m"] else words
    return words[1:] if words[:1] == ["pytest"] else None


def _pytest_call(project: PythonProject, setup: PythonSetup, workflows: Workflows) -> tuple[str, str]:
    """Return the call of pytest and what to add to the reason.

    `python -m pytest` puts the top folder on the import path, which a project that is not installed needs.
    """
    options = table(project.pyproject, "tool", "pytest", "ini_options") or table(project.pyproject, "tool", "pytest")
    placed = setup.importable or "pythonpath" in options
    call, rule = ("pytest", "") if placed else ("python -m pytest", "; the project is not installed: -m finds it")
    for seen in workflows.commands:
        arguments = _pytest_arguments(seen.text)
        if not arguments:
            continue
        kept = [word for word in arguments if not word.startswith(REPORTING) and word != "auto"]
        paths = [word for word in kept if not word.startswith("-")]
        if kept and all(word == "." or has_path(project, word) for word in paths):
            return " ".join([call, *kept]), f"{rule}; arguments as in {seen.file}:{seen.line}"
    return call, rule


def _other_suite(project: PythonProject, setup: PythonSetup, trail: Trail) -> tuple[str, ...]:
    """Return Django's or unittest's command where the tests are written for them."""
    if not project.tests:
        return ()
    if "manage.py" in project.tree.paths and "django" in setup.names | project.dependencies | project.locked:
        command = f"{setup.prefix}python manage.py test"
        trail.note("full", command, "a Django project with tests and no pytest", file="manage.py")
        return (command,)
    for path in project.tests[: files.MAX_TEST_SAMPLE]:
        line = line_of(project.tree.text(path), UNITTEST_STYLE.pattern)
        if line:
            call, rule = _unittest_call(project)
            command = f"{setup.prefix}{call}"
            trail.note("full", command, f"the tests are written for unittest{rule}", file=path, line=line)
            return (command,)
    trail.note(
        "full", project.tests[0], "named like a test, but for no runner that is known: not run", file=project.tests[0]
    )
    return ()


def _unittest_call(project: PythonProject) -> tuple[str, str]:
    """Return unittest's call: plain discovery enters packages only, so other folders are named."""
    folders = sorted({path.rpartition("/")[0] for path in project.tests})
    top = sorted({folder.split("/")[0] for folder in folders})
    if len(top) == 1 and top[0] and f"{top[0]}/__init__.py" not in project.tree.paths and grammar.is_tree_path(top[0]):
        return f"python -m unittest discover -s {top[0]}", f"; {top[0]} is no package, so it is named"
    return "python -m unittest", ""
