"""`draftsman doctor`: what works, what does not, what to do about it, and the page that says more."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from rich.markup import escape

from bot import github
from bot.github_error import GitHubError
from draftsman import __version__
from draftsman.cli import services, terminal, tools
from draftsman.cli.backup import age_of_newest, folder_of
from draftsman.cli.doctor_github import permissions_look, recovery_look
from draftsman.cli.home import prepare_home
from draftsman.domain.alert import Alert
from draftsman.domain.errors import DraftsmanError, HostError
from draftsman.settings import Settings
from draftsman.store import database
from draftsman.store.migrate import pending
from orchestrator import engine as docker
from orchestrator.helper import Helper

_LOW_DISK_BYTES = 5 * 2**30
_CLOCK_SECONDS = 30
_EMBEDDED = "embedded: starts with `draftsman up`"


@dataclass(frozen=True, slots=True)
class Examined:
    """One thing that was looked at. `found` says what is there, or what to do; `page` is that of what is wrong."""

    name: str
    ok: bool
    found: str
    page: str | None = None


async def doctor(settings: Settings, *, only: Sequence[str], as_json: bool) -> int:
    """Print what works and what does not, of the LOOKS named in `only`. Returns 0 where all is well, else 3."""
    results = await asyncio.gather(*(_examine(name, LOOKS[name], settings) for name in only))
    if as_json:
        print(json.dumps({"version": __version__, "checks": [asdict(result) for result in results]}, indent=2))
    else:
        shown = terminal.console()
        for result in results:
            see = "" if result.page is None else f" (see {result.page})"
            shown.print(f"{'[green]✔[/]' if result.ok else '[red]✘[/]'} {result.name}: {escape(result.found + see)}")
    return 0 if all(result.ok for result in results) else 3


async def _examine(name: str, look: Callable[[Settings], Awaitable[str]], settings: Settings) -> Examined:
    try:
        return Examined(name, True, await look(settings))
    except DraftsmanError as error:
        return Examined(name, False, str(error), (error.alert or USUAL[name]).page)


async def _database(settings: Settings) -> str:
    url = services.found_database(settings)
    if url is None:
        return _EMBEDDED
    pool = await database.connect(url, size=1, wait_seconds=2)
    try:
        if missing := await pending(pool):
            sentence = f"{len(missing)} migrations are missing: run `draftsman migrate`."
            raise HostError(sentence, alert=Alert.MIGRATIONS_PENDING)
        return str(await pool.fetchval("SELECT 'Postgres ' || current_setting('server_version')"))
    finally:
        pool.terminate()


async def _queue(settings: Settings) -> str:
    url = services.found_redis(settings)
    if url is None:
        return _EMBEDDED
    async with services.wake_ups(url) as wake_ups:
        if not await wake_ups.answers():
            raise HostError("Redis does not answer (REDIS_URL): start it. Without it, work starts some seconds later.")
    return "Redis answers"


async def _engine(settings: Settings) -> str:
    engine = await docker.connect(settings.docker_host)
    try:
        facts = engine.facts
        builder = "BuildKit" if facts.buildkit else "the classic builder"
        return f"Docker {facts.version} on {facts.os}/{facts.architecture}, builds with {builder}"
    finally:
        await engine.close()


async def _registry(settings: Settings) -> str:
    registry = tools.registry(settings)
    if registry is None:
        return "none: each engine builds its own images"
    engine = await docker.connect(settings.docker_host)
    try:
        await registry.look(engine)
    finally:
        await engine.close()
    return f"{registry.address} answers the engine"


async def _fence(settings: Settings) -> str:
    engine = await docker.connect(settings.docker_host)
    try:
        gate = tools.fence_gate(settings, Helper(engine, tools.build_settings(settings)))
        proof = await gate.proof()
    finally:
        await engine.close()
    if not proof.holds:
        raise HostError(f"{proof.fault} Until it holds, no untrusted code runs here.")
    return "a job in it reached neither the host nor another container, which one without it did"


async def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(prepare_home(settings)).free
    if free < _LOW_DISK_BYTES:
        raise HostError(f"Only {free / 2**30:.1f} GiB are free in {settings.home}: make room for images and logs.")
    return f"{free / 2**30:.0f} GiB free in {settings.home}"


async def _backup(settings: Settings) -> str:
    if settings.backup_hours == 0:
        return "off (DRAFTSMAN_BACKUP_HOURS=0)"
    folder = folder_of(settings)
    if settings.database_url is not None and not folder.exists():
        return "the database is given: it is backed up where it is (compose: the service `backup`)"
    hours = age_of_newest(folder, datetime.now(UTC))
    if hours is None:
        raise HostError(f"There is no backup in {folder} yet: `draftsman up` makes one when it starts.")
    if hours > 1.5 * settings.backup_hours:
        raise HostError(f"The newest backup in {folder} is {hours:.0f} hours old: the log of `draftsman up` says why.")
    return f"the newest is {hours:.0f} hours old, in {folder}"


async def _github(settings: Settings) -> str:
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(settings.github_api_url, allow_redirects=False) as response,
        ):
            date = response.headers.get("Date")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise HostError(f"{settings.github_api_url} cannot be reached: {error or type(error).__name__}") from error
    skew = abs(parsedate_to_datetime(date).timestamp() - time.time()) if date else 0.0
    if skew > _CLOCK_SECONDS:
        sentence = f"This machine's clock is {skew:.0f} s off GitHub's: set it (App tokens are refused at 60 s)."
        raise HostError(sentence, alert=Alert.CLOCK_WRONG)
    return f"{settings.github_api_url} answers, the clocks agree"


async def _private_key(settings: Settings) -> str:
    # A key is worth a look even where the id is missing: signing needs some id, whichever.
    app_id, key = settings.github_app_id or "0", settings.read_private_key()
    async with github.connect(app_id=app_id, private_key=key, api_url=settings.github_api_url) as app:
        if settings.github_app_id is None:
            raise HostError("GITHUB_APP_ID is not set; the key itself is good.")
        try:
            answer = await app.as_app("GET", "/app")
        except GitHubError as error:
            if error.status in (401, 404):
                raise HostError(
                    f"GitHub knows no App {app_id} with this key ({error}): compare GITHUB_APP_ID with the App's page, "
                    "and generate a new private key there if this one is not in its list.",
                    alert=Alert.PRIVATE_KEY_WRONG,
                ) from error
            if not error.transient:
                raise
            return f"can sign, for App {app_id}; GitHub could not be asked whether it is the App's ({error})"
    name = answer.body.get("name") if isinstance(answer.body, dict) else None
    return f"signs for App {app_id}, {name}"


async def _webhook_secret(settings: Settings) -> str:
    if settings.delivery == "poll":
        return "is not needed: GitHub's list of deliveries is polled"
    if settings.github_webhook_secret is None:
        raise HostError("GITHUB_WEBHOOK_SECRET is not set: no delivery can be verified.")
    return "is set"


LOOKS: dict[str, Callable[[Settings], Awaitable[str]]] = {
    "database": _database,
    "queue": _queue,
    "engine": _engine,
    "registry": _registry,
    "fence": _fence,
    "disk": _disk,
    "backup": _backup,
    "github": _github,
    "private-key": _private_key,
    "webhook-secret": _webhook_secret,
    "permissions": permissions_look,
    "recovery": recovery_look,
}

USUAL: Mapping[str, Alert] = {
    "database": Alert.POSTGRES_AWAY,
    "queue": Alert.REDIS_AWAY,
    "engine": Alert.ENGINE_AWAY,
    "registry": Alert.REGISTRY_AWAY,
    "fence": Alert.FENCE_NOT_PROVEN,
    "disk": Alert.DISK_NEARLY_FULL,
    "backup": Alert.BACKUP_TOO_OLD,
    "github": Alert.GITHUB_AWAY,
    "private-key": Alert.PRIVATE_KEY_WRONG,
    "webhook-secret": Alert.WEBHOOK_SECRET_WRONG,
    "permissions": Alert.PERMISSIONS_MISSING,
    "recovery": Alert.DELIVERIES_GAP,
}
"""What is wrong where a look fails with an error that names no page of its own."""
