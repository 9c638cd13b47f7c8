"""Deliveries: one webhook that GitHub sent, kept with its exact body. The GUID makes a repeat harmless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook. `guid` is X-GitHub-Delivery; `body` is what was signed.

    `source` tells how it came: `sent` by GitHub, `listed` (read from the App's list of deliveries), or `compared`
    (made of what a repository looks like). `repo` is OWNER/NAME and `sender` a login, where the payload has them.
    """

    guid: str
    event: str
    action: str | None
    repository_id: int | None
    installation_id: int | None
    body: bytes
    source: str = "sent"
    repo: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class KeptDelivery:
    """A delivery as people are shown it. `decision` is what was decided; `run_id` is the run that it led to, if any.

    `size` counts the bytes of the body. Where that was removed, `body_removed_by` says by whom.
    """

    guid: str
    event: str
    action: str | None
    repo: str | None
    sender: str | None
    source: str
    decision: str
    received_at: datetime
    size: int
    body_removed_at: datetime | None
    body_removed_by: str | None
    run_id: UUID | None

    def document(self) -> dict[str, Any]:
        """Return the delivery as programs are shown it."""
        removed = self.body_removed_at
        return {
            **asdict(self),
            "received_at": self.received_at.isoformat(),
            "body_removed_at": None if removed is None else removed.isoformat(),
            "run_id": None if self.run_id is None else str(self.run_id),
        }


_SELECT = """
    SELECT d.guid, d.event, d.action, coalesce(d.repo, p.full_name) AS repo, d.sender, d.source, d.decision,
           d.received_at, octet_length(d.body) AS size, d.body_removed_at, d.body_removed_by,
           (SELECT e.run_id FROM audit_events e WHERE e.delivery = d.guid AND e.run_id IS NOT NULL
            ORDER BY e.id LIMIT 1) AS run_id
    FROM deliveries d LEFT JOIN repositories p ON p.id = d.repository_id
"""


async def insert(db: Database, delivery: Delivery, decision: str) -> bool:
    """Keep the delivery with what was decided. Returns False where its GUID is known already."""
    row = await db.fetchrow(
        """
        INSERT INTO deliveries
            (guid, event, action, repository_id, installation_id, body, decision, source, repo, sender)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (guid) DO NOTHING RETURNING guid
        """,
        clean(delivery.guid),
        clean(delivery.event),
        None if delivery.action is None else clean(delivery.action),
        delivery.repository_id,
        delivery.installation_id,
        delivery.body,
        clean(decision),
        delivery.source,
        None if delivery.repo is None else clean(delivery.repo),
        None if delivery.sender is None else clean(delivery.sender),
    )
    return row is not None


async def decided(db: Database, guid: str, decision: str) -> None:
    """Keep what came of the delivery where that is more than what was decided about its event."""
    await db.execute("UPDATE deliveries SET decision = $2 WHERE guid = $1", clean(guid), clean(decision))


async def get(db: Database, guid: str) -> KeptDelivery | None:
    """Return the delivery, None where it is not known, or its time is over."""
    row = await db.fetchrow(f"{_SELECT} WHERE d.guid = $1", clean(guid))
    return None if row is None else KeptDelivery(**dict(row))


async def find(db: Database, prefix: str) -> list[str]:
    """Return the GUIDs that begin so, at most 2."""
    rows = await db.fetch("SELECT guid FROM deliveries WHERE starts_with(guid, $1) LIMIT 2", clean(prefix))
    return [row["guid"] for row in rows]


async def recent(
    db: Database,
    *,
    limit: int,
    repo: str | None = None,
    event: str | None = None,
    since: datetime | None = None,
    after: str | None = None,
) -> list[KeptDelivery]:
    """Return the newest deliveries, newest first: those of OWNER/NAME in any case, of one event, since some time.

    `after` is the GUID behind which they begin; behind one that is not there, nothing does.
    """
    conditions = {
        "lower(coalesce(d.repo, p.full_name)) = lower(?)": repo,
        "d.event = ?": event,
        "d.received_at >= ?": since,
        "(d.received_at, d.guid) < (SELECT received_at, guid FROM deliveries WHERE guid = ?)": after,
    }
    asked = [(text, value) for text, value in conditions.items() if value is not None]
    where = " AND ".join(text.replace("?", f"${number}") for number, (text, _) in enumerate(asked, start=2))
    rows = await db.fetch(
        f"{_SELECT} {'WHERE ' + where if where else ''} ORDER BY d.received_at DESC, d.guid DESC LIMIT $1",
        limit,
        *(clean(value) if isinstance(value, str) else value for _, value in asked),
    )
    return [KeptDelivery(**dict(row)) for row in rows]


async def known(db: Database, guids: Sequence[str]) -> set[str]:
    """Return those of the GUIDs whose deliveries are kept."""
    rows = await db.fetch("SELECT guid FROM deliveries WHERE guid = ANY($1)", [clean(guid) for guid in guids])
    return {row["guid"] for row in rows}
