"""`draftsman installations`: where the App is installed, and who is served."""

from __future__ import annotations

import json
from typing import Any

from rich.table import Table

from draftsman.cli import person, services, steer, terminal
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import DraftsmanError
from draftsman.settings import Settings
from draftsman.store import installations
from draftsman.store.installations import Installation


async def list_installations(settings: Settings, *, as_json: bool) -> int:
    """Print all installations, the oldest first."""
    async with services.opened(services.found(settings).database_url, size=1) as pool:
        found = await installations.everywhere(pool)
    if as_json:
        print(json.dumps([one.document() for one in found], indent=2))
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "account", "state", "decided by", "since"):
        table.add_column(heading, no_wrap=True)
    for one in found:
        since = one.decided_at or one.created_at
        table.add_row(str(one.id), quoted(one.account), _state(one), quoted(one.decided_by or "-"), f"{since:%Y-%m-%d}")
    terminal.console().print(table)
    _say_what_decides(settings)
    return 0


async def decide(settings: Settings, installation_id: int, *, approved: bool, as_json: bool) -> int:
    """Let an installation be served, or not any more. Raises DraftsmanError where there is no such one."""
    async with steer.opened(settings) as steering:
        decided = await steering.decide(installation_id, approved=approved, by=person.actor())
    if decided is None:
        raise DraftsmanError(
            f"There is no installation {installation_id}: `draftsman installations list` shows those there are."
        )
    if as_json:
        print(json.dumps(decided.document(), indent=2))
        return 0
    what = "is served from now on" if approved else "is not served any more"
    terminal.console().print(f"{quoted(decided.account)} ({decided.id}) {what}.")
    _say_what_decides(settings)
    return 0


def _state(one: Installation) -> str:
    notes: list[Any] = [one.state]
    notes += ["removed"] if one.is_removed else ["suspended"] if one.is_suspended else []
    return ", ".join(notes)


def _say_what_decides(settings: Settings) -> None:
    if settings.allow:
        terminal.console(to_stderr=True).print(
            "DRAFTSMAN_ALLOW is set: it says who is served, whatever was decided about installations."
        )
