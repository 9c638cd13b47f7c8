"""The OpenAPI description of the API, made of the same limits that requests are held to."""

from __future__ import annotations

from bot.api.described import installations, policies, profiles, queue, runs, trail
from bot.api.described.schema import PROBLEM, Schema
from draftsman import __version__

_PARTS = (profiles, runs, queue, policies, installations, trail)


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
        "paths": {path: item for part in _PARTS for path, item in part.paths().items()},
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The value of DRAFTSMAN_ADMIN_TOKEN. Without that setting the API answers 403.",
                }
            },
            "schemas": {"Problem": PROBLEM} | {n: schema for part in _PARTS for n, schema in part.schemas().items()},
        },
    }
