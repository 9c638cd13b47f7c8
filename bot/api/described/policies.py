"""The description of `/api/v1/policies`."""

from __future__ import annotations

from bot.api import policies
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
    listed,
    or_null,
    problems,
    reads,
)
from draftsman.domain.labels import MOST_LABELS
from draftsman.domain.policy import FIELDS, MOST_TRUSTED, SWITCHES, ApprovalPolicy

_NAME = "[A-Za-z0-9][A-Za-z0-9_-]{0,99}"

_VALUES: dict[str, Schema] = {
    "approval": {
        "type": "string",
        "enum": list(ApprovalPolicy),
        "description": "Which pull requests from forks wait for approval; `never`: none of them runs.",
    },
    "trusted": {
        "type": "array",
        "maxItems": MOST_TRUSTED,
        "items": {
            "type": "string",
            "pattern": rf"^{_NAME}(\[bot\]|/{_NAME})?$",
            "not": {"pattern": "^[Gg][Hh][Oo][Ss][Tt]$"},
        },
        "description": "Whose pull requests from forks need no approval: logins, `name[bot]` and `org/team`.",
    },
    **{name: {"type": "boolean"} for name in SWITCHES},
    "runs_on": {
        "type": "array",
        "maxItems": MOST_LABELS,
        "items": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"},
        "description": "The labels that a worker must offer to take the repository's runs; empty: any worker does.",
    },
}


def paths() -> Schema:
    """Return the addresses."""
    return {
        f"{policies.ROOT}/{{owner}}/{{repo}}": {
            "parameters": [in_path("owner"), in_path("repo")],
            "get": reads(
                "getPolicy",
                "Read the policy that is in force for a repository, whether it is known here or not",
                "Policy",
                what="policy",
                says="The policy.",
            ),
            "patch": _patch(),
            "delete": _delete(),
        }
    }


def schemas() -> Schema:
    """Return the schemas that the addresses refer to."""
    return {
        "Policy": closed(
            {
                "repo": {"type": "string", "description": "OWNER/NAME in lower case."},
                **_VALUES,
                "explicit_fields": {
                    **listed({"enum": list(FIELDS)}),
                    "description": "The fields that are set for this repository; all others are the instance's.",
                },
                "updated_at": or_null(TIME),
                "links": closed({"self": TEXT}),
            }
        ),
        "PolicyFields": fields(
            {name: or_null(schema) for name, schema in _VALUES.items()},
            "What is set; null gives a field back to the instance.",
        ),
    }


def _patch() -> Schema:
    return {
        "operationId": "patchPolicy",
        "summary": "Set single fields (JSON merge patch); null gives one back to the instance",
        "parameters": [in_header("If-Match", "The ETag of the policy that is changed.")],
        "requestBody": body("PolicyFields", MERGE_PATCH, JSON),
        "responses": {"200": answers("Policy", "As it is now.", "ETag"), **problems(404, 412, *WITH_BODY)},
    }


def _delete() -> Schema:
    return {
        "operationId": "deletePolicy",
        "summary": "Let the instance's policy count again",
        "parameters": [in_header("If-Match", "The ETag of the policy that is deleted.")],
        "responses": {"204": {"description": "Nothing is set any more."}, **problems(404, 412)},
    }
