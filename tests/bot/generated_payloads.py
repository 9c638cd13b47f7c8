"""Deliveries that are generated: of GitHub's description of webhooks, and of its examples, bent in every way.

All of it comes from a seeded `Random`, so that a failure names the seed that brings it back.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.github.examples import EVENTS, examples
from tests.github.webhook_spec import CUT

SHA, SHA256, ZEROS = "ec26c3e57ca3a959ca5aad62de7213c562f8c821", "0123456789abcdef" * 4, "0" * 40
TEXTS = (
    *("", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800x", "\u202e", "\u2028", "\r\n", "😀" * 5, "🎉/🚀", "é" * 300),
    *("x" * 255, "x" * 256, "x" * 300, "x" * 5_000, "..", "../..", "/", "%00", "a?b#c", "a b", "'", '"', "`", "\\"),
    *("refs/heads/" + "x" * 300, "refs/heads/", "refs/heads/😀", "refs/heads/\x00", "refs/tags/v1", "refs/notes/x"),
    *("gh-readonly-queue/main/pr-1-x", "main", "feature", SHA, SHA256, ZEROS, SHA[:7], SHA.upper(), "null", "true"),
    *("acme/widgets", "acme/none", "acme/../x", "unknown repository", "ghost", "octo_acme", "x" * 39, "renovate[bot]"),
    *("Bot", "User", "closed", "open", "created", "opened", "rerun", "rebuild", "approve", "/test", "/draftsman help"),
    *("2024-01-01T00:00:00Z", "2024-01-01", "0001-01-01T00:00:00Z", "-1", "9" * 400, "1e400"),
)
NUMBERS = (0, 1, -1, 3, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 0.5, 1e308, float("inf"))
ACTIONS = (
    *("opened", "synchronize", "closed", "edited", "created", "requested", "rerequested", "requested_action", "added"),
    *("deleted", "suspend", "unsuspend", "renamed", "transferred", "checks_requested", "destroyed", "brand_new", ""),
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the receiver knows, and GitHub has."""

    repository_id: int
    full_name: str
    installation_id: int
    pull: int
    sha: str


