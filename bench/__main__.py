"""`make bench`: prints the table of `docs/performance.md`, measured now."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from bench import planning
from bench.measure import table


async def main() -> None:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory(prefix="draftsman-bench-") as folder:
        figures = await planning.measure(Path(folder))
    print(table(figures))


if __name__ == "__main__":
    asyncio.run(main())
