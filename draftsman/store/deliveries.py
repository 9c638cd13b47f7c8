"""Deliveries: one webhook that GitHub sent, kept with its exact body. The GUID makes a repeat harmless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from draftsman.store.database import Database, clean


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook. `guid` is X-GitHub-Delivery; `body` is what was signed.

    `source` tells how it came: `sent` by GitHub, `listed` (read from the App's list of deliveries), or `compared`
    (made of what a repository looks like).
    """

    guid: str
    event: str
    action: str | None
    repository_id: int | None
    installation_id: int | None
    body: bytes
    source: str = "sent"


async def insert(db: Database, delivery: Delivery, decision: str) -> bool:
    """Keep the delivery with what was decided. Returns False where its GUID is known already."""
    row = await db.fetchrow(
        """
        INSERT INTO deliveries (guid, event, action, repository_id, installation_id, body, decision, source)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (guid) DO NOTHING RETURNING guid
        """,
        clean(delivery.guid),
        clean(delivery.event),
        None if delivery.action is None else clean(delivery.action),
        delivery.repository_id,
        delivery.installation_id,
        delivery.body,
        clean(decision),
        delivery.source,
    )
    return row is not None


async def known(db: Database, guids: Sequence[str]) -> set[str]:
    """Return those of the GUIDs whose deliveries are kept."""
    rows = await db.fetch("SELECT guid FROM deliveries WHERE guid = ANY($1)", [clean(guid) for guid in guids])
    return {row["guid"] for row in rows}
