"""The OpenAPI description of the API, made of the same limits that requests are held to."""

from __future__ import annotations

from typing import Any

from bot.api import profiles
from draftsman import __version__
from draftsman.domain import profile_rules as rules
from draftsman.domain.profile import FIELDS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_COMMANDS: Schema = {
    "type": "array",
    "maxItems": rules.MAX_COMMANDS,
    "items": {"type": "string", "minLength": 1, "maxLength": rules.MAX_COMMAND},
}

_GLOBS: Schema = {
    "type": "array",
    "maxItems": rules.MAX_GLOBS,
    "items": {"type": "string", "minLength": 1, "maxLength": rules.MAX_GLOB},
}

_VALUES: dict[str, Schema] = {
    "dockerfile_mode": {
        "type": "string",
        "enum": list(rules.MODES),
        "description": "auto: the repository's own Dockerfile where it is fit for checks, else a generated one; path: "
        "the one at `dockerfile`; generate: always a generated one. auto is the same as not set.",
    },
    "dockerfile": {
        "type": "string",
        "maxLength": rules.MAX_PATH,
        "description": "The path of a Dockerfile in the repository.",
    },
    "dockerfile_target": {
        "type": "string",
        "pattern": f"^{rules.TARGET.pattern}$",
        "description": "The stage of the repository's Dockerfile that is built; by default the last one.",
    },
    "build_args": {
        "type": "object",
        "maxProperties": rules.MAX_BUILD_ARGS,
        "propertyNames": {"pattern": f"^{rules.NAME.pattern}$"},
        "additionalProperties": {"type": "string", "maxLength": rules.MAX_BUILD_ARG},
        "description": "Build arguments of the repository's Dockerfile. They are no place for secrets.",
    },
    "dependency_manager": {"type": "string", "enum": list(rules.DEPENDENCY_MANAGERS)},
    "setup": {
        "type": "string",
        "maxLength": rules.MAX_COMMAND,
        "description": "The command that installs what the checks need; empty: none.",
    },
    "fast": {**_COMMANDS, "description": "Linters and type checkers, in order; empty: none."},
    "full": {**_COMMANDS, "description": "Tests, in order; empty: none."},
    "allow_failure": {**_COMMANDS, "description": "Commands of the tiers that may fail without turning them red."},
    "artifacts": {
        **_GLOBS,
        "description": "Files of the workspace to keep: paths, in which * stands for any name and ** for any folders.",
    },
    "limits": {
        "type": "object",
        "propertyNames": {"enum": list(rules.LIMITS)},
        "additionalProperties": {"type": ["number", "string"]},
        "description": "What differs from the instance's limits, never beyond what its administrator allows.",
    },
    "paths": {
        **_GLOBS,
        "description": "Files whose change an event is checked for, with * and ** as above; none: all. A run of a "
        "change that touches none of them is skipped.",
    },
    "paths_ignore": {**_GLOBS, "description": "Files whose change an event is not checked for, in the same way."},
    "submodules": {
        "type": "boolean",
        "description": "Whether the files of submodules are fetched into the checkout; not by default.",
    },
    "lfs": {
        "type": "boolean",
        "description": "Whether the files of Git LFS are fetched into the checkout; not by default.",
    },
    "generated_dockerfile": {
        "type": "string",
        "maxLength": rules.MAX_DOCKERFILE,
        "description": "The text of the generated Dockerfile. Once set it is kept as it is.",
    },
}

_NULLABLE = ("dockerfile", "dockerfile_target", "generated_dockerfile")
"""Fields that can have no value at all."""


