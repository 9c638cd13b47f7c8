"""The full checks of Python: which test runner the tests are written for, and how it is called."""

from __future__ import annotations

import re

from orchestrator.planning import grammar
from orchestrator.planning.documents import line_of, read_ini, table, toml_line
from orchestrator.planning.python import rules
from orchestrator.planning.python.arguments import usable_arguments
from orchestrator.planning.python.calls import Call
from orchestrator.planning.python.plugins import imported_libraries, needed_plugins
from orchestrator.planning.python.practice import Practice
from orchestrator.planning.python.project import PythonProject, own_tests
from orchestrator.planning.python.setup import PythonSetup
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail

PYTEST_STYLE = re.compile(r"^[ \t]*+(?:import pytest|from pytest )|^(?:async )?def test_", re.MULTILINE)
UNITTEST_STYLE = re.compile(r"^[ \t]*+(?:import unittest|from unittest |from django\.test )", re.MULTILINE)
CONFIGURATIONS = (
    ("pytest.ini", "pytest"),
    (".pytest.ini", "pytest"),
    ("tox.ini", "pytest"),
    ("setup.cfg", "tool:pytest"),
)

Reason = tuple[str | None, int | None, str, Rule]
Commands = tuple[tuple[str, ...], tuple[str, ...]]


def choose_suite(project: PythonProject, setup: PythonSetup, practice: Practice, trail: Trail) -> Commands:
    """Return the full commands, and what setup has to install for them besides."""
    calls = practice.tests if trail.applies(rules.WORKFLOW_TESTS) else ()
    if calls and not all(call.program in ("pytest", "py.test") for call in calls):
        commands = _own_programs(project, setup, calls, trail)
        if commands:
            return commands, ()
    reason = next((one for one in _pytest_reasons(project, setup, calls) if trail.applies(one[3])), None)
    if reason is None:
        full = _other_suite(project, setup, trail)
        libraries = _libraries(project, setup, [], trail) if full else []
        return full, (setup.adding(*libraries),) if libraries else ()
    return _pytest(project, setup, calls, reason, trail)


def _pytest(
    project: PythonProject, setup: PythonSetup, calls: tuple[Call, ...], reason: Reason, trail: Trail
) -> Commands:
    file, line, sentence, by = reason
    commands: dict[str, None] = {}
    used: list[str] = []
    for call in calls:
        arguments = usable_arguments(project, call) if call.program in ("pytest", "py.test") else None
        if arguments is None:
            continue
        start, why = _start(project, setup, call, trail)
        command = " ".join([start, *map(grammar.quoted, arguments)])
        if command not in commands:
            commands[command] = None
            used += arguments
            place = f"{sentence}{why}; as in {call.place}"
            trail.note("full", command, place, file=file, line=line, by=rules.WORKFLOW_TESTS)
    if not commands:
        start, why = _start(project, setup, None, trail)
        commands[start] = None
        trail.note("full", start, sentence + why, file=file, line=line, by=by)
    return tuple(commands), _additions(project, setup, used, trail)


def _additions(project: PythonProject, setup: PythonSetup, arguments: list[str], trail: Trail) -> tuple[str, ...]:
    """Return the command that installs pytest and the plugins that its options need, where setup does not."""
    if setup.complete:
        return ()
    missing: list[str] = []
    if "pytest" not in setup.names and trail.applies(rules.ADD_PYTEST):
        missing.append(setup.known.get("pytest", "pytest"))
        command = setup.adding(*missing)
        sentence = "the tests use pytest, which no manifest of the repository names"
        trail.note("setup", command, sentence, by=rules.ADD_PYTEST)
    for plugin in needed_plugins(project, arguments) if trail.applies(rules.ADD_PLUGINS) else ():
        if plugin not in setup.names and plugin != project.name:
            missing.append(setup.known.get(plugin, plugin))
            trail.note("setup", plugin, "pytest's options need it, and no manifest names it", by=rules.ADD_PLUGINS)
    missing += _libraries(project, setup, missing, trail)
    return (setup.adding(*missing),) if missing else ()


def _libraries(project: PythonProject, setup: PythonSetup, missing: list[str], trail: Trail) -> list[str]:
    """Return the test libraries that the tests import and that setup does not install."""
    if setup.complete or not trail.applies(rules.ADD_TEST_LIBRARIES):
        return []
    known = setup.names | project.locked | frozenset(missing)
    found = [name for name in imported_libraries(project) if name not in known]
    for name in found:
        sentence = "the tests import it, and no manifest names it"
        trail.note("setup", name, sentence, by=rules.ADD_TEST_LIBRARIES)
    return found


def _start(project: PythonProject, setup: PythonSetup, call: Call | None, trail: Trail) -> tuple[str, str]:
    """Return how pytest starts, and what to add to the reason.

    `python -m pytest` puts the top folder on the import path, which a project that is not installed needs.
    """
    options = table(project.pyproject, "tool", "pytest", "ini_options") or table(project.pyproject, "tool", "pytest")
    variables = _variables(call)
    if call is not None and call.carriers[-1:] == ("python",):
        return f"{variables}{setup.prefix}python -m pytest", ""
    if setup.importable or "pythonpath" in options or not trail.applies(rules.ON_PATH):
        return f"{variables}{setup.prefix}pytest", ""
    return f"{variables}{setup.prefix}python -m pytest", "; the project is not installed: -m finds it"


