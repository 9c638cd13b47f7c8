"""A check run's body: everything that GitHub is told about one tier of an attempt. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bot.actions import Action, actions
from bot.annotations import MOST, Annotation, annotation, of_tiers
from bot.check_view import CheckView
from bot.markdown import fence, plain
from bot.summary import LIMIT, summary
from bot.verdict import is_left_out, verdict
from draftsman.domain.plan import Tier

LOG_BYTES = 32 * 1024
"""Of the end of the log in `output.text`. GitHub takes twice as much; nobody scrolls through it there."""

_EXTERNAL_ID = re.compile(
    r"(?P<run>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(?P<number>[1-9][0-9]{0,8})/(?P<tier>fast|full)"
)


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
    actions: tuple[Action, ...] = ()

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
            # Always: those that are left out of an update stay.
            "actions": [asdict(action) for action in self.actions],
        }
        return {key: value for key, value in body.items() if value is not None}


def shown_conclusion(digest: str | None) -> str | None:
    """Return the conclusion of the body that was sent last, None where it was not completed."""
    status, _, rest = (digest or "").partition(":")
    return rest.partition(":")[0] if status == "completed" else None


def check_run_name(tier: Tier) -> str:
    """Return the name that branch protection rules require."""
    return f"Draftsman / {tier}"


def external_id(run_id: UUID, number: int, tier: Tier) -> str:
    """Return the `external_id` of an attempt's check run, by which it is found again."""
    return f"{run_id}/{number}/{tier}"


def parse_external_id(text: str) -> tuple[UUID, int, Tier] | None:
    """Return run, number of the attempt and tier that an `external_id` of ours names, None for any other text."""
    found = _EXTERNAL_ID.fullmatch(text)
    return None if found is None else (UUID(found["run"]), int(found["number"]), Tier(found["tier"]))


def check_run_body(view: CheckView, tier: Tier) -> CheckBody:
    """Return the body of the tier's check run as the attempt stands."""
    attempt = view.attempt
    asked = not is_left_out(view, tier)
    findings = of_tiers(view.findings, view.shown_on(tier)) if asked else ()
    found = verdict(view, tier, findings)
    shown = tuple(annotation(finding) for finding in findings[:MOST])
    completed = found.status == "completed"
    # What was not asked for is told once: nothing of it changes as the attempt goes on.
    started = attempt.started_at if asked else None
    tail = plain(view.log_tail).strip() if completed and started else ""
    return CheckBody(
        name=check_run_name(tier),
        status=found.status,
        conclusion=found.conclusion,
        external_id=external_id(attempt.run.id, attempt.number, tier),
        details_url=view.details_url,
        started_at=None if started is None else _timestamp(started),
        completed_at=_completed_at(view, tier) if completed and asked else None,
        title=found.line,
        summary=summary(view, tier, found, findings, most=MOST),
        text=_text(view, tail) if completed and started else None,
        annotations=shown,
        actions=actions(view, tier, completed=completed),
    )


def _text(view: CheckView, tail: str) -> str | None:
    """Return the end of the log; of one that was removed that it was, since GitHub keeps a text that is left out."""
    if view.purged_at is not None:
        return f"The log of this attempt was removed for good on {view.purged_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
    return fence(tail, min(LOG_BYTES, LIMIT)) if tail else None


def log_sections(view: CheckView, tier: Tier) -> frozenset[str] | None:
    """Return the sections of the log whose end explains the tier, None for the whole log.

    The failing step's where one failed; else the tier's own; else everything, since the trouble came earlier. None of
    it for a tier that was not asked for.
    """
    if tier not in view.attempt.tiers:
        return frozenset()
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
