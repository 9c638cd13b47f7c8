"""`draftsman backup` and `draftsman restore`: dumps of the database, by the script that compose runs beside it, too."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from draftsman.cli import services, terminal
from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError
from draftsman.embedded import programs
from draftsman.resources import backup_script
from draftsman.settings import Settings

log = logging.getLogger(__name__)

_LOOK_SECONDS = 600.0
_FOR_EVER_DAYS = 1_000_000
_NAME = re.compile(r"draftsman-[0-9]{8}T[0-9]{6}Z\.dump")


@dataclass(frozen=True, slots=True)
class Backups:
    """Where dumps are kept, and the environment in which the script makes them."""

    folder: Path
    environment: Mapping[str, str]

    async def run(self, *arguments: str) -> str:
        """Run the script and return what it printed. Raises HostError with what it said where it fails."""
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", backup_script(), "backup.sh", *arguments),
            env=dict(self.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, said = await process.communicate()
        lines = [line.partition(" backup: ")[2] or line for line in said.decode("utf-8", "replace").splitlines()]
        if process.returncode != 0:
            raise HostError(f"{lines[-1] if lines else 'The backup script failed'}.", "\n".join(lines[:-1]))
        for line in lines:
            log.info("%s", line)
        return output.decode("utf-8", "replace")

    def dumps(self) -> list[Path]:
        """Return the dumps that are there, newest first."""
        return _dumps(self.folder)


async def of_database(settings: Settings, url: str, *, to: Path | None = None) -> Backups:
    """Return how this database is backed up. Raises HostError where its version has no client programs here."""
    major = await _major(url)
    folder = await asyncio.to_thread(programs.of_version, major, os.environ.get("PATH", os.defpath))
    if folder is None:
        raise HostError(
            f"The database is PostgreSQL {major}, and no pg_dump of that version is here: install its client, or run "
            "the backup beside the database (docs/backups.md)."
        )
    kept = to or folder_of(settings)
    variables = {
        "BACKUP_DIRECTORY": str(kept.absolute()),
        "BACKUP_HOURS": str(settings.backup_hours),
        # Whatever lies in a folder that somebody names for once is his.
        "BACKUP_DAYS": str(settings.backup_days if to is None else _FOR_EVER_DAYS),
        "BACKUP_WEEKS": str(settings.backup_weeks),
    }
    return Backups(kept, programs.environment_for(url, folder, os.environ) | variables)


def folder_of(settings: Settings) -> Path:
    """Return the folder of the dumps."""
    return settings.backup_folder or settings.home / "backups"


async def keep_backed_up(settings: Settings, url: str) -> None:
    """Make a dump whenever one is due, for ever. What fails is said, and tried again."""
    while settings.backup_hours > 0:
        try:
            await (await of_database(settings, url)).run("when-due")
        except (HostError, OSError, asyncpg.PostgresError) as error:
            log.error("no backup was made: %s", error, extra=Alert.BACKUP_TOO_OLD.extra)
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.Event().wait()


async def backup(settings: Settings, *, to: Path | None, as_json: bool) -> int:
    """Make a dump now. Returns the exit code of the command."""
    made = await of_database(settings, services.found(settings).database_url, to=to)
    await made.run("once")
    dumps = made.dumps()
    if as_json:
        print(json.dumps({"dump": str(dumps[0]), "kept": [str(dump) for dump in dumps]}, indent=2))
    else:
        terminal.console().print(f"{dumps[0]} ({dumps[0].stat().st_size / 2**20:.1f} MiB), {len(dumps)} kept")
    return 0


async def restore(settings: Settings, dump: str, *, force: bool) -> int:
    """Put a dump in the place of the database. Returns the exit code of the command. Nothing else may use it."""
    async with services.started(settings) as running:
        backups = await of_database(settings, running.database_url)
        await backups.run("restore", dump, *(("--force",) if force else ()))
    terminal.console().print("Restored. Start Draftsman again; what happened since is found as after a failure.")
    return 0


def age_of_newest(folder: Path, now: datetime) -> float | None:
    """Return the hours since the newest dump, by its name, None where there is none."""
    dumps = _dumps(folder)
    if not dumps:
        return None
    made = datetime.strptime(dumps[0].name, "draftsman-%Y%m%dT%H%M%SZ.dump").replace(tzinfo=UTC)
    return (now - made).total_seconds() / 3600


def _dumps(folder: Path) -> list[Path]:
    """Return the dumps with the names that the script gives, newest first; others are somebody's own."""
    return sorted((path for path in folder.glob("draftsman-*.dump") if _NAME.fullmatch(path.name)), reverse=True)


async def _major(url: str) -> int:
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise HostError(f"The database does not answer: {error}") from error
    try:
        return int(connection.get_server_version().major)
    finally:
        await connection.close()