def _variables(call: Call | None) -> str:
    return "".join(f"{name}={value} " for name, value in call.variables) if call else ""


def _pytest_reasons(project: PythonProject, setup: PythonSetup, calls: tuple[Call, ...]) -> list[Reason]:
    """Return file, line, sentence and rule of each reason why pytest runs the tests, the strongest first."""
    tree = project.tree
    found: list[Reason] = []
    options = table(project.pyproject, "tool", "pytest", "ini_options")
    workflow = [call for call in calls if call.program in ("pytest", "py.test")]
    if not project.tests and "python_files" not in options and not workflow:
        return []
    if "pytest" in table(project.pyproject, "tool"):
        line = toml_line(tree.text("pyproject.toml"), "tool.pytest")
        found.append(("pyproject.toml", line, "`[tool.pytest]` configures pytest", rules.PYTEST_CONFIGURED))
    for file, section in CONFIGURATIONS:
        if file in ("pytest.ini", ".pytest.ini") and file in tree.paths:
            found.append((file, 1, f"`{file}` configures pytest", rules.PYTEST_CONFIGURED))
        elif read_ini(tree, file).has_section(section):
            line = line_of(tree.text(file), rf"^\[{re.escape(section)}\]")
            found.append((file, line, f"`[{section}]` configures pytest", rules.PYTEST_CONFIGURED))
    for call in workflow[:1]:
        sentence = "the repository's own workflow runs pytest"
        found.append((call.seen.file, call.seen.line, sentence, rules.WORKFLOW_TESTS))
    if "pytest" in setup.names and project.tests:
        sentence = "the project depends on pytest and has tests"
        found.append((project.tests[0], None, sentence, rules.PYTEST_DEPENDENCY))
    for path in own_tests(project):
        line = line_of(tree.text(path), PYTEST_STYLE.pattern)
        if line:
            found.append((path, line, "the tests are written for pytest", rules.PYTEST_STYLE))
            break
    return found


def _own_programs(project: PythonProject, setup: PythonSetup, calls: tuple[Call, ...], trail: Trail) -> tuple[str, ...]:
    """Return the calls of runners other than pytest, as the workflows have them."""
    commands: dict[str, None] = {}
    for call in calls:
        arguments = usable_arguments(project, call)
        if arguments is None or call.program in ("pytest", "py.test"):
            continue
        program = {"unittest": "python -m unittest", "django": "python -m django"}.get(call.program, call.program)
        special = call.program in ("trial", "stestr") or (call.program == "python" and "manage.py" not in call.words[1])
        by = rules.TEST_SCRIPT if special else rules.WORKFLOW_TESTS
        if not trail.applies(by):
            continue
        command = f"{_variables(call)}{setup.prefix}{' '.join([program, *map(grammar.quoted, arguments)])}"
        commands[command] = None
        sentence = "the repository's own workflow runs it"
        trail.note("full", command, sentence, file=call.seen.file, line=call.seen.line, by=by)
    return tuple(commands)


def _other_suite(project: PythonProject, setup: PythonSetup, trail: Trail) -> tuple[str, ...]:
    """Return Django's or unittest's command where the tests are written for them."""
    if not project.tests:
        return ()
    manage = next((path for path in ("manage.py", "src/manage.py") if path in project.tree.paths), None)
    if manage and "django" in setup.names | project.dependencies | project.locked and trail.applies(rules.DJANGO):
        command = f"{setup.prefix}python manage.py test"
        command = command if manage == "manage.py" else f"cd src && {command}"
        trail.note("full", command, "a Django project with tests and no pytest", file=manage, by=rules.DJANGO)
        return (command,)
    for path in own_tests(project) if trail.applies(rules.UNITTEST) else ():
        line = line_of(project.tree.text(path), UNITTEST_STYLE.pattern)
        if line:
            call, why = _unittest_call(project)
            command = f"{setup.prefix}{call}"
            sentence = f"the tests are written for unittest{why}"
            trail.note("full", command, sentence, file=path, line=line, by=rules.UNITTEST)
            return (command,)
    sentence = "named like a test, but for no runner that is known: not run"
    trail.note("full", project.tests[0], sentence, file=project.tests[0])
    return ()


def _unittest_call(project: PythonProject) -> tuple[str, str]:
    """Return unittest's call: plain discovery enters packages only, so other folders are named."""
    folders = sorted({path.rpartition("/")[0] for path in project.tests})
    top = sorted({folder.split("/")[0] for folder in folders})
    if len(top) == 1 and top[0] and f"{top[0]}/__init__.py" not in project.tree.paths and grammar.is_tree_path(top[0]):
        return f"python -m unittest discover -s {top[0]}", f"; {top[0]} is no package, so it is named"
    return "python -m unittest", ""
