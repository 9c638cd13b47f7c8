"""What a job said, kept beside being passed on: findings are looked for in it once the job has ended."""

from __future__ import annotations

from draftsman.domain.plan import Tier
from draftsman.domain.progress import Output, Progress, Sink
from orchestrator.outages import TAIL_BYTES

_FINDINGS_BYTES = 8 * 2**20


class Gathered:
    """Passes progress on, and keeps the ends of each step's two streams for the search for findings."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._tails: dict[tuple[str, str], bytearray] = {}

    async def __call__(self, progress: Progress) -> None:
        if isinstance(progress, Output):
            tail = self._tails.setdefault((progress.section, progress.stream), bytearray())
            tail += progress.content
            del tail[:-_FINDINGS_BYTES]
        await self._sink(progress)

    def tail(self, section: str) -> str:
        """Return the ends of both streams of a section, as text."""
        ends = [bytes(tail[-TAIL_BYTES:]) for (name, _), tail in self._tails.items() if name == section]
        return b"\n".join(ends).decode("utf-8", "replace")

    def outputs(self) -> list[tuple[Tier, bytes]]:
        """Return the output of the fast and full steps, in order: what one stream says stays together."""
        return [
            (tier, bytes(tail))
            for (section, _), tail in self._tails.items()
            for tier in (Tier.FAST, Tier.FULL)
            if section.startswith(f"{tier}-")
        ]
