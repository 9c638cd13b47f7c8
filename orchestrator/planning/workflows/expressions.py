"""Evaluates the expressions of workflows (`${{ ... }}`) as far as a commit's files tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.planning.folder_path import WORKSPACE

EXPRESSION = re.compile(r"\$\{\{((?:[^}'$]|\$(?!\{\{)|'[^'$]*+'|\}(?!\}))*+)\}\}")
TOKEN = re.compile(
    r"\s*+(?:'((?:[^']|'')*+)'|([0-9]++(?:\.[0-9]++)?+)|([A-Za-z_][A-Za-z0-9_-]*+)|(==|!=|<=|>=|&&|\|\||[!<>().,\[\]*]))"
)
NAMES = re.compile(r"\s*+[A-Za-z_][A-Za-z0-9_-]*+(?:\.[A-Za-z_][A-Za-z0-9_-]*+)++\s*+")
MAX_TOKENS = 80
MAX_EXPRESSION = 1000
EVENTS = ("push", "pull_request")

UNTOLD = "\x00"
"""Stands in a text for an expression whose value cannot be told: no plain command holds it."""


class Unknown:
    """The value of what the files do not tell."""


UNKNOWN = Unknown()
Value = str | bool | None | Unknown


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions may name. `matrix` and `inputs` are None where nothing of them is known.

    `event` is what started the workflow, None where it may be any.
    """

    matrix: Mapping[str, object] | None = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] | None = field(default_factory=dict)
    event: str | None = None

    def with_env(self, env: Mapping[str, str]) -> Scope:
        """Return the scope with these variables besides."""
        return Scope(self.matrix, {**self.env, **env}, self.inputs, self.event) if env else self

    def at(self, names: list[str]) -> Value:
        """Return the value of `names[0].names[1]...`."""
        head, *rest = names
        found = CONTEXTS[head](self, rest) if head in CONTEXTS and rest else UNKNOWN
        return found if isinstance(found, str | bool | Unknown) or found is None else UNKNOWN


def interpolated(text: str, scope: Scope) -> str:
    """Return the text with the values of its expressions, `UNTOLD` for those that cannot be told."""
    if "${{" not in text:
        return text
    return EXPRESSION.sub(lambda match: _written(evaluated(match.group(1), scope)), text)


def told(text: object, scope: Scope) -> str | None:
    """Return a text with its expressions' values, or None where one cannot be told, or it is no text."""
    found = interpolated(text, scope) if isinstance(text, str) else None
    return None if found is None or UNTOLD in found or "${{" in found else found


def may_hold(condition: object, scope: Scope) -> bool:
    """Return whether an `if:` may hold when a branch is pushed or a pull request changes."""
    if not isinstance(condition, str):
        return True
    text = condition.strip()
    match = EXPRESSION.fullmatch(text)
    text = match.group(1) if match else text
    if "${{" in text:
        return True
    for event in EVENTS:
        value = evaluated(text, Scope(scope.matrix, scope.env, scope.inputs, event))
        if isinstance(value, Unknown) or _truthy(value):
            return True
    return False


def evaluated(text: str, scope: Scope) -> Value:
    """Return the value of an expression, `UNKNOWN` where it cannot be told or read."""
    if len(text) > MAX_EXPRESSION:
        return UNKNOWN
    if NAMES.fullmatch(text):  # nearly all of them
        return scope.at(text.strip().split("."))
    tokens: list[tuple[str, str]] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = TOKEN.match(text, at)
        if match is None or len(tokens) >= MAX_TOKENS:
            return UNKNOWN
        kind = ("string", "number", "name", "operator")[(match.lastindex or 1) - 1]
        tokens.append((kind, match.group(match.lastindex or 1)))
        at = match.end()
    parser = _Parser(tokens, scope)
    try:
        value = parser.either()
    except (_Unreadable, IndexError):
        return UNKNOWN
    return value if parser.at_end else UNKNOWN


def _github(scope: Scope, names: list[str]) -> Value:
    """A push to a branch of any name but the well-known ones, or a pull request."""
    pushed = {
        "event_name": "push",
        "ref": "refs/heads/a-branch",
        "ref_name": "a-branch",
        "ref_type": "branch",
        "head_ref": "",
        "base_ref": "",
    }
    pulled: dict[str, Value] = {
        "event_name": "pull_request",
        "ref": "refs/pull/1/merge",
        "ref_name": "1/merge",
        "ref_type": "branch",
        "head_ref": "a-branch",
        "base_ref": UNKNOWN,
    }
    if names[:2] == ["event", "inputs"]:
        return ""
    if names == ["workspace"]:
        return WORKSPACE
    if scope.event is None:
        return UNKNOWN
    known: dict[str, Value] = {**pushed} if scope.event == "push" else pulled
    return known.get(names[0], UNKNOWN) if len(names) == 1 else UNKNOWN


def _matrix(scope: Scope, names: list[str]) -> Value:
    value: object = scope.matrix
    for name in names:
        if value is None:
            return UNKNOWN
        value = value.get(name, "") if isinstance(value, Mapping) else UNKNOWN
    return value if isinstance(value, str | Unknown) else UNKNOWN


