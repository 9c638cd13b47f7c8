"""Typed reading of a webhook payload: takes the fields that are needed and demands no more.

A payload is signed by GitHub, but what it carries (branch names, titles, messages) is written by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from draftsman.domain.errors import DraftsmanError

Payload = Mapping[str, Any]

LARGEST_ID = 2**63 - 1
"""Postgres keeps ids as BIGINT."""

_FULL_NAME = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9._-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class PayloadError(DraftsmanError):
    """A field that is needed is missing or has another type than GitHub documents. The sentence names it."""


def at(payload: Payload, path: str) -> object:
    """Return the value at a dotted path, None where it is null or absent.

    Raises PayloadError where something on the way is not an object.
    """
    found: object = payload
    walked: list[str] = []
    for name in path.split("."):
        if found is None:
            return None
        if not isinstance(found, Mapping):
            raise PayloadError(f"`{'.'.join(walked)}` is not an object")
        found = found.get(name)
        walked.append(name)
    return found


def text(payload: Payload, path: str, *, longest: int = 255) -> str:
    """Return a non-empty text of at most `longest` bytes in UTF-8. Raises PayloadError.

    An index of Postgres takes no entry over 2,704 bytes: whatever is longer could never be kept.
    """
    found = at(payload, path)
    if not isinstance(found, str) or not 0 < len(found.encode("utf-8", "replace")) <= longest:
        raise PayloadError(f"`{path}` is not a text of 1 to {longest} bytes")
    return found


def optional_text(payload: Payload, path: str, *, longest: int = 255) -> str | None:
    """Return the text at the path, None where it is null, absent or empty. Raises PayloadError."""
    return None if at(payload, path) in (None, "") else text(payload, path, longest=longest)


def identifier(payload: Payload, path: str) -> int:
    """Return a positive whole number that Postgres can keep. Raises PayloadError."""
    found = at(payload, path)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found <= LARGEST_ID:
        raise PayloadError(f"`{path}` is not a positive whole number")
    return found


def optional_identifier(payload: Payload, path: str) -> int | None:
    """Return the number at the path, None where it is null or absent. Raises PayloadError."""
    return None if at(payload, path) is None else identifier(payload, path)


def flag(payload: Payload, path: str, *, absent: bool | None = None) -> bool:
    """Return a boolean; `absent` stands for one that is not there. Raises PayloadError."""
    found = at(payload, path)
    if found is None and absent is not None:
        return absent
    if not isinstance(found, bool):
        raise PayloadError(f"`{path}` is neither true nor false")
    return found


def sha(payload: Payload, path: str) -> str:
    """Return a full commit SHA, lower case. Raises PayloadError."""
    found = text(payload, path, longest=64)
    if not _SHA.fullmatch(found):
        raise PayloadError(f"`{path}` is not a full commit SHA")
    return found


def optional_sha(payload: Payload, path: str) -> str | None:
    """Return the commit SHA at the path, None where it is null, absent or all zeros. Raises PayloadError."""
    if at(payload, path) is None:
        return None
    found = sha(payload, path)
    return found if found.strip("0") else None


def moment(payload: Payload, path: str) -> str:
    """Return a time as GitHub writes it (ISO 8601, with its offset), of this century. Raises PayloadError."""
    found = text(payload, path, longest=40)
    try:
        if not _MOMENT.fullmatch(found):
            raise ValueError
        datetime.fromisoformat(found)
    except ValueError:
        raise PayloadError(f"`{path}` is not a time") from None
    return found


def full_name(payload: Payload, path: str) -> str:
    """Return `owner/name` of a repository, safe to build a URL with. Raises PayloadError."""
    found = text(payload, path, longest=201)
    if not _FULL_NAME.fullmatch(found):
        raise PayloadError(f"`{path}` is not the owner and name of a repository")
    return found
