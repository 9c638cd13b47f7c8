"""The engine's multiplexed log stream as frames. Pure: bytes in, frames out.

Each frame is `stream, 0, 0, 0, length (4 bytes, big endian)` and then `<RFC 3339 with 9 digits>Z <output>`
(Docker's API, "Attach to a container", stream format). One frame carries at most 16 KiB of a line.
"""

from __future__ import annotations

import calendar
import struct
import time

from draftsman.domain.errors import EngineError
from orchestrator.runners.interface import LogFrame, Stream

_HEADER = struct.Struct(">BxxxL")
_FRAME_BYTES = 2 * 2**20
"""Far more than any engine puts into one frame: beyond it, this is no log stream."""
_STREAMS = {1: Stream.OUT, 2: Stream.ERR}


class LogFrames:
    """Joins chunks of the stream to frames."""

    def __init__(self) -> None:
        self._pending = b""
        self._second = b""
        self._second_nanos = 0

    def feed(self, chunk: bytes) -> list[LogFrame]:
        """Return the frames that this chunk completes. Raises EngineError where it is no such stream."""
        text = self._pending + chunk if self._pending else chunk
        frames: list[LogFrame] = []
        at = 0
        while len(text) - at >= _HEADER.size:
            stream, length = _HEADER.unpack_from(text, at)
            if stream not in _STREAMS or length > _FRAME_BYTES:
                raise EngineError("The Docker engine sent a log stream that cannot be read.")
            begin = at + _HEADER.size
            if len(text) < begin + length:
                break
            at = begin + length
            stamp, _, content = text[begin:at].partition(b" ")
            frames.append(LogFrame(self._nanos(stamp), _STREAMS[stream], content))
        self._pending = text[at:]
        return frames

    def _nanos(self, stamp: bytes) -> int:
        second, _, fraction = stamp.rstrip(b"Z").partition(b".")
        if second != self._second:
            try:
                parsed = time.strptime(second.decode("ascii"), "%Y-%m-%dT%H:%M:%S")
            except ValueError as error:
                raise EngineError(f"The Docker engine sent a log line with the time {stamp[:40]!r}.") from error
            self._second, self._second_nanos = second, calendar.timegm(parsed) * 10**9
        return self._second_nanos + int(fraction.ljust(9, b"0")[:9] or 0)
