"""`draftsman setup`: registers a GitHub App, stores its credentials, and waits until it is installed."""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import threading
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bot import github
from bot.github_error import GitHubError
from bot.setup import LONGEST_NAME, WEBHOOK_PATH, Credentials, Wish, convert, install_address, webhook_address
from draftsman.cli import env_file, settings_of, terminal
from draftsman.cli.app_watch import Watch, watch
from draftsman.cli.github import opened_app
from draftsman.cli.home import prepare_home
from draftsman.cli.setup_page import SetupPage
from draftsman.domain.errors import SettingsError
from draftsman.settings import Settings

KEY_FILE = "github-app.pem"
CREDENTIALS = (
    "GITHUB_APP_ID",
    "GITHUB_PRIVATE_KEY",
    "GITHUB_PRIVATE_KEY_FILE",
    "GITHUB_WEBHOOK_SECRET",
    "GITHUB_CLIENT_ID",
    "GITHUB_CLIENT_SECRET",
)
"""What belongs to one App. Another App's are never replaced unasked."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How the person wants it done. `port` 0: a free one."""

    file: Path
    port: int = 0
    browser: bool = True
    force: bool = False
    wait: bool = True


def wish_for(
    settings: Settings,
    *,
    name: str | None,
    org: str | None,
    webhook_url: str | None,
    poll: bool,
    teams: bool,
    public: bool,
) -> Wish:
    """Return the App that these arguments wish for. Raises SettingsError where they do not say how events come."""
    address = None if poll else webhook_address(_webhook(settings, webhook_url))
    return Wish(name or _default_name(org), address, organization=org, public=public, teams=teams)


async def setup(settings: Settings, wish: Wish, choices: Choices) -> int:
    """Register the App that the person wishes for. Returns 0 once it is there and its credentials are stored.

    Raises SettingsError where something would be refused or overwritten: before anything is made.
    """
    check_addresses(settings)
    wish.check(settings.github_server_url)
    key_file = prepare_home(settings).resolve() / KEY_FILE
    _check_room(choices, key_file)

    def store(credentials: Credentials) -> None:
        keep(credentials, settings, wish, choices, key_file)

    async with aiohttp.ClientSession(trust_env=True) as session:

        async def exchange(code: str) -> Credentials:
            urls = {"api_url": settings.github_api_url, "server_url": settings.github_server_url}
            return await convert(session, code=code, **urls)

        page = SetupPage(wish, server_url=settings.github_server_url, exchange=exchange, store=store, tell=_tell)
        async with page.serving(choices.port):
            _invite(page.address, choices)
            credentials = await page.finished
    return await _follow(credentials, settings, wish, choices)


async def check(settings: Settings, *, wait: bool) -> int:
    """Look at the App that the settings name. Returns 0 where it can do its work, else 3. Raises GitHubError."""
    how = Watch(polled=settings.delivery == "poll", fresh=False, wait=wait)
    async with opened_app(settings) as app:
        return 0 if await watch(app, how, _tell) else 3


def check_addresses(settings: Settings) -> None:
    """Raise SettingsError where GitHub's two addresses do not belong together."""
    defaults = Settings()
    own_server = settings.github_server_url.rstrip("/") != defaults.github_server_url
    own_api = settings.github_api_url.rstrip("/") != defaults.github_api_url
    if own_server != own_api:
        raise SettingsError(
            "GITHUB_SERVER_URL and GITHUB_API_URL must name the same GitHub: for Enterprise Server set both, to "
            "https://HOST and https://HOST/api/v3."
        )


def keep(credentials: Credentials, settings: Settings, wish: Wish, choices: Choices, key_file: Path) -> None:
    """Store the credentials: the key in a file of its own, the rest in the file of settings.

    Raises SettingsError; then it may be called again.
    """
    text = env_file.read(choices.file)  # as it is now: the person may have edited it meanwhile
    key_file = _keep_key(credentials, key_file, force=choices.force)
    there = settings_of.parse(choices.file) if choices.file.exists() else {}
    env_file.write(choices.file, env_file.changed(text, _values(credentials, key_file, settings, wish, there)))


def _webhook(settings: Settings, given: str | None) -> str:
    if given is None and settings.public_url is not None:
        given = settings.public_url.rstrip("/") + WEBHOOK_PATH
    if given is None:
        raise SettingsError(
            f"Say --webhook-url https://HOST{WEBHOOK_PATH} where GitHub can reach this instance, or --poll where "
            "nothing can: then it asks GitHub for its events."
        )
    return given


def _default_name(org: str | None) -> str:
    name = f"Draftsman ({org})"
    # Names are taken once for all of GitHub.
    return name if org and len(name) <= LONGEST_NAME else f"Draftsman {secrets.token_hex(3)}"


