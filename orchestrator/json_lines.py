"""The engine's progress: one JSON object a line, cut anywhere by the network. Pure."""

from __future__ import annotations

import json
from typing import Any

from draftsman.domain.errors import EngineError

_LINE_BYTES = 16 * 2**20


class JsonLines:
    """Joins chunks to lines, and gives each line's object."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Return the objects that this chunk completes. Raises EngineError where a line is no JSON object."""
        if b"\n" not in chunk:
            self._pending += chunk
            if len(self._pending) > _LINE_BYTES:
                raise EngineError("The Docker engine sent a line of progress longer than 16 MiB.")
            return []
        *lines, rest = (bytes(self._pending) + chunk).split(b"\n")
        self._pending = bytearray(rest)
        return [_object(line) for line in lines if line.strip()]


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise EngineError(f"The Docker engine sent progress that is no JSON: {line[:200]!r}") from error
    if not isinstance(value, dict):
        raise EngineError(f"The Docker engine sent progress that is no object: {line[:200]!r}")
    return value
