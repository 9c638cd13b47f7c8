"""A lock between processes of one machine: that of a file, which goes with whoever holds it."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_PAUSE = 0.05


@asynccontextmanager
async def locked(file: Path) -> AsyncIterator[None]:
    """Hold the lock of a file, which is made where it is not there and stays. Raises OSError."""
    with file.open("ab") as opened:
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_PAUSE)
        yield
