"""Requests made of the API's own description: some as it wants them, some as nobody would send them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.bot.api import TOKEN

Known = Mapping[tuple[str, str], Sequence[str]]
"""Values that lead somewhere, by where they stand (path, query, body) and their name."""

_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
_ODD_TEXT = st.sampled_from(
    [
        "",
        "\x00",
        "a\x00b",
        "\ud800",
        "'",
        '"',
        "..",
        "../x",
        "%00",
        "null",
        "-1",
        "0",
        "9" * 400,
        "1e400",
        "é" * 300,
        "\r\n",
    ]
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**400]),
    st.floats(),
    _ANY_TEXT,
    _ODD_TEXT,
)
ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
"""Any JSON, and what Python takes for JSON."""


def mostly(usual: SearchStrategy[Any], odd: SearchStrategy[Any], *, one_in: int) -> SearchStrategy[Any]:
    """What is usual, and once in so many times what is odd: a request that is odd all over gets past no check."""
    return st.sampled_from(range(one_in)).flatmap(lambda number: odd if number == one_in - 1 else usual)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request: percent-encoded path with its query, headers as they go over the wire, and the body's bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the description."""

    method: str
    path: str
    described: Mapping[str, Any] = field(repr=False)
    schemas: Mapping[str, Any] = field(repr=False)
    known: Known = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.described["operationId"])

    def parameters(self, place: str) -> list[Mapping[str, Any]]:
        return [one for one in self.described["parameters"] if one["in"] == place]

    @property
    def media_types(self) -> list[str]:
        return list(self.described.get("requestBody", {}).get("content", {}))

    def requests(self) -> SearchStrategy[Wanted]:
        """What may be sent to it."""
        return st.builds(self._wanted, self._path(), self._query(), self._headers(), self._body())

    def _wanted(self, path: str, query: str, headers: Mapping[str, str], body: bytes | None) -> Wanted:
        return Wanted(self.method, path + (f"?{query}" if query else ""), headers, body)

    def _path(self) -> SearchStrategy[str]:
        names = [one["name"] for one in self.parameters("path")]
        parts = st.fixed_dictionaries({one["name"]: self._part("path", one) for one in self.parameters("path")})

        def filled(values: Mapping[str, str]) -> str:
            path = self.path
            for name in names:
                path = path.replace(f"{{{name}}}", _quoted(values[name]))
            return path

        return parts.map(filled)

    def _part(self, place: str, parameter: Mapping[str, Any]) -> SearchStrategy[str]:
        fitting = self.fitting(parameter["schema"]).map(_as_text)
        known = self.known.get((place, parameter["name"]), ())
        usual = st.sampled_from(known) if known else fitting
        return mostly(usual, st.one_of(fitting, _ANY_TEXT, _ODD_TEXT), one_in=6)

    def _query(self) -> SearchStrategy[str]:
        optional = {one["name"]: self._part("query", one) for one in self.parameters("query")}
        known = st.fixed_dictionaries({}, optional=optional)
        unknown = mostly(st.just({}), st.dictionaries(_ANY_TEXT, _ANY_TEXT, max_size=1), one_in=5)
        pairs = st.tuples(known, unknown).map(lambda both: [*both[0].items(), *both[1].items()])
        return pairs.map(lambda pairs: "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs))

    def _headers(self) -> SearchStrategy[Mapping[str, str]]:
        line = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
        tags = st.one_of(st.just("*"), st.just('"0123456789ab-1"'), line)
        right = f"Bearer {TOKEN}"
        always = {"Authorization": mostly(st.just(right), line.map(lambda text: f"Bearer {text}"), one_in=30)}
        optional: dict[str, SearchStrategy[str]] = {one["name"]: tags for one in self.parameters("header")}
        if self.media_types:
            always["Content-Type"] = mostly(st.sampled_from(self.media_types), line, one_in=15)
        if self.method == "PUT" and "If-Match" in optional:
            always["If-Match"] = mostly(st.just("*"), optional.pop("If-Match"), one_in=6)
        return mostly(st.fixed_dictionaries(always), st.fixed_dictionaries(always, optional=optional), one_in=3)

    def _body(self) -> SearchStrategy[bytes | None]:
        if not self.media_types:
            return st.none()
        schema = self.described["requestBody"]["content"][self.media_types[0]]["schema"]
        fitting = self.fitting(schema)
        bent = st.tuples(fitting, st.dictionaries(_ANY_TEXT, ANYTHING, max_size=1), st.lists(ANYTHING, max_size=1)).map(
            _bent
        )
        odd = st.one_of(
            st.none(),
            bent.map(_dumped),
            ANYTHING.map(_dumped),
            st.binary(max_size=60),
            st.integers(1, 50_000).map(lambda depth: b'{"x": ' + b"[" * depth + b"]" * depth + b"}"),
        )
        return mostly(fitting.map(_dumped), odd, one_in=2)

    def fitting(self, schema: Mapping[str, Any], name: str = "") -> SearchStrategy[Any]:
        """Values that the schema allows, as far as the API's own schemas say what those are."""
        if "$ref" in schema:
            return self.fitting(self.schemas[schema["$ref"].rpartition("/")[2]])
        known = self.known.get(("body", name))
        if known:
            return st.sampled_from(known)
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return st.one_of(*(self._typed(one, schema) for one in types))

    def _typed(self, kind: str, schema: Mapping[str, Any]) -> SearchStrategy[Any]:
        match kind:
            case "null":
                return st.none()
            case "boolean":
                return st.booleans()
            case "integer":
                return st.integers(schema.get("minimum", -5), schema.get("maximum", 2**70))
            case "number":
                return st.floats(allow_nan=False, allow_infinity=False)
            case "array":
                most = min(schema.get("maxItems", 4), 4)
                return st.lists(self.fitting(schema["items"]), min_size=schema.get("minItems", 0), max_size=most)
            case "object":
                return self._object(schema)
            case _:
                return self._text(schema)

    def _object(self, schema: Mapping[str, Any]) -> SearchStrategy[Any]:
        if not schema.get("properties"):
            if not schema.get("additionalProperties"):
                return st.just({})
            names = self.fitting({"type": "string", **schema["propertyNames"]})
            return st.dictionaries(names, self.fitting(schema["additionalProperties"]), max_size=3)
        members = {name: self.fitting(one, name) for name, one in schema["properties"].items()}
        needed = {name: one for name, one in members.items() if name in schema.get("required", ())}
        return st.fixed_dictionaries(needed, optional={name: members[name] for name in members if name not in needed})

    def _text(self, schema: Mapping[str, Any]) -> SearchStrategy[str]:
        if schema.get("format") == "uuid":
            return st.uuids().map(str)
        if "pattern" in schema:
            return st.from_regex(schema["pattern"].rstrip("$") + r"\Z", alphabet=st.characters(codec="ascii"))
        printable = st.characters(exclude_categories=("Cs", "Cc"))
        return st.text(printable, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 30), 30))


def operations(description: Mapping[str, Any], known: Known) -> list[Operation]:
    """Every operation that the API describes."""
    schemas = description["components"]["schemas"]
    return [
        Operation(
            method.upper(),
            path,
            {**operation, "parameters": [*item.get("parameters", ()), *operation.get("parameters", ())]},
            schemas,
            known,
        )
        for path, item in description["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def _bent(parts: tuple[Any, dict[str, Any], list[Any]]) -> Any:
    """What fits, with a member that does not belong there, and with another value at one of its own."""
    fitting, added, replaced = parts
    if not isinstance(fitting, dict):
        return fitting
    names = list(fitting)[:1]
    return {**fitting, **added, **dict(zip(names, replaced, strict=False))}


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
