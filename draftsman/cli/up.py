"""`draftsman up`: everything in one process tree, with a Postgres and a Redis of its own where no URL is given."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence

from draftsman.cli import services, terminal
from draftsman.cli.backup import keep_backed_up
from draftsman.cli.lifetime import until_told
from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError
from draftsman.settings import Settings, without_urls
from draftsman.store import database
from draftsman.store.migrate import migrate

log = logging.getLogger(__name__)

_STOP_SECONDS = 20
_RESTART_SECONDS = 2
_CONFIGURATION_IS_WRONG = 2


async def up(settings: Settings, environment: Mapping[str, str]) -> int:
    """Run the API and a worker until a signal. Returns the exit code of the command."""
    shown = terminal.console()
    settings.read_private_key()  # a wrong one is said now, not by a child that restarts for ever
    async with services.started(settings) as running:
        pool = await database.connect(running.database_url, size=2)
        try:
            await migrate(pool)
        finally:
            pool.terminate()
        shown.print(f"data in {settings.home}")
        urls = {"DATABASE_URL": running.database_url, "REDIS_URL": running.redis_url}
        inherited = without_urls(environment) | urls
        # A database that was given is somebody's who backs it up.
        backups = [] if settings.database_url else [keep_backed_up(settings, running.database_url)]
        await until_told(_keep_running(("serve",), inherited), _keep_running(("worker",), inherited), *backups)
    shown.print("stopped")
    return 0


async def _keep_running(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run `draftsman ARGUMENTS` as a child, again whenever it ends. It ends with us, whichever way we end.

    Raises HostError where the child says that its configuration is wrong: another try would say the same.
    """
    while True:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing is imported from the current folder, which may hold a `bot` of somebody's own
            "-m",
            "draftsman.cli.main",
            *arguments,
            "--with-parent",
            env=dict(environment),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            await _stop(child)
            raise
        if code == _CONFIGURATION_IS_WRONG:
            raise HostError(f"`draftsman {arguments[0]}` cannot start with these settings; see its message above.")
        log.warning(
            "`draftsman %s` ended with %s, starting it again", arguments[0], code, extra=Alert.NO_PROGRESS.extra
        )
        await asyncio.sleep(_RESTART_SECONDS)


async def _stop(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await child.wait()
    except TimeoutError:
        log.warning("process %s did not stop within %s s: killed", child.pid, _STOP_SECONDS)
        child.kill()
        await child.wait()
