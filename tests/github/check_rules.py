"""What GitHub demands of a check run and its description forgets to say: pure, body in, complaints out."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

TEXT_BYTES = 65_535
RAW_DETAILS_BYTES = 64 * 1024
TITLE_LENGTH = 255
SHA = re.compile(r"[0-9a-f]{40}")


def complaints(body: Mapping[str, Any], *, creating: bool) -> list[str]:
    """Everything that is wrong with the body of a check run's creation or update, as sentences."""
    return [
        *state_complaints(body, creating=creating),
        *field_complaints(body, creating=creating),
        *output_complaints(body.get("output") or {}),
    ]


def state_complaints(body: Mapping[str, Any], *, creating: bool) -> Iterator[str]:
    status = body.get("status", "queued" if creating else None)
    conclusion = body.get("conclusion")
    if conclusion == "stale":
        yield "/conclusion: only GitHub itself may conclude that a check run is stale"
    if body.get("status") == "completed" and conclusion is None:
        yield "/conclusion: required when status is completed"
    if conclusion is not None and body.get("status") not in (None, "completed"):
        yield f"/conclusion: not allowed when status is {status}"
    if "completed_at" in body and conclusion is None:
        yield "/completed_at: not allowed without a conclusion"
    if body.get("status") in ("waiting", "requested", "pending"):
        yield f"/status: only GitHub Actions may set {body['status']}"


def field_complaints(body: Mapping[str, Any], *, creating: bool) -> Iterator[str]:
    if creating and not SHA.fullmatch(body["head_sha"]):
        yield "/head_sha: must be the 40 lower-case hexadecimal digits of a commit"
    if "name" in body and not body["name"].strip():
        yield "/name: must not be empty"
    if "details_url" in body:
        parts = urlsplit(body["details_url"])
        if parts.scheme not in ("http", "https") or not parts.netloc:
            yield "/details_url: must be a full http or https address"


def output_complaints(output: Mapping[str, Any]) -> Iterator[str]:
    if "title" in output and not output["title"].strip():
        yield "/output/title: must not be empty"
    for field in ("title", "summary", "text"):
        if len(output.get(field, "").encode()) > TEXT_BYTES:
            yield f"/output/{field}: exceeds a maximum of {TEXT_BYTES} bytes"
    for index, annotation in enumerate(output.get("annotations", ())):
        for complaint in annotation_complaints(annotation):
            yield f"/output/annotations/{index}{complaint}"


def annotation_complaints(annotation: Mapping[str, Any]) -> Iterator[str]:
    parts = annotation["path"].split("/")
    if annotation["path"].startswith("/") or "\\" in annotation["path"]:
        yield "/path: must be relative to the repository, with forward slashes"
    elif {"", ".", ".."} & set(parts):
        yield "/path: must name a file inside the repository, without empty, '.' or '..' parts"
    if annotation["start_line"] < 1 or annotation["end_line"] < annotation["start_line"]:
        yield "/end_line: lines count from 1, and the last must not be before the first"
    columns = [annotation[name] for name in ("start_column", "end_column") if name in annotation]
    if columns and annotation["start_line"] != annotation["end_line"]:
        yield "/start_column: columns are only allowed if the annotation is on one line"
    if any(column < 1 for column in columns) or columns != sorted(columns):
        yield "/end_column: columns count from 1, and the last must not be before the first"
    if not annotation["message"].strip():
        yield "/message: must not be empty"
    if len(annotation["message"].encode()) > RAW_DETAILS_BYTES:
        yield f"/message: exceeds a maximum of {RAW_DETAILS_BYTES} bytes"
    if len(annotation.get("title", "")) > TITLE_LENGTH:
        yield f"/title: exceeds a maximum of {TITLE_LENGTH} characters"
    if len(annotation.get("raw_details", "").encode()) > RAW_DETAILS_BYTES:
        yield f"/raw_details: exceeds a maximum of {RAW_DETAILS_BYTES} bytes"
