"""`make bench`: prints the table of `docs/performance.md`, measured now."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench import first_command, image_decision, planning
from bench.measure import table


async def main() -> None:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory(prefix="draftsman-bench-") as folder:
        print("bench: plans", file=sys.stderr)
        figures = await planning.measure(Path(folder))
        print("bench: images", file=sys.stderr)
        figures += await image_decision.measure(Path(folder))
        print("bench: the first command of a job", file=sys.stderr)
        figures += await first_command.measure(Path(folder))
    print(table(figures))


if __name__ == "__main__":
    asyncio.run(main())
