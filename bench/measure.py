"""Measures what is done again and again, and writes figures as ratios to a floor that is measured in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: milliseconds of the work and of its floor, medians of the same rounds."""

    name: str
    floor: str
    work_ms: float
    floor_ms: float

    @property
    def ratio(self) -> float:
        """Return how many times the floor the work takes."""
        return self.work_ms / self.floor_ms


async def compare(
    name: str, work: Callable[[], Awaitable[object]], floor: str, least: Callable[[], Awaitable[object]]
) -> Figure:
    """Return the figure of `work` against `least`, measured in turns, so that a busy machine slows both."""
    works, floors = [], []
    await work()
    await least()
    for _ in range(ROUNDS):
        floors.append(await milliseconds(least))
        works.append(await milliseconds(work))
    return Figure(name, floor, statistics.median(works), statistics.median(floors))


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| work | ms | floor | ms | ratio |", "|---|---:|---|---:|---:|"]
    lines += [
        f"| {one.name} | {_shown(one.work_ms)} | {one.floor} | {_shown(one.floor_ms)} | {one.ratio:.1f} |"
        for one in figures
    ]
    return "\n".join(lines)


def _shown(took: float) -> str:
    return f"{took:.0f}" if took >= 10 else f"{took:.1f}"


async def milliseconds(action: Callable[[], Awaitable[object]]) -> float:
    """Return how long the action takes."""
    begin = time.perf_counter()
    await action()
    return (time.perf_counter() - begin) * 1000
