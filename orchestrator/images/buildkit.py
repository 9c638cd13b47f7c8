"""BuildKit's progress, decoded and made readable. Pure: bytes in, lines out.

The engine sends each step's progress as `moby.buildkit.trace`: base64 of a protobuf StatusResponse
(moby/buildkit, api/services/control/control.proto). Only the fields that a reader of the log needs are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_TAIL_BYTES = 8 * 1024
"""How much of each step's last output is kept for the error that may follow."""
_LINE_BYTES = 64 * 1024
_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Vertex:
    """One step of a build. Times are seconds since the epoch, None where it has not come so far."""

    digest: str
    name: str
    cached: bool
    started: float | None
    completed: float | None
    error: str


@dataclass(frozen=True, slots=True)
class VertexLog:
    """Output of one step."""

    digest: str
    content: bytes


def decode(message: bytes) -> tuple[list[Vertex], list[VertexLog]]:
    """Return the steps and outputs of one StatusResponse. Raises ValueError where it is cut or malformed."""
    vertexes: list[Vertex] = []
    logs: list[VertexLog] = []
    for number, value in _fields(message):
        if number == 1 and isinstance(value, bytes):
            vertexes.append(_vertex(value))
        elif number == 3 and isinstance(value, bytes):
            parts = dict(_fields(value))
            logs.append(VertexLog(_text(parts.get(1)), _bytes(parts.get(4))))
    return vertexes, logs


def _vertex(message: bytes) -> Vertex:
    parts = dict(_fields(message))
    return Vertex(
        digest=_text(parts.get(1)),
        name=_text(parts.get(3)),
        cached=bool(parts.get(4, 0)),
        started=_seconds(parts.get(5)),
        completed=_seconds(parts.get(6)),
        error=_text(parts.get(7)),
    )


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == 2:
            length, position = _varint(message, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"unknown wire type {wire}")
        if position + length > len(message):
            raise ValueError("the message ends inside a field")
        yield number, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise ValueError("the message ends inside a number")
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7


def _bytes(value: int | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(value: int | bytes | None) -> str:
    return _bytes(value).decode("utf-8", "replace")


def _seconds(value: int | bytes | None) -> float | None:
    if not isinstance(value, bytes):
        return None
    parts = dict(_fields(value))
    whole, nanos = parts.get(1, 0), parts.get(2, 0)
    return (whole + nanos / 1e9) if isinstance(whole, int) and isinstance(nanos, int) else None


@dataclass(slots=True)
class _Shown:
    number: int
    name: str
    ended: bool = False
    partial: bytes = b""
    tail: bytes = b""


@dataclass(slots=True)
class BuildLog:
    """Plain progress: `#3 [2/4] RUN ...`, its output, and `#3 done 1.2s`, `#3 CACHED` or `#3 ERROR ...`."""

    failed: Vertex | None = None
    _shown: dict[str, _Shown] = field(default_factory=dict)

    def feed(self, vertexes: list[Vertex], logs: list[VertexLog]) -> bytes:
        """Return the lines that this progress adds; remembers the first step that failed."""
        lines: list[bytes] = []
        for vertex in vertexes:
            lines += self._step(vertex)
        for log in logs:
            lines += self._output(log)
        return b"".join(lines)

    def tail(self, vertex: Vertex) -> bytes:
        """Return the last output of a step, at most 8 KiB."""
        shown = self._shown.get(vertex.digest)
        return b"" if shown is None else shown.tail

    def _step(self, vertex: Vertex) -> Iterator[bytes]:
        if vertex.started is None and vertex.completed is None and not vertex.error:
            return
        shown = self._shown.get(vertex.digest)
        if shown is None:
            shown = self._shown[vertex.digest] = _Shown(len(self._shown) + 1, vertex.name)
            yield _line(shown.number, _short(vertex.name).encode())
        if vertex.completed is None or shown.ended:
            return
        shown.ended = True
        if shown.partial:
            yield _line(shown.number, shown.partial)
            shown.partial = b""
        if vertex.error:
            if self.failed is None and not vertex.error.endswith("context canceled"):
                self.failed = vertex
            yield _line(shown.number, b"ERROR " + vertex.error.encode())
        elif vertex.cached:
            yield _line(shown.number, b"CACHED")
        else:
            seconds = vertex.completed - (vertex.started or vertex.completed)
            yield _line(shown.number, f"done {max(0.0, seconds):.1f}s".encode())

    def _output(self, log: VertexLog) -> Iterator[bytes]:
        shown = self._shown.get(log.digest)
        if shown is None:
            shown = self._shown[log.digest] = _Shown(len(self._shown) + 1, "")
        shown.tail = (shown.tail + log.content)[-_TAIL_BYTES:]
        *lines, shown.partial = (shown.partial + log.content).split(b"\n")
        for line in lines:
            yield _line(shown.number, line)
        if len(shown.partial) > _LINE_BYTES:
            yield _line(shown.number, shown.partial)
            shown.partial = b""


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def _line(number: int, text: bytes) -> bytes:
    """Return one line; of a line that a progress bar wrote over, what a terminal would end up with."""
    return b"#%d %s\n" % (number, text.rstrip(b"\r").rpartition(b"\r")[2])
