"""The description of `/api/v1/runs`."""

from __future__ import annotations

from bot.api import runs
from bot.api.described.queue import WAIT
from bot.api.described.schema import (
    COUNT,
    JSON,
    NUMBER,
    REASON,
    SWITCH,
    TEXT,
    TEXT_PLAIN,
    TIME,
    WITH_BODY,
    Schema,
    answers,
    body,
    closed,
    fields,
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
from draftsman.domain.finding import Level
from draftsman.domain.outcome import PHASES
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.retry import Cause
from draftsman.domain.run import Conclusion, RunState, Trust
from draftsman.store.reruns import Asked

_RUN = f"{runs.ROOT}/{{run}}"
_ATTEMPT = f"{_RUN}/attempts/{{number}}"

_TIERS: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": len(CHECKED_TIERS),
    "items": {"type": "string", "enum": list(CHECKED_TIERS)},
}

_SUMMARY: dict[str, Schema] = {
    "run_id": TEXT,
    "attempt_id": TEXT,
    "repo": TEXT,
    "sha": TEXT,
    "subject": {"type": "string", "description": "`head`, or `merge:` and the base's commit it is tested merged into."},
    "attempt": {"type": "integer", "description": "Its number: 1, and more with each re-run."},
    "trust": {"enum": list(Trust)},
    "tiers": listed({"enum": list(CHECKED_TIERS)}),
    "rebuild": SWITCH,
    "asked_by": {"type": ["string", "null"], "description": "The person who asked for it, null for an event."},
    "reason": {"type": ["string", "null"], "description": "Why Draftsman tries again by itself; null for any other."},
    "retry_of": {"type": ["integer", "null"], "description": "The number of the attempt that this one tries again."},
    "retried_as": {"type": ["integer", "null"], "description": "The number of the attempt that tries this one again."},
    "not_before": {**or_null(TIME), "description": "When it starts at the earliest; null: as soon as it can."},
    "state": {"enum": list(RunState)},
    "conclusion": {"enum": [*Conclusion, None]},
    "cause": {
        "enum": [*Cause, None],
        "description": "What ended it that its author can do nothing about; null where another try would not help.",
    },
    "title": or_null(TEXT),
    "created_at": TIME,
    "started_at": or_null(TIME),
    "finished_at": or_null(TIME),
}

_LINKS = closed({"self": TEXT, "run": TEXT, "log": TEXT})


def paths() -> Schema:
    """Return the addresses."""
    run = in_path("run", {"type": "string", "format": "uuid"})
    number = in_path("number", {"type": "integer", "minimum": 1})
    return {
        runs.ROOT: {"get": _listing()},
        _RUN: {"parameters": [run], "get": reads("getRun", "Read a run as its newest attempt", "Run")},
        f"{_RUN}/log": {"parameters": [run], "get": _log("getRunLog", "Read the log of a run's newest attempt")},
        f"{_RUN}/rerun": {"parameters": [run], "post": _rerun()},
        f"{_RUN}/cancel": {"parameters": [run], "post": _cancel()},
        f"{_RUN}/approve": {"parameters": [run], "post": _approve()},
        f"{_RUN}/purge": {
            "parameters": [run],
            "post": _purge("purgeRun", "Remove the logs of all of a run's attempts"),
        },
        _ATTEMPT: {"parameters": [run, number], "get": reads("getAttempt", "Read one attempt", "Attempt")},
        f"{_ATTEMPT}/log": {"parameters": [run, number], "get": _log("getAttemptLog", "Read the log of an attempt")},
        f"{_ATTEMPT}/purge": {
            "parameters": [run, number],
            "post": _purge("purgeAttempt", "Remove the log of one attempt"),
        },
    }


def schemas() -> Schema:
    """Return the schemas that the addresses refer to."""
    summary = closed({**_SUMMARY, "links": _LINKS})
    return {
        "AttemptSummary": summary,
        "RunPage": page("AttemptSummary"),
        "Attempt": closed({**_attempt(), "links": _LINKS}),
        "Run": closed(
            {
                **_attempt(),
                "refs": {**listed(TEXT), "description": "What names the commit or once did, as in `branch:main`."},
                "attempts": {**listed(closed(_SUMMARY)), "description": "All of them, newest first."},
                "history": {**listed(ref("AuditEvent")), "description": "All that happened to the run, oldest first."},
                "links": _LINKS,
            }
        ),
        "RerunWish": fields(
            {"tiers": _TIERS, "rebuild": SWITCH}, "Which tiers; by default both, with the plan there is."
        ),
        "Rerun": closed({"asked": {"enum": [Asked.CREATED, Asked.JOINED]}, "attempt": ref("AttemptSummary")}),
        "Nothing": fields({}, "An empty object, or no body."),
        "Approval": closed({"sha": {"type": "string", "description": "The run's commit, in full."}}),
        "Steered": closed({"attempt": ref("AttemptSummary")}),
        "PurgeWish": fields({"reason": REASON}, "Why, for the audit trail; not the secret."),
        "PurgedLogs": closed({"run_id": TEXT, "purged": {**listed(_purged()), "description": "Oldest first."}}),
    }


