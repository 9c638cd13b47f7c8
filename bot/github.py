"""GitHub's REST API as our App: its JWT, narrowed installation tokens, requests with limits.

Every request is made once, or once more where GitHub asks for it (a token that expired, a repository that was
renamed). Trying again later is the caller's: it gets a GitHubError that says whether and when. What an installation
may still ask is counted (`bot/budget.py`): while it is to be left alone, its requests fail here, unsent. Tokens reach
GitHub's own address only and are never logged.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
from gidgethub.sansio import create_headers

from bot.budget import Budget, Pace
from bot.github_error import GitHubError, refusal
from draftsman import __version__
from draftsman.domain.errors import SettingsError
from draftsman.domain.run import Repository

log = logging.getLogger(__name__)

API_VERSION = "2022-11-28"
ACCEPT = "application/vnd.github+json"
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
CONNECTIONS = 20
"""At once. GitHub's secondary limit is 100 for everything that an App does."""

LARGEST_ANSWER = 32 * 2**20
"""Bytes. The largest that we ask for is a delivery, whose payload has 25 MB at most."""

JWT_BACKDATED = 60
JWT_AHEAD = 8 * 60
"""Seconds. GitHub takes at most 10 minutes, and clocks drift."""

TOKEN_MARGIN = 5 * 60
"""Seconds before its end at which a token is not used any more: a clone may take that long."""

USUAL_PACE = Pace()

CHECKS = {"checks": "write"}
CONTENTS = {"contents": "read"}

REDIRECTS = (301, 302, 307, 308)

Permissions = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. `body` is the decoded JSON, None where there is none.

    `status` is 304 where the caller gave an ETag, and what it names is still so.
    """

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def etag(self) -> str | None:
        """Return what names this state of the answer, None where GitHub gave no name."""
        return self.headers.get("ETag")


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    expires: float


@dataclass(frozen=True, slots=True)
class _TokenKey:
    """What a token is good for; `repository_id` None: for all repositories of the installation."""

    installation_id: int
    repository_id: int | None
    permissions: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request but for its credential. `path` begins with a slash."""

    method: str
    path: str
    body: Any = None
    query: Mapping[str, str] | None = None
    etag: str | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@asynccontextmanager
async def connect(*, app_id: str, private_key: str, api_url: str, pace: Pace = USUAL_PACE) -> AsyncIterator[GitHub]:
    """Yield the App's client with a session of its own; proxies come from the environment.

    Raises SettingsError where the private key cannot sign.
    """
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, trust_env=True) as session:
        yield GitHub(session, app_id=app_id, private_key=private_key, api_url=api_url, pace=pace)


