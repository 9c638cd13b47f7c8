"""GitHub Enterprise Server: two settings, and everything is as on github.com."""

from __future__ import annotations

import pytest

from tests.github import GitHubStandIn
from tests.product import running, scratch_folder
from tests.scenario.conftest import SETTINGS, World
from tests.scenario.samples import checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]


async def test_a_pull_request_goes_green_and_is_steered() -> None:
    with scratch_folder() as folder:
        async with GitHubStandIn.start(prefix="/api/v3") as github, running(github, folder, **SETTINGS) as product:
            world = World(github, product)
            assert github.api_url.endswith("/api/v3")
            widgets = await github.create_repository("acme/widgets", files=checks())
            await widgets.commit({"a.md": "a\n"}, branch="feature")
            pull = await widgets.open_pull("A", head="feature")
            assert (await world.ended(pull.head_sha))["full"].conclusion == "success"
            comment = await pull.comment("/test")
            assert (await world.ended(pull.head_sha, attempt=2))["full"].conclusion == "success"
            await world.until(lambda: "rocket" in comment.reactions)
            github.assert_no_violations()
