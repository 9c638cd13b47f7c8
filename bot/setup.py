"""The GitHub App manifest flow: what we ask GitHub to register, and the credentials that it gives for it.

Everything here is pure but `convert`, which sends the one request of the flow.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import aiohttp
from gidgethub.sansio import create_headers

from bot.github import ACCEPT, API_VERSION, LARGEST_ANSWER, TIMEOUT
from bot.github_error import GitHubError, refusal
from draftsman import __version__
from draftsman.domain.errors import SettingsError

PERMISSIONS: Mapping[str, str] = {
    "checks": "write",
    "contents": "read",
    "issues": "write",
    "merge_queues": "read",
    "metadata": "read",
    "pull_requests": "write",
}
"""The least that Draftsman works with; docs/github-app.md says what each is for."""

TEAMS = {"members": "read"}
"""What it takes to know who is in a team."""

EVENTS = ("push", "pull_request", "check_suite", "check_run", "issue_comment", "merge_group", "repository")
"""What a manifest names. `installation` and its kin come by themselves, and GitHub refuses who names them."""

WEBHOOK_PATH = "/webhooks/github"
NOWHERE = f"https://draftsman.invalid{WEBHOOK_PATH}"
"""The webhook of an App that is polled. GitHub needs one, or it makes no deliveries that could be listed; a name
that is reserved for never existing (RFC 2606) takes no payload to a stranger."""

LONGEST_NAME = 34
"""Characters, by GitHub's own form."""

_ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Wish:
    """The App that a person wants. `webhook_url` None: its deliveries are polled. `organization` None: their own."""

    name: str
    webhook_url: str | None
    organization: str | None = None
    public: bool = False
    teams: bool = False

    def check(self, server_url: str) -> None:
        """Raise SettingsError where GitHub would refuse this, with a sentence that says what to do."""
        if not 0 < len(self.name.strip()) <= LONGEST_NAME or not self.name.isprintable():
            raise SettingsError(f"--name: a GitHub App's name has 1 to {LONGEST_NAME} characters: choose another.")
        if self.organization is not None and not _ORGANIZATION.fullmatch(self.organization):
            raise SettingsError("--org: give the organization's name as its address shows it, https://github.com/NAME.")
        if self.webhook_url is not None:
            _check_webhook(self.webhook_url, public_only=urlsplit(server_url).hostname == "github.com")

    @property
    def permissions(self) -> dict[str, str]:
        """Return what the App asks of whoever installs it."""
        return dict(sorted({**PERMISSIONS, **(TEAMS if self.teams else {})}.items()))

    @property
    def public_url(self) -> str | None:
        """Return where people reach this instance, as far as the webhook's address tells; else None."""
        if self.webhook_url is None or not self.webhook_url.endswith(WEBHOOK_PATH):
            return None
        return self.webhook_url.removesuffix(WEBHOOK_PATH)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What GitHub gives once, for a new App. `repr` shows none of its secrets."""

    app_id: int
    name: str
    slug: str
    html_url: str
    private_key: str
    webhook_secret: str | None
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"Credentials(app_id={self.app_id}, slug={self.slug!r})"


def webhook_address(url: str) -> str:
    """Return the webhook's URL; an address without a path gets the one that Draftsman listens on."""
    parts = _split(url)
    return parts._replace(path=WEBHOOK_PATH).geturl() if parts.path in ("", "/") else url


def manifest(wish: Wish, *, server_url: str, redirect_url: str) -> dict[str, Any]:
    """Return the manifest of this App. GitHub sends the browser to `redirect_url` once it is registered."""
    owner = f"{server_url.rstrip('/')}/{wish.organization or ''}"  # GitHub wants some homepage
    return {
        "name": wish.name,
        "url": wish.public_url or owner,
        "hook_attributes": {"url": wish.webhook_url or NOWHERE, "active": True},
        "redirect_url": redirect_url,
        "public": wish.public,
        "default_permissions": wish.permissions,
        "default_events": list(EVENTS),
    }


