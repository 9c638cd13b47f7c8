"""Who is served where an administrator set nothing: the App's owner, and whom they approve."""

from __future__ import annotations

import pytest

from tests.github import GitHubStandIn
from tests.product import running, scratch_folder
from tests.scenario.conftest import SETTINGS, World
from tests.scenario.samples import NAMES, WORDS

pytestmark = [pytest.mark.scenario, pytest.mark.engine]


async def test_a_new_installation_waits_for_the_administrator_and_the_owners_does_not() -> None:
    with scratch_folder() as folder:
        settings = SETTINGS | {"DRAFTSMAN_ALLOW": ""}
        async with GitHubStandIn.start() as github, running(github, folder, **settings) as product:
            world = World(github, product)
            own = await github.create_repository(f"{github.app.owner.login}/own", files=WORDS)
            sha = await own.commit({"a.md": "a\n"}, branch="feature")
            assert (await world.ended(sha))["fast"].title != ""
            assert [attempt["title"] for attempt in await world.attempts(sha)] == [
                "nothing to run: no checks were found"
            ]

            theirs = await github.create_repository("newcomer/things", files=WORDS)
            sha = await theirs.commit({"a.md": "a\n"}, branch="feature")
            shown = await world.ended(sha)
            assert {tier: run.conclusion for tier, run in shown.items()} == dict.fromkeys(NAMES, "neutral")
            assert "has not approved its installation on newcomer" in str(shown["fast"].title)

            number = str(github.installation_id(theirs))
            code, listed = await product.command("installations", "list")
            assert (code, number in listed, "pending" in listed) == (0, True, True)
            assert (await product.command("installations", "approve", number))[0] == 0
            head = str(await theirs.git.head("refs/heads/main"))
            await world.ended(head)
            later = await theirs.commit({"b.md": "b\n"}, branch="feature")
            await world.ended(later)
            assert [attempt["title"] for attempt in await world.attempts(later)] == [
                "nothing to run: no checks were found"
            ]
            assert (await product.command("installations", "refuse", number))[0] == 0
            refused = await theirs.commit({"c.md": "c\n"}, branch="feature")
            assert "does not serve newcomer" in str((await world.ended(refused))["fast"].title)
            github.assert_no_violations()
