"""What an administrator has to look after, each with a page that says what it means and how to mend it. Pure.

Logs, `draftsman doctor`, health checks and errors name the page; `draftsman alerts NAME` shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Alert(StrEnum):
    """The name of a page below `docs/alerts`. A name that was given once is kept: people link to it."""

    POSTGRES_AWAY = "postgres-away"
    POSTGRES_REFUSES = "postgres-refuses"
    MIGRATIONS_PENDING = "migrations-pending"
    REDIS_AWAY = "redis-away"
    ENGINE_AWAY = "engine-away"
    REGISTRY_AWAY = "registry-away"
    NO_WORKER = "no-worker"
    WORKER_LOST = "worker-lost"
    NO_PROGRESS = "no-progress"
    FENCE_NOT_PROVEN = "fence-not-proven"
    DISK_NEARLY_FULL = "disk-nearly-full"
    BACKUP_TOO_OLD = "backup-too-old"
    QUEUE_FULL = "queue-full"
    GITHUB_AWAY = "github-away"
    GITHUB_REFUSES = "github-refuses"
    RATE_LIMIT = "rate-limit"
    CLOCK_WRONG = "clock-wrong"
    PRIVATE_KEY_WRONG = "private-key-wrong"
    WEBHOOK_SECRET_WRONG = "webhook-secret-wrong"  # noqa: S105
    PERMISSIONS_MISSING = "permissions-missing"
    DELIVERIES_GAP = "deliveries-gap"

    @property
    def page(self) -> str:
        """Return the file of its page, as it lies in the repository."""
        return f"docs/alerts/{self}.md"

    @property
    def extra(self) -> Mapping[str, object]:
        """Return what a line of the log is given, for the page to be named at its end (`extra=`)."""
        return {"alert": self}
