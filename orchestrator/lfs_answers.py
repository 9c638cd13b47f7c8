"""What a Git LFS server's batch API answers (git-lfs: docs/api/batch.md). Pure: bytes in, values or an error out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from draftsman.domain.errors import SourceError
from orchestrator.remote_places import shown

_MAX_HEADERS = 20
_MAX_HEADER = 8000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_NOT_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "range"})
"""Headers with which a server could change what a request is."""


@dataclass(frozen=True, slots=True)
class Action:
    """How an object is downloaded."""

    href: str
    headers: Mapping[str, str] = field(default_factory=dict)


def read_answer(content: bytes, repo: str, asked: Mapping[str, int]) -> dict[str, Action]:
    """Return how each object that was asked for (`asked`: size by oid) is downloaded.

    Raises SourceError where the answer is malformed, or an object cannot be had.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _malformed(repo) from None
    objects = document.get("objects") if isinstance(document, dict) else None
    if not isinstance(objects, list) or document.get("transfer", "basic") != "basic":
        raise _malformed(repo)
    found: dict[str, Action] = {}
    for one in objects:
        oid = one.get("oid") if isinstance(one, dict) else None
        if isinstance(oid, str) and oid in asked:
            found[oid] = _action(one, repo, oid)
    for oid in asked:
        if oid not in found:
            raise _missing(repo, oid)
    return found


def refusal(repo: str, status: int, content: bytes) -> SourceError:
    """Return the error for an answer that is no 200."""
    said = _message(content)
    if status in (404, 410, 501):
        return SourceError(f"{repo} has no Git LFS that can be read ({status}): enable it, or set `lfs = false`.", said)
    if status in (401, 403) and not _is_quota(said):
        return SourceError(f"The Git LFS server of {repo} does not let Draftsman read ({status}).", said)
    if status in (402, 429, 507, 509) or _is_quota(said):
        return _over_quota(repo, said)
    if 300 <= status < 400:
        return SourceError(f"The Git LFS server of {repo} redirects, which is not followed: was it renamed?", said)
    return SourceError(
        f"The Git LFS server of {repo} answered {status}: run this again.", said, transient=status >= 500
    )


def _action(one: Mapping[str, Any], repo: str, oid: str) -> Action:
    error = one.get("error")
    if isinstance(error, dict):
        said = shown(str(error.get("message", "")))
        if error.get("code") in (404, 410):
            raise _missing(repo, oid, said)
        if _is_quota(said) or error.get("code") in (402, 429, 507, 509):
            raise _over_quota(repo, said)
        raise SourceError(f"The Git LFS object {oid[:12]} of {repo} cannot be had.", said)
    actions = one.get("actions")
    download = actions.get("download") if isinstance(actions, dict) else None
    if download is None:
        raise _missing(repo, oid)
    href = download.get("href") if isinstance(download, dict) else None
    if not isinstance(href, str):
        raise _malformed(repo)
    headers = download.get("header") or {}
    if not isinstance(headers, dict) or len(headers) > _MAX_HEADERS:
        raise _malformed(repo)
    for name, value in headers.items():
        if (
            not _NAME.fullmatch(name)
            or not isinstance(value, str)
            or len(value) > _MAX_HEADER
            or not value.isprintable()
        ):
            raise _malformed(repo)
    return Action(href, {name: value for name, value in headers.items() if name.lower() not in _NOT_OURS})


def _message(content: bytes) -> str:
    try:
        document = json.loads(content[:10_000])
    except (ValueError, RecursionError):
        return ""
    return shown(str(document.get("message", ""))) if isinstance(document, dict) else ""


def _is_quota(said: str) -> bool:
    return bool(re.search(r"quota|data packs?|bandwidth|rate limit", said, re.IGNORECASE))


def _over_quota(repo: str, said: str) -> SourceError:
    return SourceError(f"The Git LFS quota of {repo} is used up: its owner can raise it, or set `lfs = false`.", said)


def _missing(repo: str, oid: str, said: str = "") -> SourceError:
    return SourceError(
        f"The Git LFS object {oid[:12]} is not on the server of {repo}: whoever has it runs `git lfs push --all`.", said
    )


def _malformed(repo: str) -> SourceError:
    return SourceError(f"The Git LFS server of {repo} gave an answer that is none of the batch API.")
