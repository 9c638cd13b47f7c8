"""Events that never arrived, found in GitHub's list of deliveries."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.github import GitHub
from bot.github_error import GitHubError
from bot.recovery import list_days
from draftsman.store import installations, recovery
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.recovering import away, fetched, heads_that_run, kept, listings, recovery_of, sent
from tests.bot.reporting import until
from tests.github import GitHubStandIn, Repository


async def many_events(github: GitHubStandIn) -> set[str]:
    """Thirty events and more, of all sorts. Returns the newest heads that want a run."""
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    heads = {await widgets.commit({"a.py": f"x = {number}\n"}) for number in range(1, 4)}
    for number in range(4):
        heads.add(await widgets.commit({f"{number}.py": "y = 1\n"}, branch=f"feature-{number}"))
        pull = await widgets.open_pull(f"Change {number}", head=f"feature-{number}")
        await pull.comment("/test")
        heads.add(await widgets.commit({f"{number}.py": "y = 2\n"}, branch=f"feature-{number}"))
    fork = await github.fork(widgets, "stranger")
    heads.add(await fork.commit({"b.py": "z = 1\n"}, branch="idea"))
    await widgets.open_pull("An idea", head="idea", head_repository=fork, author="stranger")
    await widgets.pulls[1].close()
    await widgets.rename("gadgets")
    assert len(github.deliveries) >= 30
    return heads


async def test_all_that_happened_while_the_app_was_away_is_there_once(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    heads = await many_events(github)
    await recovery_of(pool, github, app_client).round()
    assert await kept(pool) == sent(github)
    assert heads <= await heads_that_run(pool)
    requests = fetched(github)
    await recovery_of(pool, github, app_client).round()  # as after another start
    assert await kept(pool) == sent(github)
    assert fetched(github) == requests


async def test_what_arrived_is_not_fetched(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"})
    arrived = served.url
    away(github)
    missed = await widgets.commit({"a.py": "x = 3\n"})
    github.webhook_url = f"{arrived}/webhooks/github"
    newest = await widgets.commit({"a.py": "x = 4\n"})
    loop = recovery_of(pool, github, app_client)
    await loop.round()
    assert (await kept(pool))["push"] == 1
    assert {missed, newest} <= await heads_that_run(pool)
    assert fetched(github) == sum((await kept(pool)).values())


async def test_deliveries_that_were_refused_for_their_signature_are_told_of_and_kept(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any], caplog: pytest.LogCaptureFixture
) -> None:
    github.app.webhook_secret = "of-before"
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    shas = {await widgets.commit({"a.py": f"x = {number}\n"}) for number in (2, 3)}
    with caplog.at_level("WARNING"):
        await recovery_of(pool, github, app_client).round()
    assert shas <= await heads_that_run(pool)
    [told] = [record for record in caplog.records if "answered 401" in record.message]
    assert vars(told)["alert"] == "webhook-secret-wrong"


async def test_a_list_that_did_not_change_costs_nothing(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    await github.ping()
    loop = recovery_of(pool, github, app_client)
    await loop.round()
    await loop.round()
    assert listings(github) == [200, 304]
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await widgets.commit({"a.py": "x = 2\n"})
    await loop.round()
    assert await heads_that_run(pool) == {sha}


async def test_a_list_of_several_pages_is_read_whole(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"})
    await asyncio.gather(*(github.ping() for _ in range(230)))
    await recovery_of(pool, github, app_client).round()
    assert await kept(pool) == sent(github)
    assert len(listings(github)) == 3


async def test_a_delivery_that_was_sent_again_and_again_counts_once(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await widgets.commit({"a.py": "x = 2\n"})
    for _ in range(3):
        for delivery in list(github.deliveries[:1]):
            await github.redeliver(delivery)
    await recovery_of(pool, github, app_client).round()
    assert await kept(pool) == sent(github)
    assert fetched(github) == sum(sent(github).values())
    assert await heads_that_run(pool) == {sha}


async def test_what_cannot_be_fetched_now_is_fetched_later_even_after_another_start(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    await asyncio.gather(*(github.ping() for _ in range(20)))
    github.faults.fail(502, path=r"/app/hook/deliveries/\d+", times=5)
    github.faults.reset(path=r"/app/hook/deliveries/\d+", times=2)
    with pytest.raises(GitHubError, match="could not be fetched"):
        await recovery_of(pool, github, app_client).round()
    some = sum((await kept(pool)).values())
    assert 0 < some < sum(sent(github).values())
    later = recovery_of(pool, github, app_client)
    await later.round()
    assert await kept(pool) == sent(github)
    assert not (await recovery.get(pool)).has_gap


async def test_a_limit_is_waited_for(github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]) -> None:
    away(github)
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await widgets.commit({"a.py": "x = 2\n"})
    github.faults.fail(403, path="/app/hook/deliveries", retry_after=2)
    stop = asyncio.Event()
    running = asyncio.create_task(recovery_of(pool, github, app_client).run(stop))
    await until(lambda: listings(github))
    await asyncio.sleep(1.5)
    assert len(listings(github)) == 1
    for _ in range(100):
        if await heads_that_run(pool):
            break
        await asyncio.sleep(0.05)
    assert await heads_that_run(pool) == {sha}
    stop.set()
    await running


async def test_a_github_that_is_away_is_told_once_and_waited_for(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any], caplog: pytest.LogCaptureFixture
) -> None:
    away(github)
    await github.ping()
    github.faults.reset(times=4)
    stop = asyncio.Event()
    running = asyncio.create_task(recovery_of(pool, github, app_client).run(stop))
    for _ in range(200):
        if await kept(pool):
            break
        await asyncio.sleep(0.05)
    stop.set()
    await running
    assert await kept(pool) == {"ping": 1}
    assert sum("cannot be looked for" in message for message in caplog.messages) == 1


async def test_a_first_start_has_no_backlog_but_knows_where_the_app_is(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    github.clock.advance(-7200)
    installation = await github.install("acme")
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"}, branch="old")
    await widgets.open_pull("Old", head="old")
    github.clock.advance(7200)
    sha = await widgets.commit({"a.py": "x = 3\n"}, branch="new")
    loop = recovery_of(pool, github, app_client)
    await loop.round()
    assert await heads_that_run(pool) == {sha}
    assert (await kept(pool))["installation"] == 1
    known = await installations.get(pool, installation.id)
    assert known is not None
    assert known.account == "acme"
    await loop.round()
    assert await heads_that_run(pool) == {sha}


async def test_a_clock_of_ours_that_is_ahead_makes_nothing_of_a_first_start_old(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    github.clock.advance(-120)
    sha = await widgets.commit({"a.py": "x = 2\n"}, branch="new")
    await recovery_of(pool, github, app_client).round()
    assert await heads_that_run(pool) == {sha}


async def test_the_owner_of_the_app_is_served_and_others_wait(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    owner = github.app.owner.login
    ours, theirs, asleep = [github.state.install(login) for login in (owner, "acme", "sleepy")]
    await asleep.suspend()
    await recovery_of(pool, github, app_client).round()
    states = {one.id: (one.state, one.is_suspended) for one in await installations.everywhere(pool)}
    assert states == {
        ours.id: ("approved", False),
        theirs.id: ("pending", False),
        asleep.id: ("pending", True),
    }


async def test_two_processes_at_once_do_nothing_twice(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    heads = await many_events(github)
    one, other = (recovery_of(pool, github, app_client) for _ in range(2))
    await asyncio.gather(one.round(), other.round())
    assert fetched(github) == sum(sent(github).values())
    await asyncio.gather(other.round(), one.round())
    assert await kept(pool) == sent(github)
    assert heads <= await heads_that_run(pool)


async def test_a_payload_of_a_wrong_shape_is_kept_and_stops_nothing(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    await github.deliver("push", {"ref": 7, "after": None, "repository": {"full_name": ["acme"]}})
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await widgets.commit({"a.py": "x = 2\n"})
    await recovery_of(pool, github, app_client).round()
    assert await heads_that_run(pool) == {sha}
    texts = [row["decision"] for row in await pool.fetch("SELECT decision FROM deliveries")]
    assert any("not as GitHub documents it" in text for text in texts)


async def known_and_read(served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]) -> Repository:
    """A repository of which a push arrived, in a list that was read."""
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"})
    await recovery_of(pool, github, app_client).round()
    # The list may lack what arrived within the last seconds.
    await pool.execute("UPDATE deliveries SET received_at = received_at - interval '30 seconds'")
    await pool.execute("UPDATE recovery SET last_delivered_at = last_delivered_at - interval '30 seconds'")
    away(github)
    return widgets


async def test_an_emptied_list_is_a_gap_and_heads_are_compared(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    widgets = await known_and_read(served, github, app_client, pool)
    before = await heads_that_run(pool)
    missed = {await widgets.commit({"a.py": "x = 3\n"}), await widgets.commit({"b.py": "1\n"}, branch="feature")}
    await widgets.open_pull("One", head="feature")
    github.forget_deliveries()
    loop = recovery_of(pool, github, app_client)
    await loop.round()
    assert await heads_that_run(pool) == before | missed
    standing = await recovery.get(pool)
    assert standing.gap_until is not None
    assert not standing.has_gap
    compared_at = standing.compared_at
    await recovery_of(pool, github, app_client).round()
    assert (await recovery.get(pool)).compared_at == compared_at  # once is enough


async def test_a_list_that_may_lack_what_just_arrived_is_read_again_first(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    await known_and_read(served, github, app_client, pool)
    github.forget_deliveries()
    await pool.execute("UPDATE deliveries SET received_at = now()")
    assert await recovery_of(pool, github, app_client, every_seconds=300).round() < 10
    assert (await recovery.get(pool)).gap_until is None


async def test_a_list_that_was_not_read_for_longer_than_it_reaches_back_is_a_gap(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    await known_and_read(served, github, app_client, pool)
    await pool.execute("UPDATE recovery SET read_at = now() - interval '4 days'")
    await recovery_of(pool, github, app_client).round()
    standing = await recovery.get(pool)
    assert standing.gap_from is not None
    assert (standing.now - standing.gap_from).days == 4
    assert not standing.has_gap


async def test_a_quiet_app_has_no_gap(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    await known_and_read(served, github, app_client, pool)
    github.forget_deliveries()  # as GitHub does in time
    await pool.execute("UPDATE deliveries SET received_at = now() - interval '5 days'")
    await pool.execute("UPDATE recovery SET last_delivered_at = now() - interval '5 days'")
    await recovery_of(pool, github, app_client).round()
    assert (await recovery.get(pool)).gap_until is None


async def test_a_delivery_that_is_gone_is_made_up_for_by_the_heads(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    widgets = await known_and_read(served, github, app_client, pool)
    sha = await widgets.commit({"a.py": "x = 3\n"})
    github.faults.fail(404, path=r"/app/hook/deliveries/\d+", times=2)
    await recovery_of(pool, github, app_client).round()
    assert sha in await heads_that_run(pool)
    assert await kept(pool, "compared") == {"push": 1}


@pytest.mark.parametrize(
    ("url", "days"),
    [("https://api.github.com", 3), ("https://api.acme.ghe.com", 3), ("https://github.acme.example/api/v3", 7)],
)
def test_an_enterprise_server_lists_deliveries_longer(url: str, days: float) -> None:
    assert list_days(url) == days