def form_address(server_url: str, organization: str | None, state: str) -> str:
    """Return where a browser posts the manifest to; GitHub gives `state` back."""
    owner = f"/organizations/{quote(organization, safe='')}" if organization else ""
    return f"{server_url.rstrip('/')}{owner}/settings/apps/new?{urlencode({'state': state})}"


def install_address(html_url: str) -> str:
    """Return the page on which the App is installed, for the address of the App's own page."""
    return f"{html_url.rstrip('/')}/installations/new"


async def convert(session: aiohttp.ClientSession, *, api_url: str, server_url: str, code: str) -> Credentials:
    """Return the credentials for the code that GitHub sent the browser back with. It takes a code once, for an hour.

    Raises GitHubError; where it is `transient`, the same code may be tried again.
    """
    what = "the exchange of the App's code"  # the code itself is a secret
    url = f"{api_url.rstrip('/')}/app-manifests/{quote(code, safe='')}/conversions"
    headers = create_headers(f"draftsman/{__version__}", accept=ACCEPT)
    headers["x-github-api-version"] = API_VERSION
    try:
        async with session.post(url, headers=headers, allow_redirects=False, timeout=TIMEOUT) as response:
            content = b""
            while len(content) < LARGEST_ANSWER and (chunk := await response.content.read(64 * 1024)):
                content += chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise GitHubError(f"GitHub did not answer {what}: {type(error).__name__}") from None
    try:
        body = json.loads(content) if content else None
    except (ValueError, RecursionError):
        body = None
    if response.status == 404:
        raise GitHubError(
            "GitHub does not know this code: it is taken once, and within an hour. The App may be there all the same: "
            "delete it on GitHub (Settings, Developer settings, GitHub Apps) before you begin again.",
            status=404,
        )
    if response.status != 201:
        raise refusal(what, response.status, response.headers, body, now=0.0)
    return read_credentials(body, server_url)


def read_credentials(body: Any, server_url: str) -> Credentials:
    """Return what GitHub's answer gives. Raises GitHubError where that is no whole set of credentials."""
    try:
        found = Credentials(
            app_id=int(body["id"]),
            name=str(body["name"]),
            slug=str(body["slug"]),
            html_url=_page(str(body["html_url"]), str(body["slug"]), server_url.rstrip("/")),
            private_key=str(body["pem"]),
            webhook_secret=None if body["webhook_secret"] is None else str(body["webhook_secret"]),
            client_id=str(body["client_id"]),
            client_secret=str(body["client_secret"]),
        )
    except (KeyError, TypeError, ValueError):
        raise _strange() from None
    single = (found.webhook_secret or "", found.client_id, found.client_secret)
    if "PRIVATE KEY-----" not in found.private_key or any(not text.isprintable() for text in single):
        raise _strange()
    return found


def _strange() -> GitHubError:
    return GitHubError(
        "GitHub answered the exchange of the App's code with no whole set of credentials: is GITHUB_API_URL right? "
        "The App was registered; delete it on GitHub before you begin again.",
        status=502,
    )


def _page(html_url: str, slug: str, server_url: str) -> str:
    # It becomes a link that a person presses: it leads to their GitHub or nowhere.
    if html_url.startswith(f"{server_url}/") and html_url.isprintable():
        return html_url
    if not _SLUG.fullmatch(slug):
        raise ValueError(slug)
    place = "apps" if urlsplit(server_url).hostname == "github.com" else "github-apps"
    return f"{server_url}/{place}/{slug}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url or "@" in parts.netloc:
        raise SettingsError(f"--webhook-url: expected https://HOST{WEBHOOK_PATH}.")
    return parts


def _check_webhook(url: str, *, public_only: bool) -> None:
    host = _split(url).hostname or ""
    if not public_only:
        return
    try:
        private = not ipaddress.ip_address(host).is_global
    except ValueError:
        private = "." not in host.rstrip(".") or host.rstrip(".").endswith((".localhost", ".local", ".internal"))
    if private:
        raise SettingsError(
            f"--webhook-url: github.com cannot reach {host}, and refuses it. Give an address that the internet "
            "reaches, or say --poll: then Draftsman asks GitHub for its events, and needs none."
        )