def _attempt() -> dict[str, Schema]:
    return {
        **_SUMMARY,
        "detail": or_null(TEXT),
        "wait": {**or_null(WAIT), "description": "Why nobody executes it yet."},
        "image": or_null(closed({"tag": TEXT, "key": TEXT, "cached": SWITCH, "build_seconds": NUMBER})),
        "steps": listed(
            closed(
                {
                    "id": TEXT,
                    "tier": {"enum": list(Tier)},
                    "command": TEXT,
                    "state": {"enum": ["pending", "running", "finished"]},
                    "exit_code": or_null(COUNT),
                    "seconds": or_null(NUMBER),
                    "may_fail": SWITCH,
                }
            )
        ),
        "annotations": listed(
            closed(
                {
                    "tier": {"enum": list(Tier)},
                    "path": TEXT,
                    "line": COUNT,
                    "level": {"enum": list(Level)},
                    "title": TEXT,
                    "message": TEXT,
                    "tool": TEXT,
                    "end_line": or_null(COUNT),
                    "column": or_null(COUNT),
                }
            )
        ),
        "artifacts": listed(closed({"position": COUNT, "path": TEXT, "size": or_null(COUNT)})),
        "log_removed_at": {**or_null(TIME), "description": "When its log was removed; null: it is there."},
        "log_removed_by": {**or_null(TEXT), "description": "Who had it removed; null: its time was over."},
        "timings": fields(dict.fromkeys(PHASES, NUMBER), "Seconds of each phase."),
        "evidence": listed(
            closed(
                {
                    "decides": TEXT,
                    "file": or_null(TEXT),
                    "line": or_null(COUNT),
                    "value": TEXT,
                    "rule": TEXT,
                    "rule_id": TEXT,
                }
            )
        ),
    }


def _purged() -> Schema:
    return closed(
        {
            "attempt": COUNT,
            "log_chunks": COUNT,
            "annotations": COUNT,
            "artifacts": COUNT,
            "check_runs": {**COUNT, "description": "Those at GitHub that are sent again without it."},
            "annotations_sent": {**COUNT, "description": "Those that GitHub has, which nobody can take back."},
        }
    )


def _listing() -> Schema:
    pattern = f"^{runs.SHA_PREFIX.pattern}$"
    return {
        "operationId": "listRuns",
        "summary": "List runs, newest first, each as its newest attempt",
        "parameters": [
            in_query("repo", "Only those of OWNER/NAME.", TEXT),
            in_query(
                "sha", "Only those of this commit, or of those that begin so.", {"type": "string", "pattern": pattern}
            ),
            in_query("state", "Only those in this state, or with this conclusion.", {"enum": list(runs.STANDINGS)}),
            limit(runs.USUAL_PAGE, runs.LARGEST_PAGE),
            in_query("after", "The run behind which the page begins.", {"type": "string", "format": "uuid"}),
        ],
        "responses": {"200": answers("RunPage", "One page.", "Link"), **problems()},
    }


def _log(name: str, summary: str) -> Schema:
    content = {TEXT_PLAIN: {"schema": TEXT}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "What it wrote so far.", "content": content}, **problems(404)},
    }


def _rerun() -> Schema:
    return {
        "operationId": "rerunRun",
        "summary": "Have a run executed again, before everything that events ask for",
        "requestBody": body("RerunWish", JSON, required=False),
        "responses": {
            "200": answers("Rerun", "An attempt that is queued or under way does it."),
            "201": answers("Rerun", "A new attempt is queued.", "Location"),
            **problems(404, 409, *WITH_BODY),
        },
    }


def _cancel() -> Schema:
    return {
        "operationId": "cancelRun",
        "summary": "Have a run's newest attempt end",
        "requestBody": body("Nothing", JSON, required=False),
        "responses": {
            "202": answers("Steered", "It ends: at once where it was queued, within seconds where it is under way."),
            **problems(404, 409, *WITH_BODY),
        },
    }


def _purge(name: str, summary: str) -> Schema:
    return {
        "operationId": name,
        "summary": f"{summary} for good, with all that quotes them; GitHub is sent their check runs without",
        "requestBody": body("PurgeWish", JSON, required=False),
        "responses": {"200": answers("PurgedLogs", "What was removed."), **problems(404, 409, *WITH_BODY)},
    }


def _approve() -> Schema:
    return {
        "operationId": "approveRun",
        "summary": "Let the commit of a pull request from a fork run; it stays untrusted",
        "requestBody": body("Approval", JSON),
        "responses": {"200": answers("Steered", "It is approved."), **problems(404, 409, *WITH_BODY)},
    }
