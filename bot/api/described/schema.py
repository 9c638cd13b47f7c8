"""What the parts of the description are made of."""

from __future__ import annotations

from typing import Any

from bot.api.body import LONGEST_REASON

Schema = dict[str, Any]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
TEXT_PLAIN = "text/plain"

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer"}
SWITCH: Schema = {"type": "boolean"}
REASON: Schema = {"type": "string", "maxLength": LONGEST_REASON}

_MEANINGS = {
    400: "The request is malformed.",
    401: "The token is missing or wrong.",
    403: "The API is off: DRAFTSMAN_ADMIN_TOKEN is not set.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    409: "It cannot be done as things stand; the detail says why, and what would help.",
    412: "It is not the version that the client read.",
    413: "The body is too large.",
    415: "The body is of another kind.",
    422: "Fields are wrong; `errors` names each.",
    428: "If-Match is missing.",
    503: "The database is away, or this is changed all the time.",
}

ALWAYS = (400, 401, 403, 503)
"""What every operation may answer."""

WITH_BODY = (408, 413, 415, 422)
"""What an operation that reads a body may answer, too."""


def closed(properties: dict[str, Schema]) -> Schema:
    """Return the schema of an object that has all these members and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def fields(properties: dict[str, Schema], description: str) -> Schema:
    """Return the schema of an object that may have these members."""
    return {"type": "object", "properties": properties, "additionalProperties": False, "description": description}


def listed(items: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    """Return the schema with null beside its own type."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    changed = {**schema, "type": [schema["type"], "null"]}
    return {**changed, "enum": [*schema["enum"], None]} if "enum" in schema else changed


def ref(name: str) -> Schema:
    """Return a reference to one of the description's own schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def page(name: str) -> Schema:
    """Return the schema of one page of a list."""
    return closed({"items": listed(ref(name)), "links": closed({"self": TEXT, "next": or_null(TEXT)})})


def answers(name: str, description: str, *headers: str) -> Schema:
    """Return the response that holds one of the description's schemas."""
    return {
        "description": description,
        "headers": {header: {"schema": TEXT} for header in headers},
        "content": {JSON: {"schema": ref(name)}},
    }


def problems(*statuses: int) -> dict[str, Schema]:
    """Return the responses that are problem documents: these, and those of every operation."""
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {
        str(status): {"description": _MEANINGS[status], "content": content} for status in sorted({*statuses, *ALWAYS})
    }


def body(name: str, *media_types: str, required: bool = True) -> Schema:
    """Return a request's body."""
    return {"required": required, "content": {kind: {"schema": ref(name)} for kind in media_types}}


def in_path(name: str, schema: Schema = TEXT) -> Schema:
    """Return a part of the address."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def in_query(name: str, description: str, schema: Schema) -> Schema:
    """Return a parameter behind the `?`, which may be left out."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def in_header(name: str, description: str) -> Schema:
    """Return a header that may be left out."""
    return {"name": name, "in": "header", "description": description, "schema": TEXT}


def limit(usual: int, largest: int) -> Schema:
    """Return the parameter that says how many items a page has."""
    schema = {"type": "integer", "minimum": 1, "maximum": largest, "default": usual}
    return in_query("limit", "Items of one page.", schema)


def is_known(what: str) -> tuple[Schema, dict[str, Schema]]:
    """Return the header and the answer of a client that may have this version already."""
    header = in_header("If-None-Match", f"An ETag: 304 where the {what} still is that version.")
    return header, {"304": {"description": "It is the version that the client has."}}


def reads(operation: str, summary: str, name: str, *, what: str = "answer", says: str = "As it is now.") -> Schema:
    """Return the reading of one thing, of which a client may have the version already."""
    header, known = is_known(what)
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": [header],
        "responses": {"200": answers(name, says, "ETag"), **known, **problems(404)},
    }


PROBLEM: Schema = {
    **closed(
        {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
            "errors": listed(closed({"field": {"type": "string", "description": "As in `fast[0]`."}, "detail": TEXT})),
        }
    ),
    "required": ["type", "title", "status", "detail"],
}
