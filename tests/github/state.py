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

if TYPE_CHECKING:
    from tests.github.repository import Repository

TOKEN_LIFE_SECONDS = 3600

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
class Installation:
    """The App on one account; `repository_ids` None means all of the account's repositories."""

    id: int
    account: Account
    permissions: dict[str, str]
    events: tuple[str, ...]
    repository_ids: set[int] | None
    created_at: str
    suspended_at: str | None = None

    def covers(self, repository: Repository) -> bool:
        if self.repository_ids is None:
            return repository.owner.id == self.account.id
        return repository.id in self.repository_ids


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
    """The primary rate limit of one caller, in requests an hour."""

    reset: float
    limit: int = 5000
    remaining: int = 5000


@dataclass(frozen=True)
class Addresses:
    """Where the stand-in's API and its web (and git) side answer, without a trailing slash."""

    api: str
    web: str


class State:
    """Everything that the stand-in remembers about the world outside of checks and deliveries."""

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
        self.app = self._create_app()

    def next_id(self) -> int:
        return next(self._ids)

    def account(self, login: str, kind: Literal["User", "Organization", "Bot"] = "User") -> Account:
        """The account with this login, made if it is new."""
        return self.accounts.setdefault(login.lower(), Account(self.next_id(), login, kind))

    def repository(self, owner: str, name: str) -> Repository | None:
        """The repository of this name; GitHub ignores case."""
        wanted = f"{owner}/{name}".lower()
        return next((r for r in self.repositories.values() if r.full_name.lower() == wanted), None)

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
        )
        self.installations[installation.id] = installation
        return installation

    def installation_of(self, repository: Repository) -> Installation | None:
        return next((i for i in self.installations.values() if i.covers(repository)), None)

    def repositories_of(self, installation: Installation) -> Iterator[Repository]:
        return (r for r in self.repositories.values() if installation.covers(r))

    def rate_limit(self, caller: str) -> RateLimit:
        """The caller's rate limit, renewed if its hour is over."""
        now = self.clock.now()
        current = self.rate_limits.get(caller)
        if current is None or current.reset <= now:
            limit = current.limit if current else 5000
            current = self.rate_limits[caller] = RateLimit(now + 3600, limit, limit)
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
