"""`draftsman audit`: who did what, when and why, over all runs and beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rich.console import Console

from draftsman.cli import services, terminal
from draftsman.cli.terminal import quoted
from draftsman.domain.story import clause
from draftsman.settings import Settings
from draftsman.store import audit
from draftsman.store.audit import AuditEvent, AuditFilter
from draftsman.store.run_document import event_document


async def show_audit(settings: Settings, wanted: AuditFilter, *, limit: int, as_json: bool) -> int:
    """Print the newest lines of the trail, the oldest of them first."""
    async with services.opened(services.found(settings).database_url, size=1) as pool:
        found = await audit.recent(pool, wanted, limit=limit)
    if as_json:
        print(json.dumps([event_document(event) for event in reversed(found)], indent=2))
        return 0
    shown = terminal.console()
    print_events(shown, reversed(found), with_run=True)
    if len(found) == limit:
        shown.print(f"[dim]the newest {limit}: --limit shows more, --since, --repo, --actor and --action less[/]")
    elif not found:
        shown.print("nothing of that kind is kept")
    return 0


def print_events(shown: Console, events: Iterable[AuditEvent], *, with_run: bool = False) -> None:
    """Print one line for each event: when (UTC), who, and what; with `with_run`, of which run and repository."""
    for event in events:
        about = [event.repo] if with_run and event.repo else []
        about += [str(event.run_id)[:8]] if with_run and event.run_id else []
        place = f"  [dim]{quoted(' '.join(about))}[/]" if about else ""
        told = quoted(clause(event.action, event.detail, event.attempt))
        shown.print(f"  [dim]{event.at:%Y-%m-%d %H:%M:%S}[/] {quoted(event.actor):20} {told}{place}")
