"""Fixtures of the stand-in's own tests."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.github.client import Client, running
from tests.github.receiver import Receiver


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of a fresh stand-in. Violations that the test did not expect fail it."""
    async with running() as found:
        yield found
        found.github.assert_no_violations()


@pytest.fixture
async def receiver(client: Client) -> AsyncIterator[Receiver]:
    """A receiver to which the stand-in delivers whatever happens."""
    found = Receiver()
    server = web.Application(client_max_size=25 * 1024 * 1024)
    server.router.add_post("/webhooks/github", found.receive)
    async with TestServer(server) as listening:
        found.url = str(listening.make_url("/webhooks/github"))
        client.github.webhook_url = found.url
        client.github.auto_deliver = True
        yield found
