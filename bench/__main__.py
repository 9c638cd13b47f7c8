"""`make bench`: prints the tables of `docs/performance.md`, measured now; `python -m bench store` that of the store."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench import first_command, image_decision, planning, store
from bench.measure import table


def main() -> None:
    """Measure everything, or what is named, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the figures of docs/performance.md.")
    parser.add_argument("part", nargs="?", choices=["store"], help="measure the store alone; it is filled for minutes")
    parser.add_argument("call", nargs="*", help="of the store only the calls whose name contains one of these")
    chosen = parser.parse_args()
    asyncio.run(_measure(chosen.part, chosen.call))


async def _measure(part: str | None, calls: list[str]) -> None:
    if part is None:
        await _measure_work()
    print("bench: the store", file=sys.stderr)
    print(table(await store.measure(calls)))


async def _measure_work() -> None:
    with tempfile.TemporaryDirectory(prefix="draftsman-bench-") as folder:
        print("bench: plans", file=sys.stderr)
        figures = await planning.measure(Path(folder))
        print("bench: images", file=sys.stderr)
        figures += await image_decision.measure(Path(folder))
        print("bench: the first command of a job", file=sys.stderr)
        figures += await first_command.measure(Path(folder))
    print(table(figures), end="\n\n")


if __name__ == "__main__":
    main()
