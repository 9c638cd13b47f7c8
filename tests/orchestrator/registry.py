"""A registry with one image, which the engine really pulls from: the read-only half of the distribution API."""

from __future__ import annotations

import io
import json
import tarfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.engine import Engine
from orchestrator.images.builder import Recipe, build
from orchestrator.images.context import pack
from tests.orchestrator.sandbox_parts import nothing

SMALL = (
    "FROM busybox\n"
    "RUN printf '#!/bin/sh\\n' > /bin/git && chmod +x /bin/git && mkdir -p /etc/ssl/certs"
    " && touch /etc/ssl/certs/ca-certificates.crt\n"
)
"""What the runner layer asks for, and nothing else: an image of two megabytes."""


@dataclass
class Registry:
    """Serves one image under `name`, with each of `tags`; `pulled` counts how often a manifest was asked for."""

    name: str = ""
    tags: set[str] = field(default_factory=lambda: {"3.13-slim"})
    pulled: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifest: str = ""

    async def get(self, request: web.Request) -> web.Response:
        """Answer one request."""
        kind, reference = request.match_info["kind"], request.match_info["reference"]
        if kind == "manifests" and reference in self.tags | {self.manifest}:
            self.pulled += 1
            body = self.blobs[self.manifest]
            headers = {"Docker-Content-Digest": self.manifest}
            return web.Response(body=body, headers=headers, content_type=str(json.loads(body)["mediaType"]))
        if kind == "blobs" and reference in self.blobs:
            return web.Response(body=self.blobs[reference], content_type="application/octet-stream")
        return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}, status=404)


@pytest.fixture
async def registry(engine: Engine) -> AsyncIterator[Registry]:
    """A registry that answers; its image is not on the engine yet, and is removed from it afterwards."""
    served = Registry()
    await _fill(engine, served)
    application = web.Application()
    application.router.add_get("/v2/", _is_there)
    application.router.add_get("/v2/{name:.+}/{kind:manifests|blobs}/{reference}", served.get)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server()
    served.name = f"127.0.0.1:{server.port}/python"
    yield served
    await server.close()
    for tag in served.tags:
        answer = await engine.call("GET", "images/json", params={"all": "0"})
        if any(f"{served.name}:{tag}" in (image["RepoTags"] or ()) for image in answer):
            await engine.call("DELETE", f"images/{served.name}:{tag}", params={"force": "1"})


async def _is_there(_: web.Request) -> web.Response:
    return web.json_response({})


async def _fill(engine: Engine, served: Registry) -> None:
    tag = f"draftsman-tests/registry:{uuid.uuid4().hex}"
    await build(engine, Recipe(tag, SMALL), pack({"Dockerfile": SMALL.encode()}), timeout_seconds=60, output=nothing)
    try:
        async with engine.stream("GET", f"images/{tag}/get") as answer:
            saved = await answer.read()
    finally:
        await engine.call("DELETE", f"images/{tag}", params={"force": "1"})
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isreg()}
        read = {name: file.read() for name, file in files.items() if file is not None}
    for name, content in read.items():
        if name.startswith("blobs/sha256/"):
            served.blobs[f"sha256:{name.rpartition('/')[2]}"] = content
    served.manifest = json.loads(read["index.json"])["manifests"][0]["digest"]
