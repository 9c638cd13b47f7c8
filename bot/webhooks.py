"""Receives GitHub's webhooks: verify, store, answer.

The delivery and the run that it calls for are one transaction. Once it is committed nothing is lost: the
wake-up of the queue is a hint, and whatever the queue does not hold is found in the store.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
from collections.abc import Callable
from urllib.parse import parse_qs

from aiohttp import web

from bot.intake import Receiver, Wake, keep
from bot.payload import LARGEST_ID, Payload
from draftsman.domain.alert import Alert
from draftsman.store.database import DATABASE_AWAY, DATABASE_REFUSED
from draftsman.store.deliveries import Delivery

log = logging.getLogger(__name__)

LARGEST_BODY = 25 * 2**20
"""Bytes. GitHub's own cap on payloads is 25 MB."""

BODY_WITHIN = 30.0
"""Seconds for the whole body to arrive; GitHub itself gives up after 10."""

STORED_WITHIN = 8.0
"""Seconds, below the 10 that GitHub waits: it must see our 503 and list the delivery as failed."""

WOKEN_WITHIN = 2.0
"""Seconds. A queue that is away must not make the delivery fail."""

# Both are short enough for any index.
_GUID = re.compile(r"[A-Za-z0-9-]{1,100}")
_EVENT = re.compile(r"[a-z_]{1,100}")


class RefusedError(Exception):
    """A request that is not a delivery: an HTTP status and a sentence for whoever sent it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def receive(request: web.Request, receiver: Receiver) -> web.Response:
    """Answer one delivery: 202 once it is kept, 200 for a repeat, 4xx for what is none, 503 where it is not kept."""
    if receiver.secret is None:
        sentence = "no deliveries are taken here: this Draftsman reads GitHub's list of them (DRAFTSMAN_DELIVERY=poll)"
        return web.json_response({"error": sentence}, status=410)
    try:
        body = await _read(request)
        verify(body, request.headers.get("X-Hub-Signature-256"), receiver.secret)
        delivery, payload = parse(request.headers.get, request.content_type, body)
    except RefusedError as refusal:
        return web.json_response({"error": str(refusal)}, status=refusal.status)
    try:
        async with asyncio.timeout(STORED_WITHIN):
            received = await keep(receiver, delivery, payload)
    except DATABASE_AWAY as error:
        log.error("delivery %s could not be kept: %r", delivery.guid, error, extra=Alert.POSTGRES_AWAY.extra)
        return web.json_response({"error": "the delivery could not be stored, send it again"}, status=503)
    except DATABASE_REFUSED as error:
        log.error("Postgres refused delivery %s: %r", delivery.guid, error, extra=Alert.POSTGRES_REFUSES.extra)
        return web.json_response({"error": "the delivery could not be stored; Draftsman's log says why"}, status=500)
    if received.duplicate:
        return web.json_response({"delivery": delivery.guid, "duplicate": True})
    log.info("delivery %s (%s): %s", delivery.guid, delivery.event, received.decision.text)
    if received.is_new:
        await wake_workers(receiver.wake)
    answer = {"delivery": delivery.guid, "decision": received.decision.text}
    if received.run_id is not None:
        answer["run_id"] = received.run_id
    return web.json_response(answer, status=202)


async def _read(request: web.Request) -> bytes:
    # A compressed body would be unpacked before anything is known about who sent it.
    encodings = ",".join(request.headers.getall("Content-Encoding", ()))
    if encodings.strip().lower() not in ("", "identity"):
        raise RefusedError(415, "the body must come as it is, without a Content-Encoding")
    if (request.content_length or 0) > LARGEST_BODY:
        raise RefusedError(413, "a delivery has at most 25 MiB")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise RefusedError(413, "a delivery has at most 25 MiB")
    except TimeoutError:
        raise RefusedError(408, "the body did not arrive in time") from None
    except (ConnectionError, web.RequestPayloadError):
        raise RefusedError(400, "the body did not arrive whole") from None
    return bytes(body)


def verify(body: bytes, signature: str | None, secret: bytes) -> None:
    """Check X-Hub-Signature-256 over the raw body in constant time. Raises RefusedError (401)."""
    expected = b"sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
    # As bytes: comparing texts raises where one is not ASCII.
    given = (signature or "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, expected):
        raise RefusedError(401, "X-Hub-Signature-256 is missing, or was made with another secret or body")


def parse(header: Callable[[str], str | None], content_type: str, body: bytes) -> tuple[Delivery, Payload]:
    """Return the delivery and its payload. Raises RefusedError (400)."""
    event, guid = header("X-GitHub-Event"), header("X-GitHub-Delivery")
    if event is None or not _EVENT.fullmatch(event):
        raise RefusedError(400, "X-GitHub-Event is missing or no event's name")
    if guid is None or not _GUID.fullmatch(guid):
        raise RefusedError(400, "X-GitHub-Delivery is missing or no GUID")
    payload = _payload(content_type, body)
    action = payload.get("action")
    return Delivery(
        guid=guid,
        event=event,
        action=action[:100] if isinstance(action, str) else None,
        repository_id=_id_of(payload, "repository"),
        installation_id=_id_of(payload, "installation"),
        body=body,
    ), payload


def _payload(content_type: str, body: bytes) -> Payload:
    try:
        text = body.decode("utf-8")
        if content_type == "application/x-www-form-urlencoded":
            text = parse_qs(text, strict_parsing=True, max_num_fields=10, errors="strict")["payload"][0]
        elif content_type != "application/json":
            raise RefusedError(400, "the body must be JSON, or a form with a `payload`")
        payload = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        raise RefusedError(400, "the body is not JSON in UTF-8") from None
    if not isinstance(payload, dict):
        raise RefusedError(400, "the body is not a JSON object")
    return payload


def _id_of(payload: Payload, name: str) -> int | None:
    """Return the id of an object of the payload, None where there is none that Postgres can keep."""
    named = payload.get(name)
    found = named.get("id") if isinstance(named, dict) else None
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if 0 < found <= LARGEST_ID else None


async def wake_workers(wake: Wake) -> None:
    """Tell the workers that there may be work; where that fails, they find it by themselves later."""
    try:
        async with asyncio.timeout(WOKEN_WITHIN):
            await wake()
    except TimeoutError:
        log.warning(
            "Redis does not answer (REDIS_URL); the run starts when the reconciler finds it",
            extra=Alert.REDIS_AWAY.extra,
        )
    except Exception:
        # Whatever a queue's client raises: the run is kept, and the reconciler enqueues it.
        log.warning("the queue could not be woken; the run starts when the reconciler finds it", exc_info=True)
