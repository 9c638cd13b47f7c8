"""The log of a service: one line an event, on standard error, with time and level."""

from __future__ import annotations

import logging


def configure(service: str, level: str) -> None:
    """Send the log of this process to standard error."""
    logging.basicConfig(
        level=level.upper(),
        format=f"%(asctime)s %(levelname)-7s {service}: %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        force=True,
    )
    for chatty in ("arq", "aiohttp.access", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
