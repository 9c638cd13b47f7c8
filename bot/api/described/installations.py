"""The description of `/api/v1/installations`."""

from __future__ import annotations

from bot.api import installations
from bot.api.described.schema import (
    COUNT,
    JSON,
    SWITCH,
    TEXT,
    TIME,
    WITH_BODY,
    Schema,
    answers,
    body,
    closed,
    in_path,
    is_known,
    listed,
    or_null,
    problems,
    ref,
)


def paths() -> Schema:
    """Return the addresses."""
    header, known = is_known("list")
    return {
        installations.ROOT: {
            "get": {
                "operationId": "listInstallations",
                "summary": "List where the App is installed, the oldest first",
                "parameters": [header],
                "responses": {"200": answers("InstallationList", "All of them.", "ETag"), **known, **problems()},
            }
        },
        f"{installations.ROOT}/{{id}}/state": {
            "parameters": [in_path("id", {"type": "integer", "minimum": 1})],
            "put": {
                "operationId": "decideInstallation",
                "summary": "Serve an installation, or do not any more, which ends what is not finished",
                "requestBody": body("InstallationDecision", JSON),
                "responses": {
                    "200": answers("Installation", "As it is now; deciding the same twice changes nothing."),
                    **problems(404, 409, *WITH_BODY),
                },
            },
        },
    }


def schemas() -> Schema:
    """Return the schemas that the addresses refer to."""
    return {
        "Installation": closed(
            {
                "id": COUNT,
                "account": TEXT,
                "account_id": COUNT,
                "state": {"enum": ["pending", *installations.DECISIONS]},
                "is_suspended": SWITCH,
                "is_removed": SWITCH,
                "decided_by": or_null(TEXT),
                "created_at": TIME,
                "decided_at": or_null(TIME),
                "links": closed({"state": TEXT}),
            }
        ),
        "InstallationList": closed({"items": listed(ref("Installation")), "links": closed({"self": TEXT})}),
        "InstallationDecision": closed({"state": {"type": "string", "enum": list(installations.DECISIONS)}}),
    }
