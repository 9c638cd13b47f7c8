"""What `runs list` finds, by every filter and page after page, in a real Postgres."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from draftsman.domain.outcome import Outcome
from draftsman.domain.run import Conclusion, Repository
from draftsman.store import attempts, reruns
from draftsman.store.database import Pool
from tests.store.test_runs import GADGETS, WIDGETS, claim, start, wanted

NUMBER = 12


@pytest.fixture
async def listed(pool: Pool[Any]) -> list[tuple[Repository, str, str]]:
    """Runs of two repositories: repository, commit and standing, the newest first. Some ended twice, in two ways."""
    ends = (Conclusion.SUCCESS, Conclusion.FAILURE, None)
    made = []
    for number in range(1, NUMBER + 1):
        repository = (WIDGETS, GADGETS)[number % 2]
        started = await start(pool, wanted(number, repository=repository))
        conclusion = ends[number % 3]
        if conclusion is not None:
            if number % 4 == 0:  # its first attempt ended in the other way
                await finish(pool, Conclusion.FAILURE if conclusion is Conclusion.SUCCESS else Conclusion.SUCCESS)
                async with pool.acquire() as connection, connection.transaction():
                    await reruns.ask(connection, started.run_id, by="alice", cause="again")
            await finish(pool, conclusion)
        else:
            await pool.execute("UPDATE attempts SET state = 'waiting' WHERE state = 'queued'")  # out of the way
        made.append((repository, f"{number:040x}", str(conclusion or "waiting")))
    return made[::-1]


async def finish(pool: Pool[Any], conclusion: Conclusion) -> None:
    await attempts.finish(pool, await claim(pool, per_repository=NUMBER), Outcome(conclusion, "done"), owner="w1")


async def test_every_filter_finds_what_it_names_in_order_and_page_after_page(
    pool: Pool[Any], listed: list[tuple[Repository, str, str]]
) -> None:
    repos = (None, "ACME/widgets", "acme/gadgets", "acme/nothing")
    states = (None, "waiting", "finished", "success", "failure", "queued")
    shas = (None, f"{3:040x}", "0" * 38, "f")
    for repo, state, sha in product(repos, states, shas):
        expected = [
            commit
            for repository, commit, standing in listed
            if (repo is None or repository.full_name == repo.lower())
            and (state is None or state == standing or (state == "finished" and standing != "waiting"))
            and (sha is None or commit.startswith(sha))
        ]
        found: list[str] = []
        after = None
        while page := await attempts.recent(pool, limit=3, repo=repo, state=state, sha=sha, after=after):
            found += [one.run.head_sha for one in page]
            after = page[-1].run.id
        assert found == expected, (repo, state, sha)


async def test_a_run_is_found_by_its_id_with_and_without_dashes(pool: Pool[Any]) -> None:
    started = await start(pool, wanted())
    text = str(started.run_id)
    for prefix in (text, text[:13], text.replace("-", "")[:10], text.upper()[:4]):
        assert await attempts.find(pool, prefix) == [started.run_id]
    assert await attempts.find(pool, "") == await attempts.find(pool, "%") == []
