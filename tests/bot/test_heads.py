"""Heads that no event told of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.github import GitHub
from bot.heads import FIRST_CONTACTS, Compared, compare, first_contact
from bot.intake import Receiver
from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.run import Trust
from draftsman.store import attempts, installations
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.recovering import away, heads_that_run, kept, receiver_of
from tests.github import GitHubStandIn, Repository


class Sync:
    """Compares the heads as `draftsman sync` does."""

    def __init__(
        self, pool: Pool[Any], github: GitHubStandIn, client: GitHub, admission: Admission = EVERYBODY
    ) -> None:
        self.receiver: Receiver = receiver_of(pool, github, admission)
        self.client = client

    async def __call__(self, *, since: datetime | None = None, only: str | None = None) -> dict[str, Compared]:
        found = compare(self.client, self.receiver, since=since, only=only)
        return {one.name: one async for one in found}

    async def contact(self, installation_id: int, names: Sequence[str] | None = None) -> list[Compared]:
        return await first_contact(self.client, self.receiver, installation_id, names)


async def seen(served: Served, github: GitHubStandIn, name: str = "acme/widgets") -> Repository:
    """A repository that the App knows by a push; from then on it is away."""
    address = f"{served.url}/webhooks/github"
    github.webhook_url = address
    repository = await github.create_repository(name, files={"a.py": "x = 0\n"})
    await repository.commit({"a.py": "x = 1\n"})
    away(github)
    return repository


async def test_heads_that_have_no_run_get_one_and_only_one(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    widgets = await seen(served, github)
    await widgets.commit({"a.py": "x = 2\n"})
    main = await widgets.commit({"a.py": "x = 3\n"})
    await widgets.commit({"b.py": "1\n"}, branch="feature")
    await widgets.open_pull("One", head="feature")
    feature = await widgets.commit({"b.py": "2\n"}, branch="feature")
    before = await heads_that_run(pool)
    sync = Sync(pool, github, app_client)
    found = await sync()
    assert len(found["acme/widgets"].missed) == 2
    assert await heads_that_run(pool) == before | {main, feature}
    again = await sync()
    assert again["acme/widgets"].missed == ()
    assert await heads_that_run(pool) == before | {main, feature}


async def test_a_pull_request_from_a_fork_is_as_untrusted_as_ever(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    widgets = await seen(served, github)
    fork = await github.fork(widgets, "stranger")
    sha = await fork.commit({"b.py": "evil\n"}, branch="idea")
    await widgets.open_pull("An idea", head="idea", head_repository=fork, author="stranger")
    await Sync(pool, github, app_client)()
    [attempt] = [one for one in await attempts.recent(pool) if one.run.head_sha == sha]
    assert attempt.trust is Trust.UNTRUSTED


async def test_drafts_and_skip_markers_hold_here_too(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    widgets = await seen(served, github)
    await widgets.commit({"a.py": "x = 2\n"}, message="Fix a word [skip ci]")
    feature = await widgets.commit({"b.py": "1\n"}, branch="feature")
    pull = await widgets.open_pull("One", head="feature", draft=True)
    before = await heads_that_run(pool)
    sync = Sync(pool, github, app_client)
    await sync()
    assert await heads_that_run(pool) == before
    await pull.mark_ready()
    await sync()
    assert await heads_that_run(pool) == before | {feature}


async def test_what_is_closed_or_deleted_meanwhile_is_told(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    address = f"{served.url}/webhooks/github"
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    for name in ("closed", "deleted", "moved"):
        await widgets.commit({"b.py": f"{name}\n"}, branch=name)
    pull = await widgets.open_pull("One", head="closed")
    assert github.webhook_url == address
    away(github)
    await pull.close()
    await widgets.delete_branch("deleted")
    moved = await widgets.commit({"b.py": "further\n"}, branch="moved")
    found = await Sync(pool, github, app_client)()
    rows = await pool.fetch("SELECT event, action, body FROM deliveries WHERE source = 'compared'")
    assert ("pull_request", "closed") in {(row["event"], row["action"]) for row in rows}
    assert any(b'"ref": "refs/heads/deleted"' in row["body"] and b'"deleted": true' in row["body"] for row in rows)
    assert moved in await heads_that_run(pool)
    assert len(found["acme/widgets"].missed) == 4  # with the default branch, which never had an event
    assert (await Sync(pool, github, app_client)())["acme/widgets"].missed == ()


async def test_a_branch_with_a_strange_name_is_found(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    name = "feat/ünï=1&y#z%2F"
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"}, default_branch=name)
    await Sync(pool, github, app_client)()
    assert await heads_that_run(pool) == {await widgets.git.head(f"refs/heads/{name}")}


async def test_a_first_contact_runs_the_default_branch_and_no_backlog(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    github.clock.advance(-3600)
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    for number in range(3):
        await widgets.commit({"b.py": f"{number}\n"}, branch=f"old-{number}")
        await widgets.open_pull(f"Old {number}", head=f"old-{number}")
    await github.create_repository("acme/empty")
    github.clock.advance(3600)
    main = await widgets.git.head("refs/heads/main")
    sync = Sync(pool, github, app_client)
    installation = github.installation_id(widgets)
    await sync.contact(installation)
    await sync.contact(installation)
    assert await heads_that_run(pool) == {main}
    assert sum((await kept(pool, "compared")).values()) == 1
    await sync()
    assert await heads_that_run(pool) == {main}


async def test_only_the_repositories_that_were_named_run_at_a_first_contact(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    gears = await github.create_repository("acme/gears", files={"a.py": "x = 1\n"})
    await Sync(pool, github, app_client).contact(github.installation_id(gears), ["Acme/Gears"])
    assert await heads_that_run(pool) == {await gears.git.head("refs/heads/main")}


async def test_a_large_organization_does_not_run_all_at_once(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    for number in range(FIRST_CONTACTS + 2):
        one = await github.create_repository(f"acme/r{number}", files={"a.py": f"x = {number}\n"})
    sync = Sync(pool, github, app_client)
    found = await sync()
    assert len(await heads_that_run(pool)) == FIRST_CONTACTS
    assert sum("never seen" in result.note for result in found.values()) == 2
    await sync.contact(github.installation_id(one))
    assert len(await heads_that_run(pool)) == FIRST_CONTACTS


async def test_who_is_not_served_is_left_alone(github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    gears = await github.create_repository("other/gears", files={"a.py": "x = 1\n"})
    secret = await github.create_repository("other/secret", files={"a.py": "x = 2\n"})
    sync = Sync(pool, github, app_client, Admission(deny=("other/secret",)))
    await sync.contact(github.installation_id(widgets))
    found = await sync()
    assert await heads_that_run(pool) == set()
    assert "not served" in found["acme/widgets"].note
    await installations.decide(pool, github.installation_id(gears), approved=True, by="admin")
    await sync()
    assert await heads_that_run(pool) == {await gears.git.head("refs/heads/main")}
    assert github.installation_id(secret) == github.installation_id(gears)
    assert github.installation_id(widgets) != github.installation_id(gears)


async def test_installations_that_are_suspended_or_gone_are_noted_and_not_asked(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    gears = await github.create_repository("other/gears", files={"a.py": "x = 1\n"})
    sync = Sync(pool, github, app_client)
    await sync()
    asleep, gone = github.installation(widgets), github.installation(gears)
    await asleep.suspend()
    await gone.uninstall()
    assert await sync() == {}
    states = {one.id: (one.is_suspended, one.is_removed) for one in await installations.everywhere(pool)}
    assert states == {asleep.id: (True, False), gone.id: (False, True)}


async def test_a_broken_repository_does_not_stop_the_others(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    broken = await github.create_repository("acme/broken", files={"a.py": "x = 0\n"})
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    gears = await github.create_repository("other/gears", files={"a.py": "x = 2\n"})
    github.faults.fail(500, path="/repos/acme/broken")
    sync = Sync(pool, github, app_client)
    found = await sync()
    assert found["acme/broken"].transient
    heads = {await one.git.head("refs/heads/main") for one in (widgets, gears)}
    assert await heads_that_run(pool) == heads
    await sync(only="Acme/Broken")
    assert await heads_that_run(pool) == heads | {await broken.git.head("refs/heads/main")}


async def test_a_limit_stops_the_installation_and_not_the_others(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    for name in ("acme/one", "acme/two"):
        await github.create_repository(name, files={"a.py": f"x = '{name}'\n"})
    gears = await github.create_repository("other/gears", files={"a.py": "x = 2\n"})
    github.faults.fail(403, path="/repos/acme/one", retry_after=60)
    found = await Sync(pool, github, app_client)()
    assert found["acme"].transient
    assert not any(request.path.startswith("/repos/acme/two") for request in github.requests)
    assert await heads_that_run(pool) == {await gears.git.head("refs/heads/main")}


async def test_an_installation_that_is_approved_later_gets_its_run(
    served: Served, github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    widgets = await seen(served, github)
    head = await widgets.git.head("refs/heads/main")
    # As it ends where nothing may run: nobody wanted it, for all that the store knows.
    await pool.execute("UPDATE attempts SET state = 'finished', conclusion = 'neutral', is_unwanted = true")
    await Sync(pool, github, app_client).contact(github.installation_id(widgets), ["acme/widgets"])
    queued = [one.run.head_sha for one in await attempts.recent(pool) if one.conclusion is None]
    assert queued == [head]
