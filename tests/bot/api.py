"""The API under test, and a client that holds each of its answers to the description."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jsonschema_rs
from aiohttp import web
from yarl import URL

from bot.events.decision import Rules
from bot.serve import create_app, create_runner
from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.policy import RepoPolicy
from draftsman.store.database import Pool

TOKEN = "a-token-of-more-than-20-characters"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is None where there was none, and text where it is no JSON."""

    status: int
    headers: Any
    body: Any

    @property
    def etag(self) -> str:
        return str(self.headers["ETag"])

    @property
    def kind(self) -> str:
        return str(self.headers.get("Content-Type", "")).split(";")[0]

    @property
    def fields(self) -> list[str]:
        return [error["field"] for error in self.body["errors"]]


class Described:
    """The description that the API publishes, to check answers against."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._registry = jsonschema_rs.Registry([("urn:api", document)], draft=jsonschema_rs.Draft202012)
        self._validators: dict[str, Any] = {}
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), item) for path, item in document["paths"].items()
        ]

    def validator(self, name: str) -> Any:
        """What checks a value against one of the schemas."""
        if name not in self._validators:
            schema = {"$ref": f"urn:api#/components/schemas/{name}"}
            self._validators[name] = jsonschema_rs.Draft202012Validator(schema, registry=self._registry)
        return self._validators[name]

    def operation(self, method: str, path: str) -> Any:
        """The operation at a path, percent-encoded and without its query; None where there is none."""
        found = [item for pattern, item in self._paths if pattern.fullmatch(path)]
        return found[0].get(method.lower()) if found else None

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Hold an answer to the description, whatever was asked."""
        if answer.status >= 400:
            assert answer.kind == "application/problem+json"
            self._fits("Problem", answer.body)
            assert answer.body["status"] == answer.status
        operation = self.operation(method, path.partition("?")[0])
        if operation is None:
            assert answer.status >= 400
            return
        response = operation["responses"][str(answer.status)]
        content = response.get("content", {})
        assert (answer.body is None) is (not content)
        for kind, described in content.items():
            assert answer.kind == kind
            if "$ref" in described["schema"]:
                self._fits(described["schema"]["$ref"].rpartition("/")[2], answer.body)

    def _fits(self, name: str, value: Any) -> None:
        errors = [f"{error.message} at {error.instance_path}" for error in self.validator(name).iter_errors(value)]
        assert errors == []


@dataclass(frozen=True, slots=True)
class Api:
    """A client that holds each answer to the description. `woken` counts the wake-ups of the workers."""

    url: str
    session: aiohttp.ClientSession
    described: Described
    woken: list[int] = field(default_factory=list)

    @property
    def description(self) -> Any:
        return self.described.document

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {TOKEN}"}
        if body is not None:
            sent["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send_raw(method, path, body if isinstance(body, bytes | None) else dumped(body), sent)

    async def send_raw(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send exactly this; the path is percent-encoded already."""
        data = None if body is None else io.BytesIO(body)
        url = URL(self.url + path, encoded=True)
        async with self.session.request(
            method, url, data=data, headers=headers, skip_auto_headers=["Content-Type"]
        ) as response:
            content = await response.read()
            is_text = response.content_type == "text/plain"
            parsed = content.decode("utf-8", "replace") if is_text else json.loads(content) if content else None
            answer = Answer(response.status, response.headers, parsed)
        self.described.check(method, path, answer)
        return answer


def dumped(body: Any) -> bytes:
    """A body in JSON."""
    return json.dumps(body).encode()


async def serve_api(
    pool: Pool[Any],
    token: str | None,
    *,
    policy: RepoPolicy | None = None,
    admission: Admission = EVERYBODY,
) -> AsyncIterator[Api]:
    """Yield a client of an application on a port of its own."""
    woken: list[int] = []

    async def wake() -> None:
        woken.append(1)

    async def redis_answers() -> bool:
        return True

    app = create_app(
        pool=pool,
        webhook_secret="secret",
        rules=Rules("https://github.example", policy=policy or RepoPolicy(), admission=admission),
        wake=wake,
        redis_answers=redis_answers,
        admin_token=token,
    )
    runner = create_runner(app, shutdown_seconds=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/api/v1/openapi.json") as response:
            description = Described(await response.json())
        yield Api(url, session, description, woken)
    await runner.cleanup()
