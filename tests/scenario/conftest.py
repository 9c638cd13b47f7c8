"""One Draftsman for all scenarios, started as people start it, against one GitHub stand-in; and one that polls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, TypeVar

import asyncpg
import pytest

from tests.github import CheckRun, GitHubStandIn
from tests.product import Product, running, scratch_folder

LEASE_SECONDS = 3.0
_RESULT_SECONDS = 240
_UNTIL_SECONDS = 60
_T = TypeVar("_T")

BLOCKED = "blocked"
"""An owner whose repositories this Draftsman does not serve."""

NOWHERE = "https://draftsman.invalid/webhooks/github"
"""A webhook address that can never be reached."""

SETTINGS = {
    "DRAFTSMAN_LEASE_SECONDS": str(LEASE_SECONDS),
    "DRAFTSMAN_CONCURRENCY": "2",
    "DRAFTSMAN_DENY": BLOCKED,
    # What is tried again has tests of its own; all others see how things end.
    "DRAFTSMAN_RETRIES": "0",
}


class World:
    """GitHub, and a Draftsman that is installed there."""

    def __init__(self, github: GitHubStandIn, product: Product) -> None:
        self.github = github
        self.product = product

    async def results(self, sha: str) -> dict[str, Any]:
        """Wait until both check runs of a commit are completed, and return them by tier."""
        deadline = time.monotonic() + _RESULT_SECONDS
        while time.monotonic() < deadline:
            runs = self.github.check_runs(sha)
            if len(runs) >= 2 and all(run.status == "completed" for run in runs):
                return {run.name.removeprefix("Draftsman / "): run for run in runs}
            await asyncio.sleep(0.05)
        raise AssertionError(f"no result for {sha}\n{self.seen()}")

    def seen(self) -> str:
        """Return the newest check runs and the end of the log, for people who ask why a scenario failed."""
        runs = [f"{run.name}: {run.status} {run.conclusion} ({run.title})" for run in self.github.check_runs()[-8:]]
        return "\n".join([*runs, self.product.log()[-6000:]])

    def shown(self, sha: str) -> dict[str, CheckRun]:
        """Return what GitHub shows for the commit, by tier: of several check runs of one name the newest."""
        return {run.name.removeprefix("Draftsman / "): run for run in self.github.check_runs(sha)}

    async def ended(self, sha: str, *, attempt: int = 1) -> dict[str, CheckRun]:
        """Wait until what GitHub shows is completed and of this attempt or a later one, and return it by tier."""

        def is_so() -> dict[str, CheckRun] | None:
            shown = self.shown(sha)
            ended = [run for run in shown.values() if run.status == "completed" and attempt_of(run) >= attempt]
            return shown if len(ended) == 2 else None

        return await self.until(is_so, f"attempt {attempt} of {sha[:7]}")

    async def until(self, condition: Callable[[], _T | None], what: str = "it", seconds: float = _UNTIL_SECONDS) -> _T:
        """Wait until the condition returns something true, and return that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            await asyncio.sleep(0.03)
        raise AssertionError(f"{what} did not come to be\n{self.seen()}")

    async def eventually(self, condition: Callable[[], Awaitable[_T | None]], seconds: float = _UNTIL_SECONDS) -> _T:
        """Wait until the condition, which has to be awaited, returns something true, and return that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := await condition():
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"it did not come to be\n{self.seen()}")

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return what the query finds in Draftsman's database."""
        connection = await asyncpg.connect(self.product.database_url)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def attempts(self, sha: str) -> list[asyncpg.Record]:
        """Return the attempts of the commit, the oldest first."""
        query = (
            "SELECT a.id, a.number, a.state, a.conclusion, a.title, a.trust, a.tiers, a.rebuild, a.asked_by, r.subject "
            "FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.head_sha = $1 ORDER BY a.created_at, a.number"
        )
        return await self.rows(query, sha)

    async def running(self, sha: str, command: str = "") -> None:
        """Wait until a job of the commit runs (its first step has begun)."""

        async def is_running() -> bool:
            query = (
                "SELECT 1 FROM steps s JOIN attempts a ON a.id = s.attempt_id JOIN runs r ON r.id = a.run_id "
                "WHERE r.head_sha = $1 AND a.state = 'running' AND s.state = 'running' "
                "AND s.command LIKE '%' || $2 || '%'"
            )
            return bool(await self.rows(query, sha, command))

        await self.eventually(is_running)

    async def settled(self, seconds: float = _UNTIL_SECONDS) -> None:
        """Wait until every event was seen to: nothing is left of their tasks and of what GitHub is to be told."""

        async def is_settled() -> bool:
            query = (
                "SELECT (SELECT count(*) FROM tasks WHERE state = 'open') + (SELECT count(*) FROM unreported u "
                "JOIN attempts a ON a.id = u.attempt_id JOIN runs r ON r.id = a.run_id "
                "JOIN repositories p ON p.id = r.repository_id WHERE p.installation_id IS NOT NULL AND NOT p.is_gone)"
            )
            known = {row["guid"] for row in await self.rows("SELECT guid FROM deliveries")}
            sent = {delivery.guid for delivery in self.github.deliveries if delivery.event in EVENTS}
            return sent <= known and (await self.rows(query))[0][0] == 0

        await self.eventually(is_settled, seconds)

    async def policy(self, full_name: str, **fields: object) -> None:
        """Set fields of a repository's policy, as an administrator does."""
        names = ", ".join(fields)
        values = ", ".join(f"${number}" for number in range(2, len(fields) + 2))
        await self.rows(f"INSERT INTO policies (repo, {names}) VALUES ($1, {values})", full_name, *fields.values())


EVENTS = frozenset(
    ("push", "pull_request", "check_suite", "check_run", "issue_comment", "merge_group", "installation", "repository")
)


def attempt_of(run: CheckRun) -> int:
    """Return the number of the attempt that a check run tells of."""
    return int(run.external_id.split("/")[1]) if run.external_id.count("/") == 2 else 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed scenario what GitHub showed last, and what Draftsman wrote last."""
    report = yield
    if report.when == "call" and report.failed:
        for name, world in getattr(item, "funcargs", {}).items():
            if isinstance(world, World):
                report.sections.append((f"seen by {name}", world.seen()))
    return report


@pytest.fixture(scope="session")
async def shared_world() -> AsyncIterator[World]:
    """The session's Draftsman. Its lease is short, so that a lost worker is noticed within the test's patience."""
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github, running(github, folder, **SETTINGS) as product:
            yield World(github, product)


@pytest.fixture(scope="session")
async def polled_world() -> AsyncIterator[World]:
    """A Draftsman that GitHub cannot reach, and that reads GitHub's list of deliveries."""
    with scratch_folder() as folder:
        settings = {**SETTINGS, "DRAFTSMAN_DELIVERY": "poll", "DRAFTSMAN_POLL_SECONDS": "0.3"}
        async with GitHubStandIn.start() as github, running(github, folder, **settings) as product:
            github.webhook_url = NOWHERE
            yield World(github, product)


@pytest.fixture
async def world(shared_world: World) -> AsyncIterator[World]:
    """The shared Draftsman. A request of ours that GitHub would refuse fails the test that sent it."""
    yield shared_world
    shared_world.github.assert_no_violations()


@pytest.fixture(params=["webhook", "poll"])
def either(request: pytest.FixtureRequest) -> Iterator[World]:
    """A Draftsman to which GitHub's events come by webhook, and one that fetches them."""
    found: World = request.getfixturevalue("shared_world" if request.param == "webhook" else "polled_world")
    yield found
    found.github.assert_no_violations()
