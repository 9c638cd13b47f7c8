"""`draftsman migrate`: bring the database to this version's schema."""

from __future__ import annotations

from draftsman.cli import services, terminal
from draftsman.settings import Settings
from draftsman.store import database
from draftsman.store.migrate import migrate as apply


async def migrate(settings: Settings) -> int:
    """Apply the migrations that are missing, to the database of the settings or the embedded one."""
    shown = terminal.console()
    async with services.started(settings) as running:
        pool = await database.connect(running.database_url, size=2)
        try:
            applied = await apply(pool)
        finally:
            pool.terminate()
    for name in applied:
        shown.print(f"applied {name}")
    if not applied:
        shown.print("nothing to apply: the schema is up to date")
    return 0
