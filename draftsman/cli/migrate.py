"""`draftsman migrate`: bring the database to this version's schema, or say how it stands."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from draftsman.cli import services, terminal
from draftsman.cli.terminal import quoted
from draftsman.settings import Settings
from draftsman.store import database
from draftsman.store.database import Pool
from draftsman.store.migrate import Migration, State, newer, standing
from draftsman.store.migrate import migrate as apply

NOT_UP_TO_DATE = 1

_WAIT_SECONDS = 30.0
"""For so long a database that does not answer is waited for, where nobody asked for more."""


async def migrate(settings: Settings, *, wait: bool) -> int:
    """Apply the migrations that are missing, to the database of the settings or the embedded one.

    With `wait`, a database that is not up yet is waited for as long as it takes.
    """
    shown = terminal.console()
    async with _opened(settings, wait_seconds=math.inf if wait else _WAIT_SECONDS) as pool:
        applied = await apply(pool)
        said = await newer(pool)
    for name in applied:
        shown.print(f"applied {name}")
    if not applied:
        shown.print("nothing to apply: the schema is up to date")
    if said:
        terminal.console(to_stderr=True).print(quoted(said))
    return 0


async def show(settings: Settings, *, check: bool, as_json: bool) -> int:
    """Print how every migration stands and change nothing. With `check`, 1 where one is missing or another one."""
    async with _opened(settings) as pool:
        found = await standing(pool)
    is_behind = any(one.state in (State.PENDING, State.CHANGED) for one in found)
    if as_json:
        print(json.dumps({"up_to_date": not is_behind, "migrations": [_document(one) for one in found]}, indent=2))
    else:
        _print(found, only_wrong=check)
    return NOT_UP_TO_DATE if check and is_behind else 0


@asynccontextmanager
async def _opened(settings: Settings, *, wait_seconds: float = _WAIT_SECONDS) -> AsyncIterator[Pool[Any]]:
    """Yield a pool on the database, whatever its schema: of the settings, of a Draftsman that runs, or our own."""
    url = services.found_database(settings)
    if url is None:
        async with services.started(settings) as running, _pool(running.database_url, wait_seconds) as pool:
            yield pool
    else:
        async with _pool(url, wait_seconds) as pool:
            yield pool


@asynccontextmanager
async def _pool(url: str, wait_seconds: float) -> AsyncIterator[Pool[Any]]:
    pool = await database.connect(url, size=2, wait_seconds=wait_seconds)
    try:
        yield pool
    finally:
        pool.terminate()


def _document(one: Migration) -> dict[str, str | None]:
    at = None if one.applied_at is None else one.applied_at.isoformat()
    return {"name": one.name, "state": one.state, "applied_at": at}


def _print(found: Sequence[Migration], *, only_wrong: bool) -> None:
    shown = terminal.console()
    for one in found:
        if not only_wrong or one.state is not State.APPLIED:
            at = "" if one.applied_at is None else f"{one.applied_at:%Y-%m-%d %H:%M:%S}"
            shown.print(f"{_SIGNS[one.state]} {quoted(one.name):32} {one.state:8} [dim]{at}[/]".rstrip())
    said = [sentence for state, sentence in _SAID.items() if any(one.state is state for one in found)]
    shown.print("\n".join(said) or "the schema is up to date")


_SIGNS = {
    State.APPLIED: "[green]✔[/]",
    State.PENDING: "[yellow]●[/]",
    State.CHANGED: "[red]✘[/]",
    State.NEWER: "[blue]●[/]",
}
_SAID = {
    State.PENDING: "migrations are missing: `draftsman migrate` applies them, also while workers run",
    State.CHANGED: "a migration was applied in another form: this database belongs to a different build of Draftsman",
    State.NEWER: "a newer Draftsman migrated this database: this version works on it, upgrade it when you can",
}
