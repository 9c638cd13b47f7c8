"""The description of `/api/v1/profiles`."""

from __future__ import annotations

from bot.api import profiles
from bot.api.described.schema import (
    JSON,
    MERGE_PATCH,
    TEXT,
    TIME,
    WITH_BODY,
    Schema,
    answers,
    body,
    closed,
    fields,
    in_header,
    in_path,
    in_query,
    limit,
    or_null,
    page,
    problems,
    reads,
)
from draftsman.domain import profile_rules as rules
from draftsman.domain.profile import FIELDS

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


def paths() -> Schema:
    """Return the addresses."""
    return {
        profiles.ROOT: {"get": _listing()},
        f"{profiles.ROOT}/{{owner}}/{{repo}}": {
            "parameters": [in_path("owner"), in_path("repo")],
            "get": reads("getProfile", "Read a profile", "Profile", what="profile", says="The profile."),
            "put": _put(),
            "patch": _patch(),
            "delete": _delete(),
        },
    }


def schemas() -> Schema:
    """Return the schemas that the addresses refer to."""
    return {
        "Profile": _profile(),
        "ProfileFields": fields(
            {name: or_null(schema) for name, schema in _VALUES.items()}, "What a person sets; null means inferred."
        ),
        "ProfilePage": page("Profile"),
    }


def _listing() -> Schema:
    return {
        "operationId": "listProfiles",
        "summary": "List profiles",
        "parameters": [
            limit(profiles.USUAL_PAGE, profiles.LARGEST_PAGE),
            in_query("after", "OWNER/NAME behind which the page begins.", TEXT),
        ],
        "responses": {"200": answers("ProfilePage", "One page, in order of name.", "Link"), **problems()},
    }


def _put() -> Schema:
    return {
        "operationId": "putProfile",
        "summary": "Make a profile, or set exactly these fields; null and absent ones are inferred",
        "parameters": [
            in_header("If-Match", "The ETag of the profile that is replaced; required where there is one."),
            in_header("If-None-Match", "`*`: only where there is none yet."),
        ],
        "requestBody": body("ProfileFields", JSON),
        "responses": {
            "200": answers("Profile", "Replaced.", "ETag"),
            "201": answers("Profile", "Made.", "ETag", "Location"),
            **problems(404, 412, 428, *WITH_BODY),
        },
    }


def _patch() -> Schema:
    return {
        "operationId": "patchProfile",
        "summary": "Set single fields (JSON merge patch); null gives one back to inference",
        "parameters": [in_header("If-Match", "The ETag of the profile that is changed.")],
        "requestBody": body("ProfileFields", MERGE_PATCH, JSON),
        "responses": {"200": answers("Profile", "Changed.", "ETag"), **problems(404, 412, *WITH_BODY)},
    }


def _delete() -> Schema:
    return {
        "operationId": "deleteProfile",
        "summary": "Delete a profile: the next run infers it anew",
        "parameters": [in_header("If-Match", "The ETag of the profile that is deleted.")],
        "responses": {"204": {"description": "Deleted."}, **problems(404, 412)},
    }


def _profile() -> Schema:
    shown = {name: or_null(schema) if name in _NULLABLE else schema for name, schema in _VALUES.items()}
    inferred = {name: or_null({"type": schema["type"]}) for name, schema in _VALUES.items()}
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
        "created_at": TIME,
        "updated_at": TIME,
        "links": closed({"self": TEXT}),
    }
    # What was inferred is shown as it is: the limits are those of what a person sends.
    for name in ("setup", "fast", "full", "dependency_manager", "generated_dockerfile"):
        properties[name] = {
            "type": properties[name]["type"],
            "description": properties[name]["description"],
            **({"items": TEXT} if name in ("fast", "full") else {}),
        }
    return closed(properties)
