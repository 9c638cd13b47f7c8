"""Reads a noxfile's sessions by their syntax, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.python.setup_py import literal, module_names, parse_python

MAX_SESSIONS = 100
MAX_RUNS = 50


@dataclass(frozen=True, slots=True)
class NoxSession:
    """A session: its name, the Pythons that it names (none: the one that runs nox), and the commands it runs."""

    name: str
    line: int
    pythons: tuple[str, ...]
    commands: tuple[str, ...]
    parametrized: bool


def read_noxfile(project: PythonProject) -> tuple[NoxSession, ...]:
    """Return the sessions that can be told, in order; none where there is no noxfile or it cannot be parsed."""
    module = parse_python(project.tree.text("noxfile.py") or "")
    if module is None:
        return ()
    names = module_names(module)
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)][:MAX_SESSIONS]
    sessions = (_session(function, names) for function in functions)
    return tuple(session for session in sessions if session is not None)


def _session(function: ast.FunctionDef, names: dict[str, object]) -> NoxSession | None:
    name, pythons, found, parametrized = function.name, None, False, False
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        last = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
        parametrized = parametrized or last == "parametrize"
        if last not in ("session", "nox_session"):
            continue
        found = True
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else []:
            if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                name = str(keyword.value.value)
            elif keyword.arg in ("python", "py"):
                pythons = literal(keyword.value, names)
    if not found or not grammar.fits(grammar.SCRIPT, name):
        return None
    listed = pythons if isinstance(pythons, list) else [pythons]
    versions = tuple(one for one in listed if isinstance(one, str))
    return NoxSession(name, function.lineno, versions, tuple(_runs(function))[:MAX_RUNS], parametrized)


def _runs(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the commands that the session runs, as far as they are literal."""
    for node in ast.walk(function):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run"
        if called and isinstance(node, ast.Call):
            words = [literal(argument, {}) for argument in node.args[:50] if not isinstance(argument, ast.Starred)]
            yield " ".join(word for word in words if isinstance(word, str))
