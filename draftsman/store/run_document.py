"""A run and its attempts as programs are shown them: by the API and by `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from draftsman.domain.plan import CHECKED_TIERS
from draftsman.domain.run import Attempt
from draftsman.store import artifacts, attempts, audit, runs, steps
from draftsman.store.database import Database


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
        "state": attempt.state,
        "conclusion": attempt.conclusion,
        "title": attempt.title,
        "created_at": attempt.created_at.isoformat(),
        "started_at": _time(attempt.started_at),
        "finished_at": _time(attempt.finished_at),
    }


async def attempt_document(db: Database, attempt: Attempt) -> dict[str, Any]:
    """Return all that is known of one attempt, without its log."""
    plan = await attempts.plan_of(db, attempt.id)
    image = await attempts.image_of(db, attempt.id)
    return {
        **summary(attempt),
        "detail": attempt.detail,
        "image": asdict(image) if image else None,
        "steps": [asdict(step) for step in await steps.of_attempt(db, attempt.id)],
        "annotations": [asdict(found) for found in await steps.findings_of(db, attempt.id)],
        "artifacts": [asdict(kept) for kept in await artifacts.of_attempt(db, attempt.id)],
        "timings": await attempts.timings_of(db, attempt.id),
        "evidence": [asdict(item) for item in plan.evidence] if plan else [],
    }


async def run_document(db: Database, run_id: UUID) -> dict[str, Any] | None:
    """Return all that is known of a run: its newest attempt, its refs, attempts and history. None: no such run."""
    history = await attempts.of_run(db, run_id)
    if not history:
        return None
    return {
        **await attempt_document(db, history[0]),
        "refs": [f"{ref.kind}:{ref.name}" for ref in await runs.refs_of(db, run_id)],
        "attempts": [summary(attempt) for attempt in history],
        "history": [_event(asdict(event)) for event in await audit.of_run(db, run_id)],
    }


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    attempt_id = event["attempt_id"]
    return {**event, "at": event["at"].isoformat(), "attempt_id": None if attempt_id is None else str(attempt_id)}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
