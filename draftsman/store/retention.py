"""Rows whose time is over. Removed in batches, each its own short transaction, so that nobody waits for a lock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from draftsman.store.database import Pool

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days rows are kept: those of attempts from their end, all others from their own."""

    log_days: float = 30
    artifact_days: float = 14
    audit_days: float = 365
    delivery_days: float = 30


_OLD = {
    "log chunks": (
        "log_chunks",
        "attempt_id IN (SELECT id FROM attempts WHERE state = 'finished' AND finished_at < now() - $1::interval)",
    ),
    "artifacts": ("artifacts", "created_at < now() - $1::interval"),
    "audit rows": ("audit_events", "at < now() - $1::interval"),
    "deliveries": ("deliveries", "received_at < now() - $1::interval"),
    "tasks": ("tasks", "state <> 'open' AND ended_at < now() - $1::interval"),
}


async def old_rows(pool: Pool[Any], keep: Keep, *, dry_run: bool) -> dict[str, int]:
    """Remove what is older than it is kept, and return how many rows of each kind; with `dry_run`, count them only."""
    days = {
        "log chunks": keep.log_days,
        "artifacts": keep.artifact_days,
        "audit rows": keep.audit_days,
        "deliveries": keep.delivery_days,
        "tasks": keep.delivery_days,
    }
    return {kind: await _old(pool, kind, timedelta(days=days[kind]), dry_run=dry_run) for kind in _OLD}


async def _old(pool: Pool[Any], kind: str, age: timedelta, *, dry_run: bool) -> int:
    table, where = _OLD[kind]
    if dry_run:
        count: int = await pool.fetchval(f"SELECT count(*) FROM {table} WHERE {where}", age)  # noqa: S608
        return count
    removed = 0
    while True:
        gone: int = await pool.fetchval(
            f"WITH gone AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608
            f"SELECT ctid FROM {table} WHERE {where} LIMIT {_BATCH})) RETURNING 1) SELECT count(*) FROM gone",
            age,
        )
        removed += gone
        if gone < _BATCH:
            return removed
        await asyncio.sleep(0)
