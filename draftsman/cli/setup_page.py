"""The page on this machine that a browser begins the setup on, and comes back to from GitHub.

It listens on the loopback address alone. Whoever else is on this machine can reach it, and so can any web page
that their browser shows: so the address that begins holds a key, GitHub's answer a state, and both are compared
with what was given out.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from html import escape
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.github_error import GitHubError
from bot.setup import Credentials, Wish, form_address, install_address, manifest
from draftsman.domain.errors import DraftsmanError, HostError

ADDRESS = "127.0.0.1"

Exchange = Callable[[str], Awaitable[Credentials]]
"""Turns GitHub's code into credentials. Raises GitHubError."""

Store = Callable[[Credentials], None]
"""Keeps them. Raises DraftsmanError; it is called again with the same ones when the person tries again."""

Tell = Callable[[str], None]
"""Shows a sentence on the terminal."""


class SetupPage:
    """One setup. `finished` holds the credentials once they are stored."""

    def __init__(self, wish: Wish, *, server_url: str, exchange: Exchange, store: Store, tell: Tell) -> None:
        self._wish = wish
        self._server_url = server_url
        self._exchange = exchange
        self._store = store
        self._tell = tell
        self._key = secrets.token_urlsafe(24)
        self._state = secrets.token_urlsafe(24)
        self._turn = asyncio.Lock()
        self._port = 0
        self._credentials: Credentials | None = None
        self.finished: asyncio.Future[Credentials] = asyncio.get_running_loop().create_future()

    @property
    def address(self) -> str:
        """Return where a browser begins. The key in it is for the person who started the setup."""
        return f"{self._origin}/?key={self._key}"

    @property
    def _origin(self) -> str:
        return f"http://{ADDRESS}:{self._port}"

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        """Serve the page until the block ends; port 0 takes a free one. Raises HostError where it is taken."""
        app = web.Application(middlewares=[self._only_here])
        app.on_response_prepare.append(self._secure)
        app.router.add_get("/", self._begin)
        app.router.add_get("/created", self._created)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, ADDRESS, port).start()
            except OSError as error:
                raise HostError(
                    f"Cannot listen on {ADDRESS}:{port} ({error.strerror}): choose another --port, or leave it out."
                ) from error
            self._port = runner.addresses[0][1]
            yield
        finally:
            await runner.cleanup()

    async def _begin(self, request: web.Request) -> web.Response:
        if not _same(request.query.get("key"), self._key):
            return _page("Not this address", _text("Open the address that `draftsman setup` printed, whole."), 403)
        if self.finished.done():
            return _page("Already done", _text("The App was created; the terminal says how to go on."), 410)
        wanted = manifest(self._wish, server_url=self._server_url, redirect_url=f"{self._origin}/created")
        return _page("Create the GitHub App", self._form(wanted))

    async def _created(self, request: web.Request) -> web.Response:
        code = request.query.get("code", "")
        async with self._turn:  # a reload must not send a code while it is sent
            if self.finished.done():
                return _page("Already done", _text("This answer of GitHub was used; the terminal goes on."), 410)
            if not _same(request.query.get("state"), self._state):
                self._tell("A browser came back from GitHub with another setup's state: it was turned away.")
                return _page("Not this setup", self._again("This answer does not belong to this setup."), 403)
            if not code:
                return _page("No code", self._again("GitHub sent no code along."), 400)
            try:
                if self._credentials is None:
                    self._credentials = await self._exchange(code)
                self._store(self._credentials)
            except DraftsmanError as error:
                return self._failed(error, request)
            self._state = ""
            self.finished.set_result(self._credentials)
            return _page("App created", _done(self._credentials))

    def _failed(self, error: DraftsmanError, request: web.Request) -> web.Response:
        self._tell(str(error))
        if self._credentials is None and isinstance(error, GitHubError) and not error.transient:
            self._state = secrets.token_urlsafe(24)
            return _page("GitHub refused", self._again(str(error)), 502)
        retry = f'<p><a class="button" href="{escape(str(request.rel_url))}">Try again</a></p>'
        return _page("Not yet", _text(str(error)) + retry, 502)

    def _form(self, wanted: dict[str, Any]) -> str:
        rows = "".join(
            f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{escape(level)}</td></tr>"
            for name, level in wanted["default_permissions"].items()
        )
        hook = self._wish.webhook_url or "none: Draftsman asks GitHub for its events"
        owner = self._wish.organization or "your own account"
        action = form_address(self._server_url, self._wish.organization, self._state)
        return (
            f"<p>On <b>{escape(self._server_url)}</b>, for <b>{escape(owner)}</b>. GitHub shows it once more and lets "
            "you change the name. Nothing is installed yet.</p>"
            f"<p>Events go to: <code>{escape(hook)}</code></p>"
            f"<table><tr><th>may</th><th></th></tr>{rows}</table>"
            f'<form method="post" action="{escape(action)}">'
            f'<input type="hidden" name="manifest" value="{escape(json.dumps(wanted))}">'
            f"<button>Create {escape(self._wish.name)} on GitHub</button></form>"
        )

    def _again(self, sentence: str) -> str:
        # No link: whoever is turned away here need not be the person who has the key.
        return _text(f"{sentence} Begin again at the address that `draftsman setup` printed.")

    @web.middleware
    async def _only_here(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # A page elsewhere that makes its own name lead to this machine has that name in its requests.
        if request.host not in (f"{ADDRESS}:{self._port}", f"localhost:{self._port}"):
            return _page("Not this address", _text("This page answers to its own address only."), 403)
        return await handler(request)

    async def _secure(self, _: web.Request, response: web.StreamResponse) -> None:
        parts = urlsplit(self._server_url)
        # A company's sign-in leads the form on to other hosts, and browsers hold them against this list, too.
        target = "https:" if parts.scheme == "https" else f"{parts.scheme}://{parts.netloc}"
        response.headers.update(
            {
                "Content-Security-Policy": (
                    f"default-src 'none'; style-src 'unsafe-inline'; form-action {target}; base-uri 'none'; "
                    "frame-ancestors 'none'"
                ),
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
                # Not the address with its key; and not nothing, with which a form would come from nowhere.
                "Referrer-Policy": "origin",
                "Server": "draftsman",
            }
        )


def _same(given: str | None, expected: str) -> bool:
    return bool(given and expected) and hmac.compare_digest((given or "").encode("utf-8", "replace"), expected.encode())


def _done(credentials: Credentials) -> str:
    link = escape(install_address(credentials.html_url))
    return (
        f"<p><b>{escape(credentials.name)}</b> is there, and its credentials are stored on this machine.</p>"
        f'<p><a class="button" href="{link}">Install it on your repositories</a></p>'
        "<p>The terminal says when that is done, and how to go on. You may close this page.</p>"
    )


def _text(sentence: str) -> str:
    return f"<p>{escape(sentence)}</p>"


def _page(title: str, content: str, status: int = 200) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>{escape(title)} · Draftsman</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{content}</body></html>"
    )
    return web.Response(body=text.encode("utf-8", "replace"), content_type="text/html", charset="utf-8", status=status)


_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;overflow-wrap:anywhere}"
    "td,th{text-align:left;padding:.1rem 1.5rem .1rem 0}"
    "button,.button{font:inherit;display:inline-block;margin-top:1rem;padding:.6rem 1.2rem;border:0;"
    "border-radius:.4rem;background:#1f6f43;color:#fff;text-decoration:none;cursor:pointer}"
)
