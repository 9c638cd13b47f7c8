"""GitHub's description of webhooks as a judge of what the stand-in itself sends."""

import functools
import json
from pathlib import Path

import jsonschema_rs

from tests.github.shapes import Json

CUT = Path(__file__).parent / "spec" / "webhooks.json"
ROOT = "urn:webhooks"


@functools.cache
def registry() -> jsonschema_rs.Registry:
    document = json.loads(CUT.read_text(encoding="utf-8"))
    return jsonschema_rs.Registry([(ROOT, document)], draft=jsonschema_rs.Draft202012)


@functools.cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    # Formats stay off: GitHub's own `homepage: ""` is no URI.
    return jsonschema_rs.Draft202012Validator({"$ref": f"{ROOT}#/webhooks/{name}"}, registry=registry())


def webhook_name(event: str, payload: Json) -> str:
    """The name that the description has for this event: `check-run-rerequested`."""
    action = payload.get("action")
    return "-".join([event, action] if isinstance(action, str) else [event]).replace("_", "-")


def payload_problems(event: str, payload: Json) -> list[str]:
    """What is wrong with the payload of an event; an empty list is a right one.

    Raises `jsonschema_rs.ValidationError` for an event that is not in the cut (`cut_spec.py`).
    """
    errors = validator(webhook_name(event, payload)).iter_errors(payload)
    return ["/".join(map(str, error.instance_path)) + f": {error.message[:300]}" for error in errors]
