"""Generated payloads and comments through the whole: received over HTTP, kept, acted on, answered.

`FUZZ_EXAMPLES` asks for more than the usual number of payloads and comments in all. Each has a number of its own: run
again with `FUZZ_FIRST` and the number that a failure names.
"""

from __future__ import annotations

import asyncio
import os
from random import Random
from typing import Any

import pytest

from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.doing import all_done, assert_no_traceback, at_work, send
from tests.bot.generated_comments import misread, say, staged
from tests.bot.generated_payloads import Deliveries, Known
from tests.github import GitHubStandIn

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "400"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
PAYLOADS = EXAMPLES * 3 // 4
COMMENTS = EXAMPLES - PAYLOADS
AT_ONCE = 4

pytestmark = pytest.mark.timeout(60 + EXAMPLES)


async def known_to(github: GitHubStandIn) -> Known:
    widgets = await github.create_repository("acme/widgets", private=False, files={"a.py": "x = 1\n"})
    sha = await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    pull = await widgets.open_pull("Two", head="feature")
    return Known(widgets.id, widgets.full_name, github.installation_id(widgets), pull.number, sha)


async def test_whatever_is_delivered_is_kept_or_refused_and_comes_to_an_end(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    known = await known_to(github)
    github.auto_deliver = False
    statuses: list[int] = []
    for first in range(FIRST, FIRST + PAYLOADS, 100):
        numbers = range(first, min(first + 100, FIRST + PAYLOADS))
        await mended(pool, known)
        before = await pool.fetchval("SELECT count(*) FROM deliveries")
        found: list[int] = []
        for number in numbers[::AT_ONCE]:
            some = [Deliveries(Random(one), known).one() for one in numbers[number - first :][:AT_ONCE]]
            answers = await asyncio.gather(*(send(served, event, body) for event, body in some))
            assert all(status in (202, 400) for status, _ in answers), (number, answers)
            found += [status for status, _ in answers]
        assert await pool.fetchval("SELECT count(*) FROM deliveries") - before == found.count(202)
        assert_no_traceback(caplog)
        await mended(pool, known)
        github.state.rate_limits.clear()
        async with at_work(pool, github, database_url):
            await all_done(pool)
        assert_no_traceback(caplog)
        caplog.clear()
        github.requests.clear()
        statuses += found
    assert len(statuses) == PAYLOADS
    assert statuses.count(202) > PAYLOADS / 2, "most must get past the first check"
    assert await pool.fetchval("SELECT max(tries) FROM tasks") < 10
    kinds = {row["kind"] for row in await pool.fetch("SELECT DISTINCT kind FROM tasks")}
    assert kinds >= {"follow", "trust", "rerun", "comment", "first_contact"}
    assert await pool.fetchval("SELECT count(*) FROM tasks WHERE state = 'done'") > PAYLOADS / 20
    # GitHub signs no payload with ids that belong to nobody; what is wrong in itself would be our own fault.
    assert [str(one) for one in github.violations if one.status not in (404, 422)] == []
    github.violations.clear()


async def mended(pool: Pool[Any], known: Known) -> None:
    """Take back what a delivery said of the repository: that it is gone, has another name, is suspended."""
    await pool.execute("UPDATE installations SET is_suspended = false, is_removed = false")
    await pool.execute(
        "UPDATE repositories SET full_name = $2, is_gone = false, installation_id = $3 WHERE id = $1",
        known.repository_id,
        known.full_name,
        known.installation_id,
    )


async def test_whatever_is_said_is_answered_once_and_rightly(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """On pull requests that run, ran, wait for approval, are drafts, or closed; by whoever may, and may not."""
    async with staged(github, pool) as stage:
        for first in range(FIRST, FIRST + COMMENTS, 20):
            github.state.rate_limits.clear()
            async with at_work(pool, github, database_url):
                numbers = range(first, min(first + 20, FIRST + COMMENTS))
                said = [await say(stage, Random(number), number) for number in numbers]
                await all_done(pool)
            for one in said:
                assert misread(one) == [], (one.number, one.comment.author, one.comment.body)
            assert [one.status_code for one in github.deliveries if one.status_code not in (200, 202)] == []
            assert_no_traceback(caplog)
            caplog.clear()
            github.requests.clear()
            # Nobody floods us who writes twenty comments an hour.
            await pool.execute("UPDATE tasks SET created_at = created_at - interval '1 hour'")
    counts = await pool.fetch("SELECT state, count(*) AS number FROM tasks WHERE kind = 'comment' GROUP BY state")
    assert {row["state"] for row in counts} == {"done"}
    assert sum(row["number"] for row in counts) > COMMENTS / 3, "many must be commands"
