"""`draftsman deliveries`: what GitHub told us, what was decided about it, and what came of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rich.table import Table

from draftsman.cli import services, terminal
from draftsman.cli.audit import print_events
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import DraftsmanError
from draftsman.settings import Settings
from draftsman.store import audit, deliveries, tasks
from draftsman.store.database import Pool
from draftsman.store.deliveries import KeptDelivery
from draftsman.store.run_document import delivery_document

_SOURCES = {
    "sent": "sent by GitHub",
    "listed": "found in GitHub's list of deliveries",
    "compared": "made of what the repository looks like: the event itself was lost",
}


async def list_deliveries(
    settings: Settings, *, repo: str | None, event: str | None, since: datetime | None, limit: int, as_json: bool
) -> int:
    """Print the newest deliveries, each with what was decided."""
    async with services.opened(services.found(settings).database_url, size=1) as pool:
        found = await deliveries.recent(pool, limit=limit, repo=repo, event=event, since=since)
    if as_json:
        print(json.dumps([one.document() for one in found], indent=2))
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("delivery", "received (UTC)", "event", "repository", "by", "run", "decision"):
        table.add_column(heading, no_wrap=heading != "decision")
    for one in found:
        table.add_row(
            quoted(short(one.guid)),
            f"{one.received_at:%Y-%m-%d %H:%M:%S}",
            quoted(_event(one)),
            quoted(one.repo or "-"),
            quoted(one.sender or "-"),
            "-" if one.run_id is None else str(one.run_id)[:8],
            quoted(one.decision),
        )
    terminal.show_table(table)
    if not found:
        terminal.console().print(
            "No such delivery is kept. `draftsman doctor --only recovery` says whether any are missing, and the App's "
            "page at GitHub (Advanced) what it sent."
        )
    return 0


async def show_delivery(settings: Settings, guid: str, *, as_json: bool) -> int:
    """Print one delivery: what was decided, the tasks that it called for, and what it led to."""
    async with services.opened(services.found(settings).database_url, size=1) as pool:
        found = await deliveries.get(pool, await find_delivery(pool, guid))
        if found is None:
            raise no_delivery(guid)
        if as_json:
            print(json.dumps(await delivery_document(pool, found), indent=2))
            return 0
        wanted = await tasks.of_delivery(pool, found.guid)
        history = await audit.of_delivery(pool, found.guid)
    shown = terminal.console()
    shown.print(f"[bold]{quoted(_event(found))}[/] {quoted(found.repo or '')} by {quoted(found.sender or 'nobody')}")
    shown.print(f"  {quoted(found.decision)}")
    shown.print(f"  delivery {quoted(found.guid)}, {_SOURCES[found.source]}, {found.received_at:%Y-%m-%d %H:%M:%S} UTC")
    shown.print(f"  {_body(found)}")
    if found.run_id is not None:
        shown.print(f"  run {str(found.run_id)[:8]}: `draftsman runs show {str(found.run_id)[:8]}` tells of it")
    if wanted:
        shown.print("\n[bold]tasks[/]")
    for task in wanted:
        error = f": {quoted(task.error)}" if task.error else ""
        shown.print(f"  {task.kind:14} {task.state.replace('_', ' ')} after {task.tries} tries{error}")
    if history:
        shown.print("\n[bold]history[/]")
        print_events(shown, history)
    return 0


async def find_delivery(pool: Pool[Any], prefix: str) -> str:
    """Return the GUID that begins so. Raises DraftsmanError where not exactly one does."""
    found = await deliveries.find(pool, prefix)
    if len(found) > 1 and prefix not in found:
        raise DraftsmanError(f"Several deliveries begin with {prefix!r}: give more of the GUID.")
    if not found:
        raise no_delivery(prefix)
    return prefix if prefix in found else found[0]


def no_delivery(guid: str) -> DraftsmanError:
    """Return the error of a GUID that is not known."""
    return DraftsmanError(
        f"No delivery {guid!r} is known: `draftsman deliveries list` shows the newest; old ones are removed "
        "(DRAFTSMAN_DELIVERY_DAYS)."
    )


def short(guid: str) -> str:
    """Return enough of a GUID to find it again; those of comparisons begin alike."""
    prefix, dash, rest = guid.partition("compared-")
    return guid[:8] if not dash or prefix else f"compared-{rest[:8]}"


def _event(one: KeptDelivery) -> str:
    return f"{one.event}/{one.action}" if one.action else one.event


def _body(one: KeptDelivery) -> str:
    if one.body_removed_at is None:
        return f"its body of {one.size:,} bytes is kept"
    by = quoted(one.body_removed_by or "nobody")
    return f"its body was removed by {by} on {one.body_removed_at:%Y-%m-%d %H:%M:%S} UTC; the GUID stays known"
