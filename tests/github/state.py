"""What the stand-in knows: one App, its installations and tokens, accounts, repositories.

Values and look-ups only; who may do what is decided in `tokens.py`, what GitHub would say in the operations.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.github.clock import Clock
from tests.github.installations import Installation

if TYPE_CHECKING:
    from tests.github.announcer import Announcer
    from tests.github.comments import Comment
    from tests.github.pulls import Pull
    from tests.github.repository import Repository

TOKEN_LIFE_SECONDS = 3600

# Requests, and the seconds in which they may be made (docs.github.com, rate limits of the REST API).
RATES = {"core": (5000, 3600), "search": (30, 60)}

# The least that Draftsman asks for (docs.github.com, permissions of the endpoints that it uses).
PERMISSIONS = {
    "checks": "write",
    "contents": "read",
    "issues": "write",
    "merge_queues": "read",
    "metadata": "read",
    "pull_requests": "write",
}
EVENTS = ("check_run", "check_suite", "issue_comment", "merge_group", "pull_request", "push", "repository")


@dataclass(frozen=True)
class Account:
    """A person, an organization or a bot."""

    id: int
    login: str
    type: Literal["User", "Organization", "Bot"]


@dataclass
class App:
    """The one GitHub App that the stand-in hosts."""

    id: int
    client_id: str
    slug: str
    name: str
    owner: Account
    webhook_secret: str
    private_key: rsa.RSAPrivateKey
    created_at: str
    hook_id: int
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS))
    events: tuple[str, ...] = EVENTS
    webhook_url: str | None = None

    @property
    def private_key_pem(self) -> str:
        """The key as GitHub lets an owner download it (PKCS#1, PEM)."""
        return self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()


@dataclass
class InstallationToken:
    """A token of one installation, perhaps narrowed; `repository_ids` None means all of the installation."""

    token: str
    installation: Installation
    permissions: Mapping[str, str]
    repository_ids: frozenset[int] | None
    expires_at: float
    revoked: bool = False

    def covers(self, repository: Repository) -> bool:
        narrowed = self.repository_ids is not None and repository.id not in self.repository_ids
        return self.installation.covers(repository) and not narrowed


@dataclass
class RateLimit:
    """The primary rate limit of one caller for one kind of request."""

    reset: float
    limit: int = 5000
    remaining: int = 5000
    resource: str = "core"


@dataclass(frozen=True)
class Addresses:
    """Where the stand-in's API and its web (and git) side answer, without a trailing slash."""

    api: str
    web: str


class State:
    """Everything that the stand-in remembers about the world outside of checks and deliveries.

    `announcer` is told what happens; it is set once, before anything can happen.
    """

    announcer: Announcer

    def __init__(self, clock: Clock, addresses: Addresses) -> None:
        self.clock = clock
        self.addresses = addresses
        # Beyond 2**32, as GitHub's ids of check runs are: a column or type that is too small shows at once.
        self._ids = itertools.count(5_000_000_001)
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[int, Repository] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, InstallationToken] = {}
        self.rate_limits: dict[str, RateLimit] = {}
        self.comments: dict[int, Comment] = {}
        self.deleted_repositories: dict[int, Repository] = {}
        # Old full name (lower case) -> id of the repository that had it.
        self.moved_repositories: dict[str, int] = {}
        # Organization and team slug (lower case) -> logins (lower case) and their roles in the team.
        self.teams: dict[tuple[str, str], dict[str, str]] = {}
        self.app = self._create_app()

    def next_id(self) -> int:
        return next(self._ids)

    def account(self, login: str, kind: Literal["User", "Organization", "Bot"] = "User") -> Account:
        """The account with this login, made if it is new; `...[bot]` is a bot's."""
        kind = "Bot" if login.endswith("[bot]") else kind
        return self.accounts.setdefault(login.lower(), Account(self.next_id(), login, kind))

    @property
    def app_account(self) -> Account:
        """The bot that the App writes as."""
        return self.account(f"{self.app.slug}[bot]")

    def repository(self, owner: str, name: str) -> Repository | None:
        """The repository of this name; GitHub ignores case."""
        wanted = f"{owner}/{name}".lower()
        return next((r for r in self.repositories.values() if r.full_name.lower() == wanted), None)

    def moved_repository(self, owner: str, name: str) -> Repository | None:
        """The repository that had this name before it was renamed or transferred."""
        return self.repositories.get(self.moved_repositories.get(f"{owner}/{name}".lower(), 0))

    def any_repository(self, number: int) -> Repository:
        """The repository with this id, deleted ones included."""
        return self.repositories.get(number) or self.deleted_repositories[number]

    def open_pulls(self) -> Iterator[Pull]:
        """The open pull requests of all repositories."""
        return (p for r in self.repositories.values() for p in r.pulls.values() if p.state == "open")

    def install(
        self,
        login: str,
        *,
        repository_ids: set[int] | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> Installation:
        """The App's new installation on an account, by default on all its repositories as the App asks."""
        installation = Installation(
            id=self.next_id(),
            account=self.account(login, "Organization"),
            permissions=dict(self.app.permissions if permissions is None else permissions),
            events=self.app.events,
            repository_ids=repository_ids,
            created_at=self.clock.timestamp(),
            state=self,
        )
        self.installations[installation.id] = installation
        return installation

    def installation_of(self, repository: Repository) -> Installation | None:
        return next((i for i in self.installations.values() if i.covers(repository)), None)

    def repositories_of(self, installation: Installation) -> Iterator[Repository]:
        return (r for r in self.repositories.values() if installation.covers(r))

    def rate_limit(self, caller: str, resource: str = "core") -> RateLimit:
        """The caller's rate limit for `core` (an hour) or `search` (a minute), renewed if its time is over."""
        now = self.clock.now()
        usual, seconds = RATES[resource]
        current = self.rate_limits.get(f"{caller} {resource}")
        if current is None or current.reset <= now:
            limit = current.limit if current else usual
            current = RateLimit(now + seconds, limit, limit, resource)
            self.rate_limits[f"{caller} {resource}"] = current
        return current

    def _create_app(self) -> App:
        return App(
            id=1_234_567,
            client_id="Iv23li" + secrets.token_hex(7),
            slug="draftsman-test",
            name="Draftsman Test",
            owner=self.account("draftsman-owners", "Organization"),
            webhook_secret=secrets.token_urlsafe(24),
            private_key=rsa.generate_private_key(public_exponent=65537, key_size=2048),
            created_at=self.clock.timestamp(),
            hook_id=self.next_id(),
        )
