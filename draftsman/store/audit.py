"""The audit trail: who did what, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from draftsman.store.database import Database, clean

RECEIVED = "delivery.received"
"""The action that notes a delivery and what was decided about it."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the trail. `attempt` is the attempt's number; `repo` is OWNER/NAME where it is about a repository.

    What was removed since has neither.
    """

    id: int
    at: datetime
    actor: str
    action: str
    run_id: UUID | None
    attempt_id: UUID | None
    delivery: str | None
    detail: Mapping[str, Any]
    attempt: int | None = None
    repo: str | None = None


_SELECT = """
    SELECT e.id, e.at, e.actor, e.action, e.run_id, e.attempt_id, e.delivery, e.detail, a.number AS attempt,
           coalesce(p.full_name, e.detail ->> 'repo') AS repo
    FROM audit_events e LEFT JOIN attempts a ON a.id = e.attempt_id
    LEFT JOIN runs r ON r.id = e.run_id LEFT JOIN repositories p ON p.id = r.repository_id
"""


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
    """Add one line. `actor` is `worker <id>`, `delivery`, `reconciler`, `reporter`, `tasks` or a person's login."""
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
    rows = await db.fetch(f"{_SELECT} WHERE e.run_id = $1 ORDER BY e.id", run_id)
    return _told([AuditEvent(**dict(row)) for row in rows])


async def of_delivery(db: Database, guid: str) -> list[AuditEvent]:
    """Return what a delivery led to, oldest first."""
    rows = await db.fetch(f"{_SELECT} WHERE e.delivery = $1 ORDER BY e.id", clean(guid))
    return _told([AuditEvent(**dict(row)) for row in rows])


def _told(events: list[AuditEvent]) -> list[AuditEvent]:
    """Return the events as one tells them: that a delivery arrived is noted when all it led to is, and comes first."""
    first: dict[str, int] = {}
    for event in events:
        if event.delivery is not None:
            first.setdefault(event.delivery, event.id)

    def place(event: AuditEvent) -> tuple[int, bool]:
        is_arrival = event.action == RECEIVED and event.delivery is not None
        return (first[event.delivery or ""] if is_arrival else event.id), not is_arrival

    return sorted(events, key=place)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines of the trail: all those for which everything that is not None holds.

    `repo` is OWNER/NAME in any case; `actor` did it, or sent the event that did; `action` is one (`run.approved`) or a
    family of them (`run`); `before` is the id of a line, and older ones are meant.
    """

    since: datetime | None = None
    repo: str | None = None
    actor: str | None = None
    action: str | None = None
    before: int | None = None


async def recent(db: Database, wanted: AuditFilter, *, limit: int) -> list[AuditEvent]:
    """Return the newest lines that the filter lets pass, newest first."""
    conditions = {
        "e.at >= ?": wanted.since,
        "e.id < ?": wanted.before,
        "lower(coalesce(p.full_name, e.detail ->> 'repo')) = lower(?)": wanted.repo,
        "lower(?) IN (lower(e.actor), lower(e.detail ->> 'sender'))": wanted.actor,
        "starts_with(e.action || '.', ?::text || '.')": wanted.action,
    }
    # Only what is asked for stands in the statement, so that Postgres plans it for that.
    asked = [(text, value) for text, value in conditions.items() if value is not None]
    where = " AND ".join(text.replace("?", f"${number}") for number, (text, _) in enumerate(asked, start=2))
    rows = await db.fetch(
        f"{_SELECT} {'WHERE ' + where if where else ''} ORDER BY e.id DESC LIMIT $1",
        limit,
        *(clean(value) if isinstance(value, str) else value for _, value in asked),
    )
    return [AuditEvent(**dict(row)) for row in rows]