class Deliveries:
    """Draws deliveries."""

    def __init__(self, random: Random, known: Known) -> None:
        self._random = random
        self._known = known

    def one(self) -> tuple[str, bytes]:
        """The name of an event, and a body."""
        event, payload = self._drawn()
        body = json.dumps(payload).encode()
        return event, self._broken(body) if self._is_one_in(25) else body

    def _drawn(self) -> tuple[str, Any]:
        random = self._random
        event = random.choice(EVENTS)
        if self._is_one_in(30):
            return random.choice(("sponsorship", "workflow_run", "star", "x" * 100)), self._anything(3)
        if self._is_one_in(30):
            return event, self._anything(4)
        if self._is_one_in(3):
            name = random.choice([name for name in described() if name.startswith(event.replace("_", "-"))])
            payload = self._fitting(described()[name], 0)
            if not isinstance(payload, dict):
                return event, payload
        else:
            payload = copy.deepcopy(random.choice(examples(event)))
        if random.random() < 0.7:
            self._settle(payload)
        for _ in range(random.choice((0, 1, 1, 2, 3, 6))):
            self._bend(payload)
        return event, payload

    def _is_one_in(self, number: int) -> bool:
        return self._random.randrange(number) == 0

    def _settle(self, payload: dict[str, Any]) -> None:
        """Have it be about the repository that is known, as far as it is about any."""
        known, random = self._known, self._random
        owner, _, name = known.full_name.partition("/")
        if "repository" in payload:
            about = payload["repository"] if isinstance(payload["repository"], dict) else {}
            payload["repository"] = about | {
                "id": known.repository_id,
                "full_name": known.full_name,
                "name": name,
                "default_branch": "main",
                "private": False,
                "owner": {"login": owner, "id": 11, "type": "Organization"},
            }
            payload["installation"] = {"id": known.installation_id}
        pull, issue, comment = (payload.get(name) for name in ("pull_request", "issue", "comment"))
        if isinstance(pull, dict):
            ours = {"id": random.choice((known.repository_id, 99))}
            head = {"sha": random.choice((known.sha, SHA, SHA256)), "ref": "feature"}
            pull |= {"number": known.pull, "head": head | {"repo": random.choice((ours, ours, None))}, "draft": False}
        if isinstance(issue, dict):
            issue |= {"number": known.pull, "pull_request": {"url": "x"}}
        if isinstance(comment, dict):
            said = random.choice(("/test", "/draftsman approve", "/draftsman x", "hello", "/cancel\n/plan"))
            comment |= {"body": said, "created_at": "2024-01-01T00:00:00Z", "performed_via_github_app": None}
        for check in ("check_run", "check_suite"):
            if isinstance(payload.get(check), dict):
                payload[check] |= {"head_sha": random.choice((known.sha, SHA)), "head_branch": "feature"}

    def _bend(self, payload: dict[str, Any]) -> None:
        """Change one thing, those that are read more often than others."""
        random = self._random
        if self._is_one_in(6):
            payload["action"] = random.choice(ACTIONS)
            return
        holder: Any = payload
        while True:
            inner = [name for name, value in holder.items() if isinstance(value, dict) and value]
            if not inner or self._is_one_in(3):
                break
            holder = holder[random.choice(inner)]
        if not holder:
            return
        name = random.choice(list(holder))
        match random.randrange(5):
            case 0:
                del holder[name]
            case 1:
                holder[name] = None
            case 2:
                holder[name] = self._scalar()
            case 3:
                holder[name] = random.choice(TEXTS) if isinstance(holder[name], str) else random.choice(NUMBERS)
            case _:
                holder[name] = self._anything(3)

    def _broken(self, body: bytes) -> bytes:
        """The body as it comes from nobody who speaks JSON, or too deep for anybody who reads it."""
        random = self._random
        at = random.randrange(len(body) + 1)
        depth = random.choice((30, 500, 5_000, 50_000))
        breaks: tuple[Callable[[], bytes], ...] = (
            lambda: body[:at],
            lambda: body[:at] + b"\xff\xfe" + body[at:],
            lambda: b'{"repository": ' + b'{"owner": ' * depth + b"1" + b"}" * depth + b"}",
            lambda: b'{"action": ' + b"[" * depth + b"]" * depth + b"}",
            lambda: b"[" + body + b"]",
            lambda: b"",
            lambda: b'{"repository": {"id": ' + b"9" * 5_000 + b"}}",
        )
        return random.choice(breaks)()

    def _scalar(self) -> Any:
        return self._random.choice((None, True, False, self._random.choice(NUMBERS), self._random.choice(TEXTS)))

    def _anything(self, depth: int) -> Any:
        random = self._random
        if depth == 0 or self._is_one_in(2):
            return self._scalar()
        if self._is_one_in(2):
            return [self._anything(depth - 1) for _ in range(random.randrange(4))]
        return {str(random.choice(TEXTS))[:40]: self._anything(depth - 1) for _ in range(random.randrange(4))}

    def _fitting(self, schema: Mapping[str, Any], depth: int) -> Any:
        """A value that the schema allows, as far as that goes down; what is optional may be missing."""
        random = self._random
        if "$ref" in schema:
            return self._fitting(schemas()[schema["$ref"].rpartition("/")[2]], depth)
        for either in ("oneOf", "anyOf"):
            if either in schema:
                return self._fitting(random.choice(schema[either]), depth)
        if "allOf" in schema:
            parts = [self._fitting(part, depth) for part in schema["allOf"]]
            return functools.reduce(lambda one, other: {**one, **other}, (p for p in parts if isinstance(p, dict)), {})
        if "enum" in schema:
            return random.choice(schema["enum"])
        kinds = schema.get("type", "object")
        kind = random.choice(kinds) if isinstance(kinds, list) else kinds
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return [self._fitting(schema.get("items", {}), depth + 1) for _ in range(random.randrange(3))]
        return self._plain(kind, schema.get("format", ""))

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        needed = set(schema.get("required", ()))
        wanted = {
            name: inner
            for name, inner in schema.get("properties", {}).items()
            if name in needed or (depth < 4 and self._is_one_in(2))
        }
        return {name: self._fitting(inner, depth + 1) for name, inner in wanted.items()} if depth < 7 else {}

    def _plain(self, kind: str, form: str) -> Any:
        random = self._random
        match kind:
            case "null":
                return None
            case "boolean":
                return random.random() < 0.5
            case "integer" | "number":
                return random.choice((random.randrange(1, 2**40), 1, 0, self._known.repository_id))
            case _ if form == "date-time":
                return "2024-01-01T00:00:00Z"
            case _:
                return random.choice((self._known.sha, "main", "x", random.choice(TEXTS)))


@functools.cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CUT.read_text(encoding="utf-8"))
    return found


def described() -> dict[str, Any]:
    """The schema of each event and action, by GitHub's name for it (`check-run-rerequested`)."""
    found: dict[str, Any] = description()["webhooks"]
    return found


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = description()["components"]["schemas"]
    return found
