"""BuildKit's progress, encoded here and decoded there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.images.buildkit import BuildLog, Vertex, VertexLog, decode


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append((value & 0x7F) | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _time(seconds: int, nanos: int) -> bytes:
    return _field(1, seconds) + _field(2, nanos)


VERTEX = (
    _field(1, b"sha256:1")
    + _field(2, b"sha256:input")
    + _field(3, "[1/2] RUN füße".encode())
    + _field(4, 1)
    + _field(5, _time(1795442640, 500_000_000))
    + _field(6, _time(1795442642, 0))
    + _field(7, b"exit code: 3")
)
LOG = _field(1, b"sha256:1") + _field(2, _time(1, 1)) + _field(3, 1) + _field(4, b"out\xff")
STATUS = _field(1, VERTEX) + _field(2, _field(1, b"a transfer")) + _field(3, LOG) + b"\x3d\x00\x00\x00\x00"


def test_decodes_what_the_log_needs() -> None:
    assert decode(STATUS) == (
        [Vertex("sha256:1", "[1/2] RUN füße", True, 1795442640.5, 1795442642.0, "exit code: 3")],
        [VertexLog("sha256:1", b"out\xff")],
    )


@given(st.integers(0, len(STATUS)))
def test_a_cut_message_is_refused_or_a_shorter_one(length: int) -> None:
    try:
        vertexes, logs = decode(STATUS[:length])
    except ValueError:
        return
    assert len(vertexes) <= 1
    assert len(logs) <= 1


@given(st.binary(max_size=100))
def test_rubbish_never_does_worse_than_a_value_error(message: bytes) -> None:
    try:
        decode(message)
    except ValueError:
        return


def _vertex(digest: str, name: str, **changes: object) -> Vertex:
    values: dict[str, object] = {"cached": False, "started": 10.0, "completed": None, "error": ""}
    return Vertex(digest, name, **values | changes)  # type: ignore[arg-type]


def test_progress_reads_like_a_log() -> None:
    log = BuildLog()
    text = log.feed([_vertex("a", "[1/2] FROM x"), _vertex("c", "waits", started=None)], [])
    text += log.feed([_vertex("a", "[1/2] FROM x", completed=10.0, cached=True)], [])
    text += log.feed(
        [_vertex("b", "[2/2] RUN  a \\\n b")], [VertexLog("b", b"one\ntw"), VertexLog("b", b"o\n1%\r2%\nend")]
    )
    text += log.feed([_vertex("b", "[2/2] RUN a", completed=11.5)], [])
    assert text.decode().splitlines() == [
        "#1 [1/2] FROM x",
        "#1 CACHED",
        "#2 [2/2] RUN a \\ b",
        "#2 one",
        "#2 two",
        "#2 2%",
        "#2 end",
        "#2 done 1.5s",
    ]


def test_the_first_failure_is_kept_with_its_output() -> None:
    log = BuildLog()
    failed = _vertex("a", "[2/2] RUN false", completed=11.0, error="exit code: 1")
    log.feed([], [VertexLog("a", b"why\n")])
    assert log.feed([failed], []).endswith(b"ERROR exit code: 1\n")
    log.feed([_vertex("b", "other", completed=11.0, error="context canceled")], [])
    assert log.failed == failed
    assert log.tail(failed) == b"why\n"


def test_what_is_kept_is_bounded() -> None:
    log = BuildLog()
    vertex = _vertex("a", "x")
    for _ in range(300):
        log.feed([], [VertexLog("a", b"x" * 1000)])
    assert len(log.tail(vertex)) == 8 * 1024