def _check_room(choices: Choices, key_file: Path) -> None:
    there = settings_of.parse(choices.file) if choices.file.exists() else {}
    taken = [f"{name} in {choices.file}" for name in CREDENTIALS if there.get(name)]
    taken += [str(key_file)] if key_file.exists() else []
    if taken and not choices.force:
        raise SettingsError(
            f"There is an App already: {', '.join(taken)}. `draftsman setup --check` looks at it. To make another "
            "one beside it, name another --env-file and another DRAFTSMAN_HOME; to replace it, say --force."
        )
    for what in taken:
        _tell(f"Will be replaced: {what}")
    for name in CREDENTIALS:
        if os.environ.get(name):
            _tell(f"{name} is set in the environment, which wins over {choices.file}: unset it.")
    env_file.check_writable(choices.file)
    env_file.check_writable(key_file)


def _keep_key(credentials: Credentials, key_file: Path, *, force: bool) -> Path:
    if env_file.create(key_file, credentials.private_key) or _holds(key_file, credentials.private_key):
        return key_file
    if force:
        env_file.write(key_file, credentials.private_key)
        return key_file
    # Another setup was quicker. GitHub gives a key once: it is kept beside the other's.
    beside = key_file.with_name(f"github-app-{credentials.app_id}.pem")
    env_file.write(beside, credentials.private_key)
    return beside


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text("utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def _values(
    credentials: Credentials, key_file: Path, settings: Settings, wish: Wish, there: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings of this App. What names no App and was set by the person stays as they set it."""
    values = {
        "GITHUB_APP_ID": str(credentials.app_id),
        "GITHUB_PRIVATE_KEY_FILE": str(key_file),
        "GITHUB_WEBHOOK_SECRET": credentials.webhook_secret or "",
        "GITHUB_CLIENT_ID": credentials.client_id,
        "GITHUB_CLIENT_SECRET": credentials.client_secret,
    }
    if "GITHUB_PRIVATE_KEY" in there:
        values["GITHUB_PRIVATE_KEY"] = ""  # it would win over the file
    defaults = Settings()
    addresses = {
        "GITHUB_SERVER_URL": (settings.github_server_url, defaults.github_server_url),
        "GITHUB_API_URL": (settings.github_api_url, defaults.github_api_url),
    }
    values |= {name: ours for name, (ours, default) in addresses.items() if ours != default or name in there}
    if wish.webhook_url is None or "DRAFTSMAN_DELIVERY" in there:
        values["DRAFTSMAN_DELIVERY"] = "webhook" if wish.webhook_url else "poll"
    if wish.public_url and not there.get("DRAFTSMAN_PUBLIC_URL"):
        values["DRAFTSMAN_PUBLIC_URL"] = wish.public_url
    return values


async def _follow(credentials: Credentials, settings: Settings, wish: Wish, choices: Choices) -> int:
    _tell(f"App created: {credentials.name} ({credentials.html_url})")
    _tell(f"Its credentials are in {choices.file} and {settings.home}, readable for you alone.")
    if not credentials.webhook_secret:
        _tell(
            "GitHub made no webhook secret for it: set one on the App's page (20 random characters or more), and "
            f"the same as GITHUB_WEBHOOK_SECRET in {choices.file}."
        )
    link = install_address(credentials.html_url)
    _tell(f"Install it on your repositories: {link}")
    if choices.wait:
        how = Watch(polled=wish.webhook_url is None, fresh=True, wait=True)
        key, api_url = credentials.private_key, settings.github_api_url
        try:
            async with github.connect(app_id=str(credentials.app_id), private_key=key, api_url=api_url) as app:
                await watch(app, how, _tell)
        except asyncio.CancelledError:  # Ctrl-C: the App is there, and nothing is lost
            _tell("Not waiting any longer; `draftsman setup --check` looks again.")
        except GitHubError as error:
            _tell(f"{error} The App is there all the same; `draftsman setup --check` looks again.")
    _tell(f"Next: draftsman up --env-file {choices.file}")
    return 0


def _invite(address: str, choices: Choices) -> None:
    _tell(f"Open this page in a browser on this machine, and press its button: {address}")
    if os.environ.get("SSH_CONNECTION"):
        port = address.partition("?")[0].rpartition(":")[2].strip("/")
        _tell(f"From another machine: ssh -L {port}:127.0.0.1:{port} to here first (--port keeps the number).")
    if choices.browser and _has_display():
        # A browser may hold on to its caller for as long as it is open: never wait for this.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _has_display() -> bool:
    names = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    return platform.system() == "Darwin" or any(os.environ.get(name) for name in names)


def _tell(sentence: str) -> None:
    terminal.console().print(terminal.quoted(sentence))
