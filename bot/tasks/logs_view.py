"""An attempt as an answer about its log shows it."""

from __future__ import annotations

from dataclasses import replace

from bot.check_view import CheckView
from bot.checks import log_sections
from bot.replies import TAIL_BYTES
from draftsman.domain.plan import Tier
from draftsman.domain.run import Attempt
from draftsman.store import logs, steps
from draftsman.store.database import Database


async def logs_view(db: Database, attempt: Attempt, public_url: str) -> CheckView:
    """Return the attempt with the end of the log that explains it: of the failing step, else of the last tier."""
    view = CheckView(
        attempt=attempt,
        details_url=f"{public_url}/runs/{attempt.run.id}?attempt={attempt.number}",
        steps=tuple(await steps.of_attempt(db, attempt.id)),
    )
    culprit = view.culprit
    tier = Tier.FULL if culprit is None or culprit.tier is Tier.SETUP else culprit.tier
    tail = await logs.tail(db, attempt.id, limit=TAIL_BYTES, sections=log_sections(view, tier) or None)
    return replace(view, log_tail=tail.decode("utf-8", "replace"))