def describe() -> Schema:
    """Return the OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Draftsman",
            "version": __version__,
            "description": "Every error is a problem document (RFC 9457); `errors` names the fields that are wrong.",
        },
        "security": [{"token": []}],
        "paths": {
            profiles.ROOT: {"get": _listing()},
            f"{profiles.ROOT}/{{owner}}/{{repo}}": {
                "parameters": [_path("owner"), _path("repo")],
                "get": _read(),
                "put": _put(),
                "patch": _patch(),
                "delete": _delete(),
            },
        },
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The value of DRAFTSMAN_ADMIN_TOKEN. Without that setting the API answers 403.",
                }
            },
            "schemas": {
                "Profile": _profile(),
                "ProfileFields": _writable(),
                "ProfilePage": _page(),
                "Problem": _problem(),
            },
        },
    }


def _listing() -> Schema:
    parameters = [
        {
            "name": "limit",
            "in": "query",
            "schema": {
                "type": "integer",
                "minimum": 1,
                "maximum": profiles.LARGEST_PAGE,
                "default": profiles.USUAL_PAGE,
            },
        },
        {"name": "after", "in": "query", "description": "OWNER/NAME behind which the page begins.", "schema": _TEXT},
    ]
    responses = {"200": _json("ProfilePage", "One page, in order of name.", "Link"), **_problems(400, 401, 403)}
    return {
        "operationId": "listProfiles",
        "summary": "List profiles",
        "parameters": parameters,
        "responses": responses,
    }


def _read() -> Schema:
    return {
        "operationId": "getProfile",
        "summary": "Read a profile",
        "parameters": [_header("If-None-Match", "An ETag: 304 where the profile still is that version.")],
        "responses": {
            "200": _json("Profile", "The profile.", "ETag"),
            "304": {"description": "It is the version that the client has."},
            **_problems(400, 401, 403, 404),
        },
    }


def _put() -> Schema:
    return {
        "operationId": "putProfile",
        "summary": "Make a profile, or set exactly these fields; null and absent ones are inferred",
        "parameters": [
            _header("If-Match", "The ETag of the profile that is replaced; required where there is one."),
            _header("If-None-Match", "`*`: only where there is none yet."),
        ],
        "requestBody": _body(profiles.JSON),
        "responses": {
            "200": _json("Profile", "Replaced.", "ETag"),
            "201": _json("Profile", "Made.", "ETag", "Location"),
            **_problems(400, 401, 403, 404, 408, 412, 413, 415, 422, 428),
        },
    }


def _patch() -> Schema:
    return {
        "operationId": "patchProfile",
        "summary": "Set single fields (JSON merge patch); null gives one back to inference",
        "parameters": [_header("If-Match", "The ETag of the profile that is changed.")],
        "requestBody": _body(profiles.MERGE_PATCH, profiles.JSON),
        "responses": {
            "200": _json("Profile", "Changed.", "ETag"),
            **_problems(400, 401, 403, 404, 408, 412, 413, 415, 422, 503),
        },
    }


def _delete() -> Schema:
    return {
        "operationId": "deleteProfile",
        "summary": "Delete a profile: the next run infers it anew",
        "parameters": [_header("If-Match", "The ETag of the profile that is deleted.")],
        "responses": {"204": {"description": "Deleted."}, **_problems(400, 401, 403, 404, 412, 503)},
    }


def _profile() -> Schema:
    shown = {name: _or_null(schema) if name in _NULLABLE else schema for name, schema in _VALUES.items()}
    inferred = {name: _or_null({"type": schema["type"]}) for name, schema in _VALUES.items()}
    time = {"type": "string", "format": "date-time"}
    properties = {
        "repo": {"type": "string", "description": "OWNER/NAME in lower case."},
        **{name: {**schema, "description": schema.get("description", "")} for name, schema in shown.items()},
        "explicit_fields": {
            "type": "array",
            "items": {"enum": list(FIELDS)},
            "description": "The fields that a person set; all others were inferred.",
        },
        "inferred": {
            "type": ["object", "null"],
            "properties": inferred,
            "additionalProperties": False,
            "description": "What the newest run of the default branch inferred; null before there was one.",
        },
        "edit_outdated": {
            "type": "boolean",
            "description": "Whether another Dockerfile is generated now than the one that a person edited.",
        },
        "created_at": time,
        "updated_at": time,
        "links": _object({"self": _TEXT}),
    }
    # What was inferred is shown as it is: the limits are those of what a person sends.
    for name in ("setup", "fast", "full", "dependency_manager", "generated_dockerfile"):
        properties[name] = {
            "type": properties[name]["type"],
            "description": properties[name]["description"],
            **({"items": _TEXT} if name in ("fast", "full") else {}),
        }
    return _object(properties)


def _writable() -> Schema:
    properties = {name: _or_null(schema) for name, schema in _VALUES.items()}
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "description": "What a person sets; null means inferred.",
    }


def _page() -> Schema:
    links = _object({"self": _TEXT, "next": {"type": ["string", "null"]}})
    return _object({"items": {"type": "array", "items": _ref("Profile")}, "links": links})


def _problem() -> Schema:
    error = _object({"field": {"type": "string", "description": "As in `fast[0]`."}, "detail": _TEXT})
    properties = {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "errors": {"type": "array", "items": error},
    }
    return {**_object(properties), "required": ["type", "title", "status", "detail"]}


def _or_null(schema: Schema) -> Schema:
    changed = {**schema, "type": [schema["type"], "null"]}
    return {**changed, "enum": [*schema["enum"], None]} if "enum" in schema else changed


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(name: str, description: str, *headers: str) -> Schema:
    return {
        "description": description,
        "headers": {header: {"schema": _TEXT} for header in headers},
        "content": {profiles.JSON: {"schema": _ref(name)}},
    }


def _problems(*statuses: int) -> dict[str, Schema]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    meanings = {
        400: "The request is malformed.",
        401: "The token is missing or wrong.",
        403: "The API is off: DRAFTSMAN_ADMIN_TOKEN is not set.",
        404: "There is no such profile.",
        408: "The body did not arrive in time.",
        412: "The profile is not the one that the client read.",
        413: "The body is too large.",
        415: "The body is of another kind.",
        422: "Fields are wrong; `errors` names each.",
        428: "If-Match is missing.",
        503: "The database is away, or the profile is changed all the time.",
    }
    return {str(status): {"description": meanings[status], "content": content} for status in statuses}


def _body(*media_types: str) -> Schema:
    return {"required": True, "content": {kind: {"schema": _ref("ProfileFields")} for kind in media_types}}


def _path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _header(name: str, description: str) -> Schema:
    return {"name": name, "in": "header", "description": description, "schema": _TEXT}
