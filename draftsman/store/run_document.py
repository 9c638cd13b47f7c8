"""A run and its attempts as programs are shown them: by the API and by `--json`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from draftsman.domain.plan import CHECKED_TIERS
from draftsman.domain.run import Attempt
from draftsman.domain.story import clause
from draftsman.domain.waiting import Terms
from draftsman.store import artifacts, attempts, audit, purge, runs, steps, tasks
from draftsman.store.audit import AuditEvent
from draftsman.store.database import Database
from draftsman.store.deliveries import KeptDelivery
from draftsman.store.queue_document import wait_of


def summary(attempt: Attempt) -> dict[str, Any]:
    """Return what says in one line where an attempt stands."""
    return {
        "run_id": str(attempt.run.id),
        "attempt_id": str(attempt.id),
        "repo": attempt.run.repository.full_name,
        "sha": attempt.run.head_sha,
        "subject": attempt.run.subject,
        "attempt": attempt.number,
        "trust": attempt.trust,
        "tiers": [tier for tier in CHECKED_TIERS if tier in attempt.tiers],
        "rebuild": attempt.rebuild,
        "asked_by": attempt.asked_by,
        "reason": attempt.reason,
        "retry_of": attempt.retry_of,
        "retried_as": attempt.retried_as,
        "not_before": _time(attempt.not_before),
        "state": attempt.state,
        "conclusion": attempt.conclusion,
        "cause": attempt.cause,
        "title": attempt.title,
        "created_at": attempt.created_at.isoformat(),
        "started_at": _time(attempt.started_at),
        "finished_at": _time(attempt.finished_at),
    }


async def attempt_document(db: Database, attempt: Attempt, terms: Terms) -> dict[str, Any]:
    """Return all that is known of one attempt, without its log. `terms` say why it waits, where it does."""
    plan = await attempts.plan_of(db, attempt.id)
    image = await attempts.image_of(db, attempt.id)
    removal = await purge.removal_of(db, attempt.id)
    return {
        **summary(attempt),
        "detail": attempt.detail,
        "wait": await wait_of(db, attempt, terms),
        "image": asdict(image) if image else None,
        "steps": [asdict(step) for step in await steps.of_attempt(db, attempt.id)],
        "annotations": [asdict(found) for found in await steps.findings_of(db, attempt.id)],
        "artifacts": [asdict(kept) for kept in await artifacts.of_attempt(db, attempt.id)],
        "timings": await attempts.timings_of(db, attempt.id),
        "log_removed_at": None if removal is None else removal.at.isoformat(),
        "log_removed_by": None if removal is None else removal.by,
        "evidence": [asdict(item) for item in plan.evidence] if plan else [],
    }


async def run_document(db: Database, run_id: UUID, number: int | None = None, *, terms: Terms) -> dict[str, Any] | None:
    """Return all that is known of a run: an attempt, by default the newest, its refs, all attempts and its history.

    None: there is no such run or attempt. `terms` say why it waits, where it does.
    """
    history = await attempts.of_run(db, run_id)
    shown = next((attempt for attempt in history if number in (None, attempt.number)), None)
    if shown is None:
        return None
    return {
        **await attempt_document(db, shown, terms),
        "refs": [f"{ref.kind}:{ref.name}" for ref in await runs.refs_of(db, run_id)],
        "attempts": [summary(attempt) for attempt in history],
        "history": [event_document(event) for event in await audit.of_run(db, run_id)],
    }


async def delivery_document(db: Database, delivery: KeptDelivery) -> dict[str, Any]:
    """Return all that is known of a delivery, without its body."""
    return {
        **delivery.document(),
        "tasks": [task.document() for task in await tasks.of_delivery(db, delivery.guid)],
        "history": [event_document(event) for event in await audit.of_delivery(db, delivery.guid)],
    }


def event_document(event: AuditEvent) -> dict[str, Any]:
    """Return a line of the audit trail; `text` is what it says in words."""
    return {
        **asdict(event),
        "at": event.at.isoformat(),
        "run_id": None if event.run_id is None else str(event.run_id),
        "attempt_id": None if event.attempt_id is None else str(event.attempt_id),
        "text": clause(event.action, event.detail, event.attempt),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
