"""The audit trail: who did what, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of a run's history."""

    at: datetime
    actor: str
    action: str
    attempt_id: UUID | None
    delivery: str | None
    detail: Mapping[str, Any]


async def record(
    db: Database,
    *,
    actor: str,
    action: str,
    run_id: UUID | None = None,
    attempt_id: UUID | None = None,
    delivery: str | None = None,
    **detail: Any,
) -> None:
    """Add one line. `actor` is `worker <id>`, `delivery`, `reconciler` or a person's login."""
    await db.execute(
        "INSERT INTO audit_events (actor, action, run_id, attempt_id, delivery, detail) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        clean(actor),
        action,
        run_id,
        attempt_id,
        delivery,
        detail,
    )


async def of_run(db: Database, run_id: UUID) -> list[AuditEvent]:
    """Return the run's history, oldest first."""
    rows = await db.fetch(
        "SELECT at, actor, action, attempt_id, delivery, detail FROM audit_events WHERE run_id = $1 ORDER BY id",
        run_id,
    )
    return [AuditEvent(**dict(row)) for row in rows]
