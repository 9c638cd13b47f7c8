"""The description of `/api/v1/audit` and `/api/v1/deliveries`."""

from __future__ import annotations

from bot.api import trail
from bot.api.described.schema import (
    COUNT,
    JSON,
    TEXT,
    TIME,
    WITH_BODY,
    Schema,
    answers,
    body,
    closed,
    in_path,
    in_query,
    limit,
    listed,
    or_null,
    page,
    problems,
    reads,
    ref,
)

_DELIVERY = f"{trail.DELIVERIES_ROOT}/{{guid}}"

_KEPT: dict[str, Schema] = {
    "guid": TEXT,
    "event": TEXT,
    "action": or_null(TEXT),
    "repo": or_null(TEXT),
    "sender": {**or_null(TEXT), "description": "Whose deed the event is, as GitHub says."},
    "source": {
        "enum": ["sent", "listed", "compared"],
        "description": "Sent by GitHub, found in its list, or made of what the repository looks like.",
    },
    "decision": {"type": "string", "description": "What was decided, in one sentence."},
    "received_at": TIME,
    "size": {**COUNT, "description": "Bytes of the body that is kept."},
    "body_removed_at": {**or_null(TIME), "description": "When the body was removed; null: it is kept."},
    "body_removed_by": or_null(TEXT),
    "run_id": {**or_null(TEXT), "description": "The run that it led to; null: none."},
}


def paths() -> Schema:
    """Return the addresses."""
    return {
        trail.AUDIT_ROOT: {"get": _audit()},
        trail.DELIVERIES_ROOT: {"get": _deliveries()},
        _DELIVERY: {
            "parameters": [in_path("guid")],
            "get": reads("getDelivery", "Read what was decided about a delivery, and what it led to", "DeliveryStory"),
        },
        f"{_DELIVERY}/purge": {"parameters": [in_path("guid")], "post": _purge()},
    }


def schemas() -> Schema:
    """Return the schemas that the addresses refer to."""
    return {
        "AuditEvent": closed(
            {
                "id": COUNT,
                "at": TIME,
                "actor": {"type": "string", "description": "A person, `api`, `delivery`, `worker …`, `reporter`, …"},
                "action": TEXT,
                "run_id": or_null(TEXT),
                "attempt_id": or_null(TEXT),
                "attempt": {**or_null(COUNT), "description": "The attempt's number."},
                "delivery": {**or_null(TEXT), "description": "The GUID of the delivery that it came of."},
                "repo": or_null(TEXT),
                "detail": {"type": "object"},
                "text": {"type": "string", "description": "What was done, in words, without who did it."},
            }
        ),
        "AuditEventPage": page("AuditEvent"),
        "KeptDelivery": closed(_KEPT),
        "KeptDeliveryPage": page("KeptDelivery"),
        "DeliveryStory": closed(
            {
                **_KEPT,
                "tasks": listed(_task()),
                "history": {**listed(ref("AuditEvent")), "description": "Oldest first."},
            }
        ),
    }


def _task() -> Schema:
    return closed(
        {
            "kind": TEXT,
            "state": {"enum": ["open", "done", "given_up"]},
            "tries": COUNT,
            "error": {**or_null(TEXT), "description": "Why it waits for another try, or was given up."},
            "created_at": TIME,
            "ended_at": or_null(TIME),
        }
    )


def _audit() -> Schema:
    return {
        "operationId": "listAuditEvents",
        "summary": "Read who did what, when and why, newest first",
        "parameters": [
            in_query("since", "Only since then.", TEXT),
            in_query("repo", "Only those about OWNER/NAME.", TEXT),
            in_query("actor", "Only what this one did, or sent the event for.", TEXT),
            in_query("action", "Only this action (`run.approved`), or this family (`run`).", TEXT),
            limit(trail.USUAL_PAGE, trail.LARGEST_PAGE),
            in_query("before", "The id behind which the page begins.", {"type": "integer", "minimum": 1}),
        ],
        "responses": {"200": answers("AuditEventPage", "One page.", "Link"), **problems()},
    }


def _deliveries() -> Schema:
    return {
        "operationId": "listDeliveries",
        "summary": "List what GitHub told, newest first, each with what was decided",
        "parameters": [
            in_query("since", "Only since then.", TEXT),
            in_query("repo", "Only those about OWNER/NAME.", TEXT),
            in_query("event", "Only those of this event.", TEXT),
            limit(trail.USUAL_PAGE, trail.LARGEST_PAGE),
            in_query("after", "The GUID behind which the page begins.", TEXT),
        ],
        "responses": {"200": answers("KeptDeliveryPage", "One page.", "Link"), **problems()},
    }


def _purge() -> Schema:
    return {
        "operationId": "purgeDelivery",
        "summary": "Remove the body of a delivery for good; its GUID stays known, so that it is not fetched again",
        "requestBody": body("PurgeWish", JSON, required=False),
        "responses": {"200": answers("KeptDelivery", "As it is now."), **problems(404, *WITH_BODY)},
    }
