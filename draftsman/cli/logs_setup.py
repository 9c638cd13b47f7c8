"""The log of a service: one line an event, on standard error, with time and level, and the page that helps."""

from __future__ import annotations

import logging

from draftsman.domain.alert import Alert
from draftsman.domain.errors import DraftsmanError


class AlertFormatter(logging.Formatter):
    """Names at the end of a line the page of what it tells: its own (`extra=Alert.X.extra`), or that of its error."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line."""
        line = super().formatMessage(record)
        alert = alert_of(record)
        return line if alert is None else f"{line} [{alert.page}]"


def alert_of(record: logging.LogRecord) -> Alert | None:
    """Return what a line of the log tells an administrator to look after, None for most of them."""
    told = getattr(record, "alert", None)
    if isinstance(told, Alert):
        return told
    given = record.args if isinstance(record.args, tuple) else ()
    errors = (one.alert for one in given if isinstance(one, DraftsmanError))
    return next((alert for alert in errors if alert is not None), None)


def configure(service: str, level: str) -> None:
    """Send the log of this process to standard error."""
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(
        AlertFormatter(f"%(asctime)s %(levelname)-7s {service}: %(name)s: %(message)s", datefmt="%H:%M:%S")
    )
    logging.basicConfig(level=level.upper(), handlers=[to_stderr], force=True)
    for chatty in ("arq", "aiohttp.access", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Whoever needs Postgres says in a line that it is away; the pool says it again, with a traceback.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
