"""GitHub's list of the deliveries that it made, or tried to make, to the App's webhook."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.github import GitHub
from bot.github_error import GitHubError
from bot.paging import PER_PAGE, items_of, next_page
from bot.payload import Payload, PayloadError, at, identifier, text
from bot.webhooks import RefusedError, parse
from draftsman.store.deliveries import Delivery

PATH = "/app/hook/deliveries"

MOST_PAGES = 2000
"""Pages of 100 deliveries."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One attempt at a delivery. A redelivery has the GUID of the first attempt; `status` 0 is no answer."""

    id: int
    guid: str
    event: str
    delivered_at: datetime
    status: int

    @property
    def arrived(self) -> bool:
        """Return whether the receiver took it."""
        return 200 <= self.status < 400


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, the newest attempt first. Where nothing changed since `etag`, it is empty and says so."""

    items: tuple[Listed, ...]
    etag: str | None = None
    unchanged: bool = False


async def pages(github: GitHub, *, etag: str | None = None) -> AsyncIterator[Page]:
    """Yield the pages of the list, the newest first. `etag` is what the first page was called when last read.

    Raises GitHubError, also where the list has no end.
    """
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        query = {"per_page": PER_PAGE} | ({} if cursor is None else {"cursor": cursor})
        answer = await github.as_app("GET", PATH, query=query, etag=etag if cursor is None else None)
        if answer.status == 304:
            yield Page((), etag, unchanged=True)
            return
        yield Page(tuple(one for item in items_of(answer) if (one := _listed(item))), answer.etag)
        cursor = next_page(answer, "cursor")
        if cursor is None:
            return
    raise GitHubError(f"GitHub's list of deliveries has more than {MOST_PAGES} pages.", status=502)


def _listed(item: Payload) -> Listed | None:
    try:
        delivered_at = datetime.fromisoformat(text(item, "delivered_at"))
        status = at(item, "status_code")
        return Listed(
            identifier(item, "id"),
            text(item, "guid"),
            text(item, "event"),
            delivered_at if delivered_at.tzinfo else delivered_at.replace(tzinfo=UTC),
            status if isinstance(status, int) else 0,
        )
    except (PayloadError, ValueError):
        return None


async def fetch(github: GitHub, listed: Listed) -> tuple[Delivery, Payload] | None:
    """Return the delivery with its payload, as it would have been received; None where it is none. Raises GitHubError.

    What GitHub lists to the App's key is as good as what it signs with the webhook's secret.
    """
    answer = await github.as_app("GET", f"{PATH}/{listed.id}")
    request = answer.body.get("request") if isinstance(answer.body, dict) else None
    payload = request.get("payload") if isinstance(request, dict) else None
    headers = {"X-GitHub-Event": listed.event, "X-GitHub-Delivery": listed.guid}
    try:
        delivery, parsed = parse(headers.get, "application/json", json.dumps(payload).encode())
    except RefusedError:
        return None
    return replace(delivery, source="listed"), parsed
