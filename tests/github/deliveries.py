"""Webhook deliveries: signed like GitHub's, sent, kept in a log, sent again on request."""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from tests.github.calls import Answer, Call, Handler, Refusal, not_found
from tests.github.shapes import Json, iso
from tests.github.state import App, State

# GitHub gives up on a receiver after 10 s and forgets a delivery after 3 days (docs.github.com, webhooks).
TIMEOUT_SECONDS = 10.0
KEPT_SECONDS = 3 * 24 * 3600
ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver an event. `status_code` is 0 where no answer came."""

    id: int
    guid: str
    event: str
    payload: Json
    url: str
    delivered_at: float
    redelivery: bool
    duration: float
    status: str
    status_code: int
    request_headers: Mapping[str, str]
    response_headers: Mapping[str, str]
    response_body: str

    @property
    def action(self) -> str | None:
        action = self.payload.get("action")
        return action if isinstance(action, str) else None

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status_code < 400


def encode(payload: Json) -> bytes:
    """The exact bytes of a payload's body; the same for a redelivery, as at GitHub."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def sign(secret: str, body: bytes, algorithm: str = "sha256") -> str:
    """The value of `X-Hub-Signature-256` (or of `X-Hub-Signature`, for sha1)."""
    return f"{algorithm}={hmac.new(secret.encode(), body, algorithm).hexdigest()}"


def delivery_headers(app: App, event: str, guid: str, body: bytes) -> dict[str, str]:
    """The headers that GitHub sends with a delivery of an App's webhook."""
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": f"GitHub-Hookshot/{hashlib.sha256(app.slug.encode()).hexdigest()[:7]}",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature": sign(app.webhook_secret, body, "sha1"),
        "X-Hub-Signature-256": sign(app.webhook_secret, body),
    }


def is_nowhere(url: str) -> bool:
    """Whether the host is a name that is reserved never to exist (RFC 6761): no need to ask for it."""
    return (urlsplit(url).hostname or "").endswith(".invalid")


class DeliveryLog:
    """Sends deliveries and remembers them, the oldest first."""

    def __init__(self, state: State, session: aiohttp.ClientSession) -> None:
        self._state = state
        self._session = session
        self.sent: list[Delivery] = []
        self._forgotten = 0

    async def deliver(
        self,
        event: str,
        payload: Json,
        *,
        to: str,
        guid: str | None = None,
        redelivery: bool = False,
        dropped: bool = False,
        lose_answer: bool = False,
    ) -> Delivery:
        """The finished delivery; a receiver that is away or slow makes a failed one, never an error.

        `dropped` sends nothing, `lose_answer` sends and forgets the answer: both make failed deliveries.
        """
        guid = guid or str(uuid.uuid4())
        body = encode(payload)
        headers = delivery_headers(self._state.app, event, guid, body)
        delivered_at, started = self._state.clock.now(), time.monotonic()
        status, code, answer_headers, answer = "failed to connect to host", 0, dict[str, str](), ""
        try:
            if not dropped and not is_nowhere(to):
                status, code, answer_headers, answer = await self._post(to, body, headers)
            if lose_answer:
                status, code, answer_headers, answer = "timed out", 0, {}, ""
        except TimeoutError:
            status = "timed out"
        except aiohttp.ClientError as error:
            answer = str(error)
        delivery = Delivery(
            id=self._state.next_id(),
            guid=guid,
            event=event,
            payload=payload,
            url=to,
            delivered_at=delivered_at,
            redelivery=redelivery,
            duration=round(time.monotonic() - started, 2),
            status=status,
            status_code=code,
            request_headers=headers,
            response_headers=answer_headers,
            response_body=answer,
        )
        self.sent.append(delivery)
        return delivery

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """The same event once more, with the same GUID, to where the App's webhook points now."""
        to = self._state.app.webhook_url or delivery.url
        return await self.deliver(delivery.event, delivery.payload, to=to, guid=delivery.guid, redelivery=True)

    async def _post(self, to: str, body: bytes, headers: dict[str, str]) -> tuple[str, int, dict[str, str], str]:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async with self._session.post(to, data=body, headers=headers, allow_redirects=False) as response:
                text = (await response.content.read(ANSWER_BYTES)).decode(errors="replace")
                return response.reason or "", response.status, dict(response.headers), text

    def kept(self) -> list[Delivery]:
        """What GitHub still lists: three days back, the newest first."""
        oldest = self._state.clock.now() - KEPT_SECONDS
        kept = [d for d in self.sent if d.delivered_at >= oldest and d.id > self._forgotten]
        return sorted(kept, key=lambda delivery: -delivery.id)

    def forget(self) -> None:
        """List none of the deliveries so far, as if three days had passed; `sent` remembers them."""
        self._forgotten = self._state.next_id()


def operations(log: DeliveryLog) -> dict[str, Handler]:
    """The handlers of GitHub's `apps/*-webhook-deliver*` operations over this log."""

    async def list_deliveries(call: Call) -> Answer:
        found = log.kept()
        if call.query.get("status") == "success":
            found = [delivery for delivery in found if delivery.succeeded]
        elif call.query.get("status") == "failure":
            found = [delivery for delivery in found if not delivery.succeeded]
        if cursor := call.query.get("cursor"):
            newest = read_cursor(cursor)
            found = [delivery for delivery in found if delivery.id <= newest]
        size = call.query.get("per_page", 30)
        headers = {}
        if len(found) > size:
            others = f"&status={call.query['status']}" if "status" in call.query else ""
            url = f"{call.state.addresses.api}/app/hook/deliveries?per_page={size}{others}"
            headers["Link"] = f'<{url}&cursor=v1_{found[size].id}>; rel="next"'
        return Answer([item_shape(delivery) for delivery in found[:size]], headers=headers)

    def find(call: Call) -> Delivery:
        wanted = call.path["delivery_id"]
        found = next((delivery for delivery in log.kept() if delivery.id == wanted), None)
        if found is None:
            raise not_found()
        return found

    async def get_delivery(call: Call) -> Answer:
        return Answer(delivery_shape(find(call)))

    async def redeliver(call: Call) -> Answer:
        await log.redeliver(find(call))
        return Answer({}, 202)

    return {
        "apps/list-webhook-deliveries": list_deliveries,
        "apps/get-webhook-delivery": get_delivery,
        "apps/redeliver-webhook-delivery": redeliver,
    }


def read_cursor(cursor: str) -> int:
    """The id of the newest delivery of the page. Raises `Refusal` (422) for a cursor that GitHub never gave."""
    version, _, number = cursor.partition("_")
    if version != "v1" or not number.isdigit():
        raise Refusal(422, f"Invalid cursor: {cursor!r} came from no Link header")
    return int(number)


def item_shape(delivery: Delivery) -> Json:
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": iso(delivery.delivered_at),
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.payload.get("installation", {}).get("id"),
        "repository_id": delivery.payload.get("repository", {}).get("id"),
        "throttled_at": None,
    }


def delivery_shape(delivery: Delivery) -> Json:
    return item_shape(delivery) | {
        "url": delivery.url,
        "request": {"headers": dict(delivery.request_headers), "payload": delivery.payload},
        "response": {"headers": dict(delivery.response_headers), "payload": delivery.response_body},
    }
