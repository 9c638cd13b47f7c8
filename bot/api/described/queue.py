"""The description of `/api/v1/queue`."""

from __future__ import annotations

from bot.api import queue
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
    fields,
    in_path,
    limit,
    listed,
    or_null,
    problems,
    ref,
)
from draftsman.domain.run import ACTIVE_STATES, RunState
from draftsman.domain.waiting import LONGEST_REASON, Cause
from draftsman.domain.worker import STATES

_PAUSE = f"{queue.ROOT}/pause"

WAIT: Schema = closed(
    {
        "cause": {"enum": list(Cause)},
        "since": {**TIME, "description": "From when on it waits for this."},
        "says": {"type": "string", "description": "A phrase for people."},
        "until": or_null({**TIME, "description": "When it ends by itself, where that is known."}),
        "held_by": {**listed(TEXT), "description": "The runs whose end it waits for."},
    }
)


def paths() -> Schema:
    """Return the addresses."""
    repository = [in_path("owner"), in_path("repo")]
    return {
        queue.ROOT: {
            "get": {
                "operationId": "getQueue",
                "summary": "Read what runs, what waits and why, the workers, and what is paused",
                "parameters": [limit(queue.USUAL_PAGE, queue.LARGEST_PAGE)],
                "responses": {"200": answers("Queue", "As it is now."), **problems()},
            }
        },
        _PAUSE: {"put": _pause("pauseQueue", "Have no run start"), "delete": _resume("resumeQueue", "End that pause")},
        f"{_PAUSE}/{{owner}}/{{repo}}": {
            "parameters": repository,
            "put": _pause("pauseRepository", "Have no run of a repository start", 404),
            "delete": _resume("resumeRepository", "End the pause of a repository"),
        },
        f"{queue.ROOT}/workers/{{worker}}/drain": {
            "parameters": [in_path("worker")],
            "put": {
                "operationId": "drainWorker",
                "summary": "Have a worker take nothing new; it is idle once its state is `drained`",
                "requestBody": body("Reason", JSON, required=False),
                "responses": {"200": answers("Worker", "As it is now."), **problems(404, *WITH_BODY)},
            },
            "delete": {
                "operationId": "undrainWorker",
                "summary": "Have a worker take runs again",
                "responses": {"200": answers("Worker", "As it is now."), **problems(404)},
            },
        },
    }


def schemas() -> Schema:
    """Return the schemas that the addresses refer to."""
    attempt = {"run_id": TEXT, "attempt_id": TEXT, "attempt": COUNT, "repo": TEXT, "sha": TEXT}
    running = {**attempt, "state": {"enum": list(ACTIVE_STATES)}, "worker": or_null(TEXT), "since": or_null(TIME)}
    place = {**or_null(COUNT), "description": "Its place in the line, from 1; null where others pass it by."}
    waits = {"state": {"enum": [RunState.WAITING, RunState.QUEUED]}, "place": place, "queued_at": TIME, "wait": WAIT}
    return {
        "Pause": closed(
            {
                "repo": {**or_null(TEXT), "description": "OWNER/NAME, null for all."},
                "since": TIME,
                "by": TEXT,
                "reason": TEXT,
            }
        ),
        "Worker": closed(
            {
                "name": TEXT,
                "host": TEXT,
                "version": TEXT,
                "engine": or_null(TEXT),
                "labels": {**listed(TEXT), "description": "What it offers: see the policy's `runs_on`."},
                "engine_away_since": or_null(TIME),
                "disk_short_since": or_null(TIME),
                "state": {"enum": list(STATES)},
                "slots": COUNT,
                "busy": {**COUNT, "description": "Slots that are in use."},
                "started_at": TIME,
                "seen_at": {**TIME, "description": "When it was heard of last."},
                "drain": or_null(closed({"since": TIME, "by": TEXT, "reason": TEXT})),
            }
        ),
        "Queue": closed(
            {
                "at": TIME,
                "pauses": listed(ref("Pause")),
                "workers": listed(ref("Worker")),
                "running": listed(closed(running)),
                "queued": {**COUNT, "description": "How many are queued in all."},
                "approvals": {**COUNT, "description": "How many wait for approval in all."},
                "waiting": {
                    **listed(closed({**attempt, **waits})),
                    "description": "The first of the line, then those that are passed by, then those to be approved.",
                },
                "links": closed({"self": TEXT}),
            }
        ),
        "Reason": fields(
            {"reason": {"type": "string", "maxLength": LONGEST_REASON}}, "One line that check runs show, or none."
        ),
    }


def _pause(name: str, summary: str, *more: int) -> Schema:
    return {
        "operationId": name,
        "summary": f"{summary}; what is under way goes on",
        "requestBody": body("Reason", JSON, required=False),
        "responses": {
            "200": answers("Pause", "It was paused before, and for this reason."),
            "201": answers("Pause", "It is paused, or for another reason now."),
            **problems(*more, *WITH_BODY),
        },
    }


def _resume(name: str, summary: str) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"204": {"description": "Runs start again."}, **problems(404)},
    }
