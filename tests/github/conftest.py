"""Fixtures of the stand-in's own tests."""

from collections.abc import AsyncIterator

import pytest

from tests.github.client import Client, running


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of a fresh stand-in. Violations that the test did not expect fail it."""
    async with running() as found:
        yield found
        found.github.assert_no_violations()
