"""How long a service goes on: until a signal, until its parent goes, or until one of its parts fails."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any


async def until_told(*parts: Coroutine[Any, Any, None], with_parent: bool = False) -> None:
    """Run the parts until SIGINT or SIGTERM, then cancel them. The failure of a part ends all and is raised.

    `with_parent` also ends them when standard input closes, as it does when the parent process is gone.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), _on_input, stop)
    told = asyncio.create_task(stop.wait())
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (told, *tasks):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        if with_parent:
            loop.remove_reader(sys.stdin.fileno())
    for result in ended:
        if isinstance(result, Exception):
            raise result


def _on_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()
