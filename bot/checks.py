"""A check run's body: everything that GitHub is told about one tier of an attempt. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bot.annotations import MOST, Annotation, annotation, of_tier
from bot.check_view import CheckView
from bot.markdown import fence, plain
from bot.summary import LIMIT, summary
from bot.verdict import verdict
from draftsman.domain.plan import CHECKED_TIERS, Tier

LOG_BYTES = 32 * 1024
"""Of the end of the log in `output.text`. GitHub takes twice as much; nobody scrolls through it there."""


@dataclass(frozen=True, slots=True)
class CheckBody:
    """One check run, with all of its annotations, however many requests they take."""

    name: str
    status: str
    conclusion: str | None
    external_id: str
    details_url: str
    started_at: str | None
    completed_at: str | None
    title: str
    summary: str
    text: str | None
    annotations: tuple[Annotation, ...]

    @property
    def digest(self) -> str:
        """Return what tells two bodies apart; it begins with status and conclusion."""
        canonical = json.dumps(asdict(self), sort_keys=True)
        return f"{self.status}:{self.conclusion or ''}:{hashlib.sha256(canonical.encode()).hexdigest()}"

    def request(self, shown: tuple[Annotation, ...]) -> dict[str, Any]:
        """Return the JSON of an update that adds these annotations; a create adds `head_sha`."""
        output = {"title": self.title, "summary": self.summary, "text": self.text, "annotations": list(shown)}
        body = {
            "name": self.name,
            "status": self.status,
            "conclusion": self.conclusion,
            "external_id": self.external_id,
            "details_url": self.details_url,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
            "output": {key: value for key, value in output.items() if value},
        }
        return {key: value for key, value in body.items() if value is not None}


def shown_conclusion(digest: str | None) -> str | None:
    """Return the conclusion of the body that was sent last, None where it was not completed."""
    status, _, rest = (digest or "").partition(":")
    return rest.partition(":")[0] if status == "completed" else None


def parse_external_id(text: str) -> tuple[UUID, int, Tier] | None:
    """Return run, number of the attempt and tier out of an `external_id` of ours, None for any other text."""
    run, number, tier = (*text.split("/"), "", "")[:3] if text.count("/") == 2 else ("", "", "")
    if tier not in CHECKED_TIERS or not number.isdecimal() or len(number) > 9:
        return None
    try:
        return UUID(run), int(number), Tier(tier)
    except ValueError:
        return None


def check_run_name(tier: Tier) -> str:
    """Return the name that branch protection rules require."""
    return f"Draftsman / {tier}"


def check_run_body(view: CheckView, tier: Tier) -> CheckBody:
    """Return the body of the tier's check run as the attempt stands."""
    attempt = view.attempt
    findings = of_tier(view.findings, tier)
    found = verdict(view, tier, findings)
    shown = tuple(annotation(finding) for finding in findings[:MOST])
    completed = found.status == "completed"
    tail = plain(view.log_tail).strip() if completed and attempt.started_at else ""
    return CheckBody(
        name=check_run_name(tier),
        status=found.status,
        conclusion=found.conclusion,
        external_id=f"{attempt.run.id}/{attempt.number}/{tier}",
        details_url=view.details_url,
        started_at=None if attempt.started_at is None else _timestamp(attempt.started_at),
        completed_at=_completed_at(view, tier) if completed else None,
        title=found.title,
        summary=summary(view, tier, found, findings, most=MOST),
        text=fence(tail, min(LOG_BYTES, LIMIT)) if tail else None,
        annotations=shown,
    )


def log_sections(view: CheckView, tier: Tier) -> frozenset[str] | None:
    """Return the sections of the log whose end explains the tier, None for the whole log.

    The failing step's where one failed; else the tier's own; else everything, since the trouble came earlier.
    """
    failed = view.culprit
    if failed is not None and failed.tier in (Tier.SETUP, tier):
        return frozenset({failed.id})
    ran = frozenset(step.id for step in view.of(tier) if step.state != "pending")
    if ran:
        return ran
    return frozenset() if failed is not None else None


def _completed_at(view: CheckView, tier: Tier) -> str | None:
    """Return when the tier ended: the fast one before the full one ran. None lets GitHub take its own clock."""
    if view.attempt.finished_at is None:
        return None
    after = sum(step.seconds or 0 for step in view.of(Tier.FULL)) if tier is Tier.FAST else 0
    return _timestamp(view.attempt.finished_at - timedelta(seconds=after))


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
