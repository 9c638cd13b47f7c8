"""Reads the scripts that PDM, poe and taskipy run from pyproject.toml, as calls of the tools behind them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.planning.documents import Document, strings, table, toml_line
from orchestrator.planning.makefile import read_makefile
from orchestrator.planning.python import rules
from orchestrator.planning.python.calls import Call, read_call
from orchestrator.planning.python.checkers import checks
from orchestrator.planning.python.practice import MAX_TEST_CALLS, Practice, runs_tests
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.python.tox import read_tox
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen

TABLES = (
    ("tool", "pdm", "scripts"),
    ("tool", "poe", "tasks"),
    ("tool", "taskipy", "tasks"),
    ("tool", "rye", "scripts"),
)
USUAL = re.compile(r"(?:lint|check|type|mypy|format[-_:]check|fmt[-_:]check|tests?|unit|pytest|static)[A-Za-z0-9:_-]*")
JOINED = re.compile(r"&&|;|\n")
LINTING = re.compile(
    r"(?:check[-_])?(?:lint(?:ers?|ing)?|style|flake8|mypy|ruff|typing|types?|typecheck)(?:[-_]check)?"
)
POSARGS = re.compile(r"\{posargs(?::([^{}]*))?\}")
MAX_SCRIPTS = 100
MAX_CALLS = 50
MAX_WORDS = 80


def with_scripts(project: PythonProject, practice: Practice, trail: Trail) -> Practice:
    """Return the practice with the calls of scripts: those that the workflows name, then those usually named."""
    scripts = {name: (where, value) for where, tasks in _tables(project) for name, value in tasks.items()}
    if not scripts or not trail.applies(rules.SCRIPTS):
        return practice
    asked = [name for call in practice.calls for name in _named(call) if name in scripts]
    usual = sorted((name for name in scripts if USUAL.fullmatch(name)), key=lambda name: (name != "test", name))
    calls = tuple(call for name in dict.fromkeys([*asked, *usual]) for call in _calls(project, scripts, name))[
        :MAX_CALLS
    ]
    tests = tuple({call.words: call for call in calls if runs_tests(call)}.values())[:1]
    return replace(practice, calls=practice.calls + calls, tests=(practice.tests or tests)[:MAX_TEST_CALLS])


def with_lint_targets(project: PythonProject, practice: Practice, trail: Trail) -> Practice:
    """Return the practice with the linters that the lint targets of the Makefile and of tox call.

    They count only where no workflow calls a linter itself.
    """
    if any(map(checks, practice.calls)) or not trail.applies(rules.LINT_TARGETS):
        return practice
    lines = (*_lint_recipes(project), *_lint_environments(project))
    found = [call for seen in lines if (call := read_call(seen)) is not None and _usual(call)]
    once = {call.words: call for call in reversed(found)}
    return replace(practice, calls=practice.calls + tuple(reversed(once.values()))[:MAX_CALLS]) if once else practice


def _lint_recipes(project: PythonProject) -> Iterator[Seen]:
    makefile = read_makefile(project.tree)
    if makefile is None:
        return
    for name in makefile.targets:
        recipe = makefile.recipe(name) if LINTING.fullmatch(name) else None
        for command in recipe.commands if recipe else ():
            if not command.folder:
                yield Seen(makefile.path, command.line, command.text)


def _lint_environments(project: PythonProject) -> Iterator[Seen]:
    tox = read_tox(project)
    for name in dict.fromkeys((*tox.sections, *tox.names)):
        if LINTING.fullmatch(name) or any(map(LINTING.fullmatch, name.split("-"))):
            yield from (Seen(tox.file, tox.line, _plain(line)) for line in tox.environment(name).commands)


def _usual(call: Call) -> bool:
    return checks(call) and "--verifytypes" not in call.words  # what a package shows its users, not its own types


def _plain(line: str) -> str:
    """Return a command of tox as it is without arguments of the caller, as far as that is known."""
    return POSARGS.sub(lambda match: match.group(1) or "", line.replace("{toxinidir}/", "").replace("{tox_root}/", ""))


def _tables(project: PythonProject) -> Iterator[tuple[str, Document]]:
    for keys in TABLES:
        tasks = table(project.pyproject, *keys)
        usable = [(name, value) for name, value in tasks.items() if name != "_"]
        yield ".".join(keys), dict(usable[:MAX_SCRIPTS])


def _named(call: Call) -> tuple[str, ...]:
    """Return the script that a call runs: `poe lint`, `pdm run test`, `task test`."""
    if call.program in ("poe", "task", "pdm") and call.arguments:
        return call.arguments[:1]
    return call.words[:1] if call.carriers[-1:] in (("pdm",), ("rye",)) else ()


def _calls(project: PythonProject, scripts: dict[str, tuple[str, object]], name: str) -> Iterator[Call]:
    """Yield the calls of a script, and of the scripts that it names, each once."""
    seen = {name}
    waiting = [name]
    while waiting and len(seen) <= MAX_CALLS:
        current = waiting.pop(0)
        where, value = scripts[current]
        line = toml_line(project.tree.text("pyproject.toml"), where, current) or toml_line(
            project.tree.text("pyproject.toml"), f"{where}.{current}"
        )
        for text in _lines(value):
            call = read_call(Seen("pyproject.toml", line, text))
            inner = next((one for one in (text.strip(), *(_named(call) if call else ())) if one in scripts), None)
            if inner is not None and inner not in seen:
                seen.add(inner)
                waiting.append(inner)
            elif call is not None and inner is None:
                yield call


def _lines(value: object) -> list[str]:
    """Return the command lines of a script in any of its forms: text, list, `cmd`, `shell`, `composite`, `sequence`."""
    if isinstance(value, dict):
        command = value.get("cmd")
        if isinstance(command, list):  # one command in words
            return [shlex.join(strings(command[:MAX_WORDS]))]
        found = (command, value.get("shell"), value.get("composite"), value.get("sequence"))
        value = next((one for one in found if one is not None), None)
    if isinstance(value, str):
        return [part.strip() for part in JOINED.split(value[:2000]) if part.strip()]
    parts = value[:MAX_CALLS] if isinstance(value, list) else []
    rows = [one.get("cmd") or one.get("ref") if isinstance(one, dict) else one for one in parts]
    return [row for row in rows if isinstance(row, str)]