class GitHub:
    """The App's client."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        app_id: str,
        private_key: str,
        api_url: str,
        pace: Pace = USUAL_PACE,
    ) -> None:
        self._session = session
        self._fresh = Budget(pace=pace)
        self._app_id = app_id
        self._private_key = private_key
        self._api_url = api_url.rstrip("/")
        self._clock_ahead = 0.0
        self._tokens: dict[_TokenKey, asyncio.Task[_Token]] = {}
        self._budgets: dict[int, Budget] = {}
        self._app_jwt()

    def is_own_app(self, app: object) -> bool:
        """Return whether this is our App, as an answer of GitHub's shows it."""
        known = app if isinstance(app, Mapping) else {}
        return self._app_id in (str(known.get("id")), known.get("client_id"))

    @property
    def clock_ahead(self) -> float:
        """Return the seconds that GitHub's clock is ahead of ours, by its newest answer; 0 before the first."""
        return self._clock_ahead

    def paused_until(self, installation_id: int) -> float:
        """Return until when GitHub is to be left alone with this installation, in seconds of `time.monotonic`.

        It lies in the past where it may be asked now. Whoever has much to ask looks here first: until then every
        `request` fails.
        """
        return self._budget(installation_id).paused_until(time.monotonic())

    def paused(self) -> dict[int, float]:
        """Return the installations that GitHub is to be left alone with, and until when (`time.monotonic`)."""
        now = time.monotonic()
        until = {known: budget.paused_until(now) for known, budget in self._budgets.items()}
        return {known: at for known, at in until.items() if at > now}

    def thrifty(self) -> list[int]:
        """Return the installations whose requests run short: only what must be told is worth one."""
        now = time.monotonic()
        return [known for known, budget in self._budgets.items() if budget.is_thrifty(now)]

    def _budget(self, installation_id: int) -> Budget:
        return self._budgets.get(installation_id, self._fresh)

    async def as_app(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        etag: str | None = None,
    ) -> Answer:
        """Send a request with the App's JWT. Raises GitHubError.

        With the `etag` of an earlier answer, the answer is 304, at no cost, where nothing changed since.
        """
        asked = _Asked(method, path, body, query, etag)
        try:
            return await self._send(asked, {"jwt": self._app_jwt()})
        except GitHubError as error:
            if error.status != 401:
                raise
        # The refusal carried GitHub's time: a JWT made with it is right if our clock was wrong.
        return await self._send(asked, {"jwt": self._app_jwt()})

    async def request(
        self,
        repository: Repository,
        permissions: Permissions,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        etag: str | None = None,
    ) -> Answer:
        """Send a request with a token for this repository and these permissions alone.

        `path` is relative to the API's address and begins with a slash; `etag` is that of `as_app`.
        Raises GitHubError, also without asking where the installation is to be left alone: then it is `limited`, and
        says for how long.
        """
        return await self._with_token(_key(repository, permissions), _Asked(method, path, body, query, etag))

    async def installation_request(
        self,
        installation_id: int,
        permissions: Permissions,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request with a token for all repositories of the installation, and for these permissions alone.

        It is for what concerns many repositories, and reads: a token that writes is always one repository's.
        Raises GitHubError.
        """
        key = _TokenKey(installation_id, None, frozenset(permissions.items()))
        return await self._with_token(key, _Asked(method, path, query=query))

    async def _with_token(self, key: _TokenKey, asked: _Asked) -> Answer:
        self._demand_room(key.installation_id)
        try:
            token = await self._token(key)
            try:
                return await self._send(asked, {"oauth_token": token}, key.installation_id)
            except GitHubError as error:
                if error.status != 401:
                    raise
            self._tokens.pop(key, None)
            return await self._send(asked, {"oauth_token": await self._token(key)}, key.installation_id)
        except GitHubError as error:
            if error.limited and error.retry_after is not None:
                refused = self._budget(key.installation_id).refused(error.retry_after, time.monotonic())
                self._budgets[key.installation_id] = refused
            raise

    def _demand_room(self, installation_id: int) -> None:
        wait = self.paused_until(installation_id) - time.monotonic()
        if wait > 0:
            sentence = (
                f"GitHub is not asked about installation {installation_id} for {wait:.0f} s: its limits are used up."
            )
            raise GitHubError(sentence, status=429, retry_after=wait)

    async def contents_token(self, repository: Repository) -> str:
        """Return a token that reads this repository alone, for 5 minutes at least. Raises GitHubError."""
        return await self.token(repository, CONTENTS)

    async def token(self, repository: Repository, permissions: Permissions) -> str:
        """Return an installation token for this repository and these permissions alone. Raises GitHubError."""
        return await self._token(_key(repository, permissions))

    async def _token(self, key: _TokenKey) -> str:
        known = self._tokens.get(key)
        if known is None or (known.done() and not self._usable(known)):
            self._drop_expired()
            known = asyncio.create_task(self._new_token(key))
            # Whoever waited may be gone when it fails; that is no "exception was never retrieved".
            known.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._tokens[key] = known
        # Shielded: others wait for the same token.
        return (await asyncio.shield(known)).text

    async def _new_token(self, key: _TokenKey) -> _Token:
        narrowed = {} if key.repository_id is None else {"repository_ids": [key.repository_id]}
        answer = await self.as_app(
            "POST",
            f"/app/installations/{key.installation_id}/access_tokens",
            body={**narrowed, "permissions": dict(key.permissions)},
        )
        try:
            return _Token(str(answer.body["token"]), datetime.fromisoformat(answer.body["expires_at"]).timestamp())
        except (KeyError, TypeError, ValueError):
            raise GitHubError("GitHub answered a request for a token with something else.", status=502) from None

    def _usable(self, task: asyncio.Task[_Token]) -> bool:
        failed = task.cancelled() or task.exception() is not None
        return not failed and task.result().expires - TOKEN_MARGIN > self._now()

    def _drop_expired(self) -> None:
        self._tokens = {key: task for key, task in self._tokens.items() if not task.done() or self._usable(task)}

    def _now(self) -> float:
        """Return GitHub's time, as far as we know it."""
        return time.time() + self._clock_ahead

    def _app_jwt(self) -> str:
        now = int(self._now())
        claims = {"iat": now - JWT_BACKDATED, "exp": now + JWT_AHEAD, "iss": self._app_id}
        try:
            return jwt.encode(claims, self._private_key, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            raise SettingsError(
                "The private key of the GitHub App cannot be read: it must be the RSA key in PEM format that GitHub "
                "gave you (GITHUB_PRIVATE_KEY_FILE or GITHUB_PRIVATE_KEY)."
            ) from None

    async def _send(self, asked: _Asked, credential: dict[str, str], installation_id: int | None = None) -> Answer:
        answer = await self._counted(asked, self._api_url + asked.path, credential, installation_id)
        if answer.status not in REDIRECTS:
            return self._success(asked, answer)
        # A renamed repository. The request goes there as it is: aiohttp would turn a POST into a GET.
        location = answer.headers.get("Location", "")
        if not location.startswith(f"{self._api_url}/"):
            raise GitHubError(f"GitHub redirected {asked.name} to another host.", status=answer.status)
        moved = await self._counted(replace(asked, query=None), location, credential, installation_id)
        return self._success(asked, moved)

    async def _counted(
        self, asked: _Asked, url: str, credential: dict[str, str], installation_id: int | None
    ) -> Answer:
        """Send the request once, and keep what it costs the installation; None: it costs none."""
        if installation_id is None:
            return await self._once(asked, url, credential)
        self._budgets[installation_id] = self._budget(installation_id).sending(asked.method, time.monotonic())
        answer = await self._once(asked, url, credential)
        self._budgets[installation_id] = self._budget(installation_id).answered(
            answer.headers, githubs_time=self._now(), now=time.monotonic()
        )
        return answer

    def _success(self, asked: _Asked, answer: Answer) -> Answer:
        unchanged = answer.status == 304 and asked.etag is not None
        if not unchanged and not 200 <= answer.status < 300:
            raise refusal(asked.name, answer.status, answer.headers, answer.body, now=self._now())
        return answer

    async def _once(self, asked: _Asked, url: str, credential: dict[str, str]) -> Answer:
        headers = create_headers(f"draftsman/{__version__}", accept=ACCEPT, **credential)
        headers["x-github-api-version"] = API_VERSION
        if asked.etag is not None:
            headers["if-none-match"] = asked.etag
        what = f"{asked.method} {urlsplit(url).path}"
        try:
            async with self._session.request(
                asked.method,
                url,
                headers=headers,
                json=asked.body,
                params=asked.query,
                allow_redirects=False,
                timeout=TIMEOUT,
            ) as response:
                content = await _read(response, what)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise GitHubError(f"GitHub did not answer {what}: {error or type(error).__name__}") from error
        log.debug("%s: %s", what, response.status)
        self._set_clock(response.headers.get("Date"))
        return Answer(response.status, response.headers, _decode(content, what, response.status))

    def _set_clock(self, date: str | None) -> None:
        try:
            self._clock_ahead = parsedate_to_datetime(date or "").timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            log.debug("an answer of GitHub without a time")


async def _read(response: aiohttp.ClientResponse, what: str) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise GitHubError(f"GitHub's answer to {what} is larger than {LARGEST_ANSWER} bytes.", status=502)
    return bytes(content)


def _decode(content: bytes, what: str, status: int) -> Any:
    if not content:
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        if 200 <= status < 300:
            raise GitHubError(f"GitHub's answer to {what} is no JSON.", status=502) from None
        return None  # an error page of a proxy; the status says enough


def _key(repository: Repository, permissions: Permissions) -> _TokenKey:
    if repository.installation_id is None:
        raise GitHubError(f"The App is not installed on {repository.full_name}.", status=404)
    return _TokenKey(repository.installation_id, repository.id, frozenset(permissions.items()))
