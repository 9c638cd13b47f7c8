"""What the stand-in writes down: every request it got, and every one that a correct client would not send."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class RecordedRequest:
    """One request and the status of its answer (None: no answer was sent)."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    operation_id: str | None = None
    status: int | None = None

    @property
    def json(self) -> Any:
        """The body as JSON, None if it is empty."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Violation:
    """A request that GitHub would refuse through the caller's own fault, and why."""

    request: RecordedRequest
    status: int
    reason: str

    def __str__(self) -> str:
        return f"{self.request.method} {self.request.path}: {self.status} {self.reason}"
