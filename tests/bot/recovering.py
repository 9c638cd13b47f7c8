"""What tests of recovery share: the loop's one round on the test's database, and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bot.github import GitHub
from bot.intake import Receiver
from bot.recovery import Recovery
from bot.triggers import EVENTS, Rules
from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.store.database import Pool
from tests.github import GitHubStandIn

NOBODY = "http://127.0.0.1:9/webhooks/github"
"""An address at which nothing listens: the App is away."""


def receiver_of(pool: Pool[Any], github: GitHubStandIn, admission: Admission = EVERYBODY) -> Receiver:
    async def wake() -> None:
        return None

    return Receiver(pool, None, Rules(github.server_url, ("[skip ci]",), admission=admission), wake)


def recovery_of(pool: Pool[Any], github: GitHubStandIn, client: GitHub, *, every_seconds: float = 0.2) -> Recovery:
    return Recovery(receiver_of(pool, github), client, every_seconds=every_seconds)


def away(github: GitHubStandIn) -> None:
    """Have everything delivered to nobody from now on."""
    github.webhook_url = NOBODY
    github.auto_deliver = True


async def kept(pool: Pool[Any], source: str = "listed") -> Counter[str]:
    """How many deliveries of each event are kept that came this way."""
    rows = await pool.fetch("SELECT event FROM deliveries WHERE source = $1", source)
    return Counter(row["event"] for row in rows)


def sent(github: GitHubStandIn) -> Counter[str]:
    """How many deliveries of each event that we look at GitHub made, redeliveries not counted."""
    first = {delivery.guid: delivery.event for delivery in github.deliveries}
    return Counter(event for event in first.values() if event in EVENTS)


async def heads_that_run(pool: Pool[Any]) -> set[str]:
    """The commits that have an attempt. None has two."""
    rows = await pool.fetch("SELECT r.head_sha FROM attempts a JOIN runs r ON r.id = a.run_id")
    shas = [row["head_sha"] for row in rows]
    assert len(shas) == len(set(shas))
    return set(shas)


def fetched(github: GitHubStandIn) -> int:
    """How many requests asked for one delivery."""
    return sum("/app/hook/deliveries/" in request.path for request in github.requests)


def listings(github: GitHubStandIn) -> list[int | None]:
    """The answers' status of each request for the list."""
    return [request.status for request in github.requests if request.path.endswith("/app/hook/deliveries")]
