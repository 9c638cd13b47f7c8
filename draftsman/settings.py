"""One typed settings object, made once by the entry point from the environment and passed on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from draftsman.domain.admission import Admission
from draftsman.domain.errors import SettingsError
from draftsman.domain.labels import read_labels
from draftsman.domain.policy import FIELDS, ApprovalPolicy, PolicyError, RepoPolicy, policy_value
from draftsman.domain.retry import RetryRules
from draftsman.domain.waiting import Terms
from draftsman.secret_files import file_name, read_limited, read_secret, with_password

_PREFIX = "DRAFTSMAN_"
_WELL_KNOWN = (
    *("database_url", "database_password", "redis_url", "docker_host"),
    *("http_proxy", "https_proxy", "no_proxy"),
)
"""Fields, beside those that begin with `github_`, whose variable has no prefix of ours."""

_LISTS = (
    *("skip_markers", "job_most", "job_dns", "fence_allow", "fence_deny"),
    *("allow", "deny", "trusted", "labels", "runs_on"),
)
"""Fields that hold several values, parted by commas."""

_OF_DEPLOYMENT = frozenset({"DRAFTSMAN_IMAGE", "DRAFTSMAN_ADMIN_TOKEN_SECRET"})
"""What the files for compose and swarm read and Draftsman does not; it may stand in the same `.env`."""

_HOST = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_PORT = r":[0-9]{1,5}"
REGISTRY = rf"^(((localhost|{_HOST}(\.{_HOST})+)({_PORT})?|{_HOST}{_PORT})(/[a-z0-9]+([._-]+[a-z0-9]+)*)*)?$"
"""A host that an engine does not take for a name at Docker Hub (a dot, a port, or localhost), and a path."""


def _default_home() -> Path:
    if platform.system() == "Darwin":
        return Path.home() / ".draftsman"  # a path without spaces: the embedded servers' URLs carry it
    if os.geteuid() == 0:
        return Path("/var/lib/draftsman")  # the embedded servers run as another user, who may not enter /root
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "draftsman"


class Settings(BaseModel):
    """Every setting. Units are in the names; `.env.example` lists them all with their meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: SecretStr | None = None
    database_password: SecretStr | None = None
    redis_url: SecretStr | None = None
    docker_host: str | None = None

    github_app_id: str | None = Field(None, pattern=r"^[A-Za-z0-9.]{1,64}$")
    github_private_key: SecretStr | None = None
    github_private_key_file: Path | None = None
    github_webhook_secret: SecretStr | None = None
    github_client_id: str | None = None
    github_client_secret: SecretStr | None = None
    github_api_url: str = Field("https://api.github.com", pattern=r"^https?://\S+$")
    github_server_url: str = Field("https://github.com", pattern=r"^https?://\S+$")

    home: Path = Field(default_factory=_default_home)
    host: str = "127.0.0.1"
    port: int = Field(3000, ge=0, le=65535)
    worker_port: int = Field(0, ge=0, le=65535)
    admin_token: SecretStr | None = Field(None, min_length=20)
    public_url: str | None = Field(None, pattern=r"^https?://\S+$")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    labels: tuple[str, ...] = ()
    concurrency: int | None = Field(None, ge=1, le=256)
    concurrency_per_repository: int = Field(2, ge=1, le=256)
    queue_per_repository: int = Field(200, ge=0, le=1_000_000)
    lease_seconds: float = Field(30, ge=1, le=3600)
    max_claims: int = Field(3, ge=1, le=20)
    hand_over_seconds: float = Field(60, ge=0, le=3600)
    leave_seconds: float | None = Field(None, ge=1, le=86_400)
    retries: int = Field(3, ge=0, le=20)
    retry_seconds: float = Field(30, ge=0, le=3600)

    build_timeout_seconds: float = Field(1800, ge=1)
    build_memory_mb: int = Field(4096, ge=64)
    image_max_age_days: float = Field(7, gt=0)
    job_timeout_seconds: float = Field(1800, ge=1)
    step_timeout_seconds: float = Field(1800, ge=1)
    no_output_timeout_seconds: float = Field(1200, ge=1)
    job_memory_mb: int = Field(4096, ge=64)
    job_cpus: float = Field(2, gt=0)
    job_pids: int = Field(1024, ge=16)
    job_file_size_mb: int = Field(4096, ge=1)
    job_log_mb: int = Field(100, ge=1)
    job_log_kept_mb: float = Field(10, gt=0)
    job_workspace_mb: int = Field(10_240, ge=1)
    job_most: tuple[tuple[str, str], ...] = ()
    job_network: Literal["internet", "none"] = "internet"
    job_runtime: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,100}$")
    job_dns: tuple[str, ...] = ()
    disk_free_mb: int = Field(2048, ge=0)
    build_free_mb: int = Field(5120, ge=0)
    fence: Literal["preferred", "required"] = "preferred"
    fence_allow: tuple[str, ...] = ()
    fence_deny: tuple[str, ...] = ()
    log_days: float = Field(30, gt=0)
    artifact_days: float = Field(14, gt=0)
    audit_days: float = Field(365, gt=0)
    # One that is forgotten while GitHub still lists it (7 days on an Enterprise Server) would be done again.
    delivery_days: float = Field(30, ge=8)
    run_days: float = Field(365, gt=0)
    cache_days: float = Field(30, gt=0)
    cache_mb: int = Field(10_240, ge=1)
    image_days: float = Field(30, gt=0)
    image_keep: int = Field(3, ge=1)
    mirror_days: float = Field(60, gt=0)
    backup_hours: int = Field(24, ge=0, le=24 * 31)
    backup_days: int = Field(7, ge=1, le=3650)
    backup_weeks: int = Field(4, ge=0, le=520)
    backup_folder: Path | None = None
    cache_scope: Literal["owner", "instance"] = "owner"

    registry: str = Field("", pattern=REGISTRY)
    registry_user: str = ""
    registry_password: SecretStr | None = None
    image_prefix: str = Field("", pattern=r"^([A-Za-z0-9.:_/-]+/)?$")
    ca_bundle: Path | None = None
    http_proxy: str | None = None
    https_proxy: str | None = None
    no_proxy: str | None = None

    creations_a_minute: int = Field(70, ge=1, le=1_000_000)
    points_a_minute: int = Field(800, ge=10, le=10_000_000)
    delivery: Literal["webhook", "poll"] = "webhook"
    poll_seconds: float = Field(3, ge=0.2, le=3600)
    recovery_seconds: float = Field(300, ge=1, le=86_400)
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    approval: ApprovalPolicy = ApprovalPolicy.FIRST_TIME
    trusted: tuple[str, ...] = ()
    merge_testing: bool = False
    run_drafts: bool = False
    run_tags: bool = False
    supersede: bool = True
    supersede_default_branch: bool = False
    runs_on: tuple[str, ...] = ()
    skip_markers: tuple[str, ...] = ("[skip draftsman]", "[skip ci]", "[ci skip]")
    command_aliases: bool = True

    @field_validator("trusted")
    @classmethod
    def _read_trusted(cls, given: tuple[str, ...]) -> Any:
        try:
            return policy_value("trusted", given)
        except PolicyError as error:
            raise PydanticCustomError("trusted", "{said}", {"said": error.fault}) from None

    @field_validator("labels", "runs_on")
    @classmethod
    def _read_labels(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return read_labels(given)
        except ValueError as error:
            raise PydanticCustomError("labels", "{said}", {"said": str(error)}) from None

    @property
    def policy(self) -> RepoPolicy:
        """Return the policy of repositories for which nothing else is set."""
        return RepoPolicy(**{name: getattr(self, name) for name in FIELDS})

    @property
    def job_slots(self) -> int:
        """Return how many jobs run at once on this worker: the setting, else what cores and memory carry."""
        if self.concurrency is not None:
            return self.concurrency
        cores = os.cpu_count() or 1
        memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        return max(1, min(int(cores / self.job_cpus), memory_mb // self.job_memory_mb))

    @property
    def retry_rules(self) -> RetryRules:
        """Return how often, and when, what failed by no fault of its author is tried again."""
        return RetryRules(self.retries, self.retry_seconds)

    @property
    def admission(self) -> Admission:
        """Return whose repositories are served."""
        return Admission(
            allow=tuple(name.lower() for name in self.allow), deny=tuple(name.lower() for name in self.deny)
        )

    @property
    def terms(self) -> Terms:
        """Return what decides why a run waits."""
        return Terms(self.admission, self.queue_per_repository, self.runs_on)

    @property
    def proxies(self) -> dict[str, str]:
        """Return the proxy variables that builds and jobs get, in both spellings."""
        values = {"HTTP_PROXY": self.http_proxy, "HTTPS_PROXY": self.https_proxy, "NO_PROXY": self.no_proxy}
        return {name: value for key, value in values.items() if value is not None for name in (key, key.lower())}

    @property
    def registry_login(self) -> tuple[str, str] | None:
        """Return user and password of the registry, None where it wants none."""
        password = self.registry_password
        return None if password is None else (self.registry_user, password.get_secret_value())

    def read_ca_bundle(self) -> bytes | None:
        """Return the host's extra CA certificates in PEM, or None. Raises SettingsError where unreadable."""
        if self.ca_bundle is None:
            return None
        return read_limited(self.ca_bundle, "DRAFTSMAN_CA_BUNDLE", limit=4 * 2**20)

    def read_private_key(self) -> str:
        """Return the App's private key in PEM. Raises SettingsError where it is missing or unreadable."""
        if self.github_private_key is not None:
            pem = self.github_private_key.get_secret_value().replace("\\n", "\n")
            name = "GITHUB_PRIVATE_KEY"
        elif self.github_private_key_file is not None:
            name = "GITHUB_PRIVATE_KEY_FILE"
            pem = read_limited(self.github_private_key_file, name, limit=64 * 1024).decode("utf-8", "replace")
        else:
            raise SettingsError(
                "No private key of the GitHub App: set GITHUB_PRIVATE_KEY_FILE to the .pem file that GitHub gave "
                "you when you created the App (or GITHUB_PRIVATE_KEY to its text)."
            )
        if "PRIVATE KEY-----" not in pem:
            raise SettingsError(f"{name} holds no PEM private key; expected a text that begins with '-----BEGIN'.")
        return pem


def environment_names() -> dict[str, str]:
    """Return the environment variable of each field: {field: VARIABLE}."""
    return {
        field: field.upper() if field in _WELL_KNOWN or field.startswith("github_") else f"{_PREFIX}{field}".upper()
        for field in Settings.model_fields
    }


def secret_names() -> dict[str, str]:
    """Return the variable of each secret that may stand in a file of its own, NAME_FILE: {field: NAME}.

    The private key is not among them: its file is a setting like others.
    """
    return {
        field: name
        for field, name in environment_names().items()
        if Settings.model_fields[field].annotation == SecretStr | None and field != "github_private_key"
    }


def without_urls(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what says where database and queue are: others are given instead."""
    names = {"DATABASE_URL", "DATABASE_PASSWORD", "REDIS_URL"}
    return {name: value for name, value in environment.items() if name.removesuffix("_FILE") not in names}


def load(environment: Mapping[str, str]) -> Settings:
    """Return the settings that the environment asks for. Raises SettingsError naming every wrong variable.

    Secrets may be given as files (`secret_names`), and the database's password apart from its URL. The CA bundle falls
    back to SSL_CERT_FILE, so that a host that needs one gives it to builds and jobs.
    """
    names, secrets = environment_names(), secret_names()
    known = _OF_DEPLOYMENT | set(names.values()) | {file_name(name) for name in secrets.values()}
    unknown = sorted(name for name in environment if name.startswith(_PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"Unknown setting: {', '.join(unknown)}. `.env.example` lists every setting.")
    values: dict[str, Any] = {}
    for field, name in names.items():
        value = environment.get(name) or environment.get(name.lower() if field.endswith("_proxy") else name)
        if field in secrets:
            value = read_secret(environment, name)
        if value:
            values[field] = _listed(field, value) if field in _LISTS else value
    if password := values.get("database_password"):
        if "database_url" not in values:
            raise SettingsError("DATABASE_PASSWORD is set without a DATABASE_URL whose password it could be.")
        values["database_url"] = with_password(values["database_url"], password)
    if ("registry_user" in values) is not ("registry_password" in values):
        raise SettingsError("DRAFTSMAN_REGISTRY_USER and DRAFTSMAN_REGISTRY_PASSWORD: set both, or neither.")
    if "ca_bundle" not in values and environment.get("SSL_CERT_FILE"):
        values["ca_bundle"] = environment["SSL_CERT_FILE"]
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError("; ".join(_complaint(item, names) for item in error.errors())) from None


def _listed(field: str, text: str) -> tuple[Any, ...]:
    """Return the parts of a comma-separated value; of limits, (name, value) pairs."""
    parts = (
        [part for part in text.split(",") if part.strip()]
        if field == "skip_markers"
        else text.replace(",", " ").split()
    )
    if field != "job_most":
        return tuple(parts)
    return tuple((name, value) for name, _, value in (part.partition("=") for part in parts))


def _complaint(item: Any, names: Mapping[str, str]) -> str:
    field = str(item["loc"][0])
    return f"{names.get(field, field)}: {item['msg'][0].lower()}{item['msg'][1:]}"