def _inputs(scope: Scope, names: list[str]) -> Value:
    if scope.inputs is None or len(names) != 1:
        return UNKNOWN
    value = scope.inputs.get(names[0], "")
    return UNKNOWN if UNTOLD in value else value


def _env(scope: Scope, names: list[str]) -> Value:
    value = scope.env.get(names[0]) if len(names) == 1 else None
    return UNKNOWN if value is None or UNTOLD in value else value


def _runner(scope: Scope, names: list[str]) -> Value:
    return {"os": "Linux", "arch": "X64"}.get(names[0], UNKNOWN) if len(names) == 1 else UNKNOWN


def _strategy(scope: Scope, names: list[str]) -> Value:
    return {"job-index": "0", "job-total": "1"}.get(names[0], UNKNOWN)


CONTEXTS: dict[str, Callable[[Scope, list[str]], Value]] = {
    "github": _github,
    "matrix": _matrix,
    "inputs": _inputs,
    "env": _env,
    "runner": _runner,
    "strategy": _strategy,
}


class _Unreadable(Exception):  # noqa: N818  (never leaves this module)
    """No expression that this page reads."""


class _Parser:
    """Reads and evaluates at once: `||` over `&&` over comparisons over single values."""

    def __init__(self, tokens: list[tuple[str, str]], scope: Scope) -> None:
        self._tokens = tokens
        self._scope = scope
        self._position = 0

    @property
    def at_end(self) -> bool:
        """Return whether all was read."""
        return self._position == len(self._tokens)

    def _accept(self, *operators: str) -> str:
        if not self.at_end and self._tokens[self._position][0] == "operator":
            text = self._tokens[self._position][1]
            if text in operators:
                self._position += 1
                return text
        return ""

    def either(self) -> Value:
        """Return the value of `a || b`."""
        value = self._both()
        while self._accept("||"):
            other = self._both()
            if isinstance(value, Unknown):
                continue
            value = value if _truthy(value) else other
        return value

    def _both(self) -> Value:
        value = self._compared()
        while self._accept("&&"):
            other = self._compared()
            if isinstance(value, Unknown):
                value = value if isinstance(other, Unknown) or _truthy(other) else False
            else:
                value = other if _truthy(value) else value
        return value

    def _compared(self) -> Value:
        value = self._single()
        while operator := self._accept("==", "!=", "<", ">", "<=", ">="):
            other = self._single()
            if isinstance(value, Unknown) or isinstance(other, Unknown) or operator not in ("==", "!="):
                value = UNKNOWN
            else:
                value = (_compact(value) == _compact(other)) is (operator == "==")
        return value

    def _single(self) -> Value:
        if self._accept("!"):
            value = self._single()
            return value if isinstance(value, Unknown) else not _truthy(value)
        if self._accept("("):
            value = self.either()
            self._need(")")
            return value
        kind, text = self._tokens[self._position]
        self._position += 1
        if kind == "string":
            return text.replace("''", "'")
        if kind == "number":
            return text
        if kind != "name":
            raise _Unreadable
        if self._accept("("):
            return _called(text.lower(), self._arguments())
        names = [text, *self._fields()]
        constant: dict[str, Value] = {"true": True, "false": False, "null": None}
        return constant.get(text, UNKNOWN) if len(names) == 1 else self._scope.at(names)

    def _fields(self) -> list[str]:
        names = []
        while True:
            if self._accept("."):
                names.append("*" if self._accept("*") else self._name("name"))
            elif self._accept("["):
                names.append(self._name("string", "number"))
                self._need("]")
            else:
                return names

    def _name(self, *kinds: str) -> str:
        kind, text = self._tokens[self._position]
        self._position += 1
        if kind not in kinds:
            raise _Unreadable
        return text

    def _arguments(self) -> list[Value]:
        values: list[Value] = []
        if self._accept(")"):
            return values
        while True:
            values.append(self.either())
            if not self._accept(","):
                self._need(")")
                return values

    def _need(self, operator: str) -> None:
        if not self._accept(operator):
            raise _Unreadable


def _called(name: str, values: list[Value]) -> Value:
    if name in ("always", "success"):
        return True
    if name in ("failure", "cancelled"):
        return False
    if name == "format" and values and not any(isinstance(value, Unknown) for value in values):
        return _formatted([_written(value) for value in values])
    texts = [_written(value).lower() for value in values]
    if len(values) != 2 or any(isinstance(value, Unknown) for value in values):
        return UNKNOWN
    if name == "contains":
        return texts[1] in texts[0]
    if name == "startswith":
        return texts[0].startswith(texts[1])
    return texts[0].endswith(texts[1]) if name == "endswith" else UNKNOWN


def _formatted(values: list[str]) -> str:
    return re.sub(r"\{([0-9])\}", lambda match: (values + [""] * 10)[1 + int(match.group(1))], values[0])


def _written(value: Value) -> str:
    if isinstance(value, Unknown):
        return UNTOLD
    if isinstance(value, bool):
        return "true" if value else "false"
    return value or ""


def _compact(value: Value) -> str:
    return _written(value).lower()


def _truthy(value: Value) -> bool:
    return _written(value) not in ("", "false", "0")
