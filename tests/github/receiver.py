"""A receiver of webhooks for the stand-in's own tests: it writes down what it got."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Receiver:
    """Answers `status` to every delivery."""

    url: str = ""
    status: int = 202
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def payloads(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]

    @property
    def events(self) -> list[str]:
        payloads = [(headers["X-GitHub-Event"], json.loads(body)) for headers, body in self.got]
        return [f"{event}.{payload['action']}" if "action" in payload else event for event, payload in payloads]

    async def receive(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.json_response({"ok": True}, status=self.status)
