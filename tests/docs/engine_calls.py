"""Which calls of the engine's API the code makes, read out of its syntax: all go through `orchestrator/engine.py`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIENT = "orchestrator/engine.py"
CONNECTING = frozenset({"GET /version", "GET /info"})
"""What `connect` asks by itself."""


def engine_calls() -> frozenset[str]:
    """Return each call as `METHOD /path`, with `*` for what stands for a name or an id.

    Raises ValueError where a call's path is not written in the function that makes it: then nobody can tell.
    """
    found = set(CONNECTING)
    for folder in ("orchestrator", "draftsman"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            if str(file.relative_to(ROOT)) != CLIENT:
                found |= set(_calls_in(file))
    return frozenset(found)


def _calls_in(file: Path) -> Iterator[str]:
    module = ast.parse(file.read_text("utf-8"))
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if call := _method_and_path(node):
                    method, path = call
                    for text in _written(path, function, module):
                        yield f"{method} /{text}"


def _method_and_path(node: ast.AST) -> tuple[str, ast.expr] | None:
    """Return what an engine's `call`, `stream` or `delete` is given, None where it is none of them."""
    match node:
        case ast.Call(func=ast.Attribute(attr="call" | "stream"), args=[ast.Constant(value=str(method)), path, *_]):
            return method, path
        case ast.Call(func=ast.Attribute(attr="delete", value=who), args=[path, *_]) if _is_engine(who):
            return "DELETE", path
    return None


def _is_engine(who: ast.expr) -> bool:
    return ast.unparse(who).rpartition(".")[2].lstrip("_") == "engine"


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _written(path: ast.expr, function: _Function, module: ast.Module) -> list[str]:
    """Return the texts that a path can be, by what is assigned to it in the function, or given to the function."""
    match path:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return [_joined(parts, function)]
        case ast.Name(id=name):
            found = _assigned(name, function) or _given(name, function, module)
            if found:
                return [text for value in found for text in _written(value, function, module)]
    raise ValueError(f"line {path.lineno}: which path of the engine's API is `{ast.unparse(path)}`?")


def _joined(parts: list[ast.expr], function: _Function) -> str:
    # A name may have slashes and a version itself: `*` stands for it all.
    return re.sub(r"\*(?:[/:@]?\*)*", "*", "".join(_part(part, function) for part in parts))


def _part(part: ast.expr, function: _Function) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=ast.Name(id=name)):
            match _assigned(name, function):
                # The beginning of a path that is used several times.
                case [ast.JoinedStr(values=[ast.Constant(), *_] as parts)]:
                    return _joined(parts, function)
    return "*"


def _assigned(name: str, function: _Function) -> list[ast.expr]:
    return [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]


def _given(name: str, function: _Function, module: ast.Module) -> list[ast.expr]:
    parameters = [one.arg for one in function.args.args if one.arg != "self"]
    if name not in parameters:
        return []
    at = parameters.index(name)
    return [
        node.args[at]
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] == function.name
        and len(node.args) > at
    ]
