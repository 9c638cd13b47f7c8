"""GitHub's OpenAPI description as a judge: which operation a request means, and what is wrong with it.

Beyond the description, fields and query parameters that it does not name are refused wherever it names any:
GitHub ignores a misspelt field, which is how a typo reaches production.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import jsonschema_rs

CUT = Path(__file__).parent / "spec" / "api.github.com.json"
ROOT = "urn:github"
METHODS = ("get", "post", "patch", "put", "delete")
# Branch and ref names carry slashes; every other parameter is one segment of the path.
WITH_SLASHES = frozenset({"ref", "branch", "basehead"})


class WrongRequestError(Exception):
    """The request breaks the description; `problems` are sentences, one for each fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Operation:
    """One operation of the description."""

    id: str
    method: str
    template: str
    pattern: re.Pattern[str]
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None
    body_required: bool
    body_pointer: str


class Description:
    """The operations of a description, with their validators."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._registry = jsonschema_rs.Registry([(ROOT, document)], draft=jsonschema_rs.Draft4)
        self._validators: dict[str, jsonschema_rs.Draft4Validator] = {}
        operations = [
            self._operation(template, method, item[method])
            for template, item in document["paths"].items()
            for method in METHODS
            if method in item
        ]
        # The most literal template first: /commits/{ref}/check-runs before /commits/{ref}.
        self.operations = sorted(operations, key=lambda o: -len(re.sub(r"\{\w+\}", "", o.template)))

    def match(self, method: str, raw_path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation for a method and a path as it came over the wire, with its raw path parameters."""
        for operation in self.operations:
            if operation.method == method.lower() and (found := operation.pattern.fullmatch(raw_path)):
                return operation, {key: unquote(value) for key, value in found.groupdict().items()}
        return None

    def read_path(self, operation: Operation, raw: Mapping[str, str]) -> dict[str, Any]:
        """Path parameters with their types. Raises `WrongRequestError`."""
        return self._read_parameters(operation, raw, "path")

    def read_query(self, operation: Operation, raw: Mapping[str, str]) -> dict[str, Any]:
        """Query parameters with their types. Raises `WrongRequestError`, for unknown ones too."""
        known = {p["name"] for p in operation.parameters if p["in"] == "query"}
        if unknown := sorted(raw.keys() - known):
            names = ", ".join(sorted(known)) or "none"
            raise WrongRequestError([f"unknown query parameter {', '.join(unknown)} (known: {names})"])
        values = self._read_parameters(operation, raw, "query")
        for name, most in (("per_page", 100), ("page", None)):
            if name in values and not 1 <= values[name] <= (most or values[name]):
                raise WrongRequestError([f"{name} must be at least 1" + (f" and at most {most}" if most else "")])
        return values

    def read_body(self, operation: Operation, raw: bytes, content_type: str) -> Any:
        """The JSON request body, None if there is none. Raises `WrongRequestError`."""
        if not raw:
            if operation.body_required:
                raise WrongRequestError(["a JSON request body is required"])
            return None
        if operation.body is None:
            raise WrongRequestError(["this operation takes no request body"])
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise WrongRequestError([f"Content-Type must be application/json, not {content_type!r}"])
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise WrongRequestError([f"Problems parsing JSON: {error}"]) from None
        validator = self._validator(operation.body_pointer)
        problems = [describe(error) for error in validator.iter_errors(body)]
        problems += [f"{place}: unknown field" for place in self._unknown_fields(operation.body, body, "")]
        if problems:
            raise WrongRequestError(problems)
        return body

    def check_answer(self, operation: Operation, status: int, body: Any) -> list[str]:
        """What is wrong with an answer of this operation; an empty list is a right one."""
        item = self._document["paths"][operation.template][operation.method]
        response = item["responses"].get(str(status))
        if response is None:
            return [] if status >= 400 else [f"{operation.id} answers no {status}"]
        pointer = f"/paths/{escape(operation.template)}/{operation.method}/responses/{status}"
        if "$ref" in response:
            pointer = cast(str, response["$ref"]).removeprefix("#")
            response = self._resolve(response)
        content = response.get("content", {}).get("application/json")
        if content is None:
            return [] if body is None else [f"{operation.id} answers {status} with no body"]
        validator = self._validator(f"{pointer}/content/application~1json/schema")
        return [describe(error) for error in validator.iter_errors(body)]

    def _operation(self, template: str, method: str, item: Mapping[str, Any]) -> Operation:
        body = item.get("requestBody", {})
        schema = body.get("content", {}).get("application/json", {}).get("schema")
        pointer = f"/paths/{escape(template)}/{method}/requestBody/content/application~1json/schema"
        pattern = re.sub(r"\\\{(\w+)\\\}", group, re.escape(template))
        return Operation(
            id=item["operationId"],
            method=method,
            template=template,
            pattern=re.compile(pattern),
            parameters=tuple(self._resolve(p) for p in item.get("parameters", ())),
            body=schema,
            body_required=body.get("required", False),
            body_pointer=pointer,
        )

    def _read_parameters(self, operation: Operation, raw: Mapping[str, str], place: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        problems = []
        for parameter in operation.parameters:
            name = parameter["name"]
            if parameter["in"] != place:
                continue
            if name not in raw:
                if parameter.get("required"):
                    problems.append(f"{place} parameter {name} is missing")
                continue
            schema = dict(self._resolve(parameter["schema"]))
            values[name] = typed(raw[name], schema)
            errors = jsonschema_rs.Draft4Validator(schema, registry=self._registry).iter_errors(values[name])
            problems += [f"{place} parameter {name}: {error.message}" for error in errors]
        if problems:
            raise WrongRequestError(problems)
        return values

    def _validator(self, pointer: str) -> jsonschema_rs.Draft4Validator:
        if pointer not in self._validators:
            self._validators[pointer] = jsonschema_rs.Draft4Validator(
                {"$ref": f"{ROOT}#{pointer}"}, registry=self._registry, validate_formats=True
            )
        return self._validators[pointer]

    def _resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            found: Any = self._document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _parts(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The schema and every schema that it is composed of."""
        schema = self._resolve(schema)
        yield schema
        for key in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(key, ()):
                yield from self._parts(part)

    def _unknown_fields(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
        parts = list(self._parts(schema))
        if isinstance(value, list):
            for index, item in enumerate(value):
                for part in parts:
                    if "items" in part:
                        yield from self._unknown_fields(part["items"], item, f"{place}/{index}")
        if not isinstance(value, dict):
            return
        named: dict[str, Mapping[str, Any]] = {}
        for part in parts:
            # The outermost schema of a name is the fullest: an `anyOf` branch repeats it in part.
            named = {**part.get("properties", {}), **named}
        if not named or any(isinstance(part.get("additionalProperties"), dict) for part in parts):
            return
        for key, inner in value.items():
            if key in named:
                yield from self._unknown_fields(named[key], inner, f"{place}/{key}")
            else:
                yield f"{place}/{key}"


def load_description(path: Path = CUT) -> Description:
    """The description that is committed beside this module (`cut_spec.py` refreshes it)."""
    return Description(json.loads(path.read_text(encoding="utf-8")))


def typed(text: str, schema: Mapping[str, Any]) -> Any:
    """A parameter's text as the type its schema asks for, the text itself where it is no such thing."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def describe(error: jsonschema_rs.ValidationError) -> str:
    place = "".join(f"/{part}" for part in error.instance_path)
    message = error.message if len(error.message) < 300 else f"{error.message[:300]}..."
    return f"{place or 'the body'}: {message}"


def group(match: re.Match[str]) -> str:
    name = match.group(1)
    return f"(?P<{name}>.+)" if name in WITH_SLASHES else f"(?P<{name}>[^/]+)"


def escape(part: str) -> str:
    """One part of a JSON pointer inside a URI fragment."""
    return part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
