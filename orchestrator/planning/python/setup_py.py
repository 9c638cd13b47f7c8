"""Reads what a setup.py hands to `setup()`, without running it: literals, and names that stand for literals."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field

from draftsman.domain.plan import Tree
from orchestrator.planning.absurd import is_nested_too_deeply

MAX_CHARACTERS = 100_000
MAX_LINES = 1000
"""Requirements that are read of one list."""

EXTRA = re.compile(r"[\"'](tests?|testing|dev|develop|development|lint)[\"']\s*:")
EXTENSION = re.compile(r"\b(?:Extension\(|cythonize\(|ext_modules\s*=|cffi_modules\s*=)")
RUST = re.compile(r"\b(?:RustExtension|rust_extensions)\b")


@dataclass(frozen=True, slots=True)
class SetupPy:
    """What a setup.py declares. Requirements are lines as written; extras that cannot be read are empty."""

    install_requires: tuple[str, ...] = ()
    tests_require: tuple[str, ...] = ()
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    extensions: bool = False
    rust: bool = False


def read_setup_py(tree: Tree) -> SetupPy:
    """Return what setup.py declares; nothing where it is absent. Never raises: setup.py may be any program."""
    text = tree.text("setup.py")
    if text is None or len(text) > MAX_CHARACTERS:
        return SetupPy()
    arguments = _arguments(text)
    extras: dict[str, tuple[str, ...]] = dict.fromkeys(EXTRA.findall(text), ())
    read = arguments.get("extras_require")
    if isinstance(read, dict):
        extras |= {name: _lines(lines) for name, lines in read.items() if isinstance(name, str)}
    return SetupPy(
        install_requires=_lines(arguments.get("install_requires")),
        tests_require=_lines(arguments.get("tests_require")),
        extras=extras,
        extensions=EXTENSION.search(text) is not None,
        rust=RUST.search(text) is not None,
    )


def parse_python(text: str) -> ast.Module | None:
    """Return the syntax tree of a Python file, or None where it cannot be parsed."""
    if len(text) > MAX_CHARACTERS or is_nested_too_deeply(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stranger's invalid escape is no warning of ours
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def literal(node: ast.expr, names: dict[str, object]) -> object:
    """Return the value of an expression of literals, known names, and sums of these; None where it is another."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return [literal(one, names) for one in node.elts[:MAX_LINES]]
    if isinstance(node, ast.Dict):
        pairs = list(zip(node.keys, node.values, strict=True))[:MAX_LINES]
        return {
            key.value: literal(value, names)
            for key, value in pairs
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and not isinstance(node.left, ast.BinOp):
        left, right = literal(node.left, names), literal(node.right, names)
        return [*left, *right][:MAX_LINES] if isinstance(left, list) and isinstance(right, list) else None
    return None


def module_names(module: ast.Module) -> dict[str, object]:
    """Return the names that a module binds to literals at its top."""
    names: dict[str, object] = {}
    for statement in module.body[:MAX_LINES]:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                names[target.id] = literal(statement.value, names)
            elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                known, key = names.get(target.value.id), literal(target.slice, names)
                if isinstance(known, dict) and isinstance(key, str) and len(known) < MAX_LINES:
                    known[key] = literal(statement.value, names)
    return names


def _arguments(text: str) -> dict[str, object]:
    module = parse_python(text)
    if module is None:
        return {}
    names = module_names(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _called(node.func) == "setup":
            found: dict[str, object] = {}
            for keyword in node.keywords:
                value = literal(keyword.value, names)
                if keyword.arg is not None:
                    found[keyword.arg] = value
                elif isinstance(value, dict):
                    found |= value
            return found
    return {}


def _called(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _lines(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.splitlines()[:MAX_LINES])
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
