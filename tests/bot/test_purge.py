"""A secret that was printed, or sent, is gone: from the store, and from what GitHub shows."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from bot.github import GitHub
from draftsman.domain.finding import Finding, Level
from draftsman.domain.outcome import Artifact, Outcome
from draftsman.domain.plan import Tier
from draftsman.domain.run import Conclusion
from draftsman.purging import purge_delivery, purge_log
from draftsman.steering import NotNowError
from draftsman.store import artifacts, attempts, audit, deliveries, images, steps
from draftsman.store.audit import AuditFilter
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.recovering import away, fetched, kept, recovery_of
from tests.bot.reporting import FAST, FULL, StartReporter, commit, completed, newest, until, until_told
from tests.bot.work import OWNER, Work, claim, make_plan
from tests.github import GitHubStandIn

SECRET = "hunter2-8f1c0e"


async def leak(pool: Pool[Any]) -> Work:
    """An attempt that prints the secret wherever a job can."""
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await work.step("fast-1", 1, f"token {SECRET}\n".encode())
    finding = Finding(Tier.FAST, "src/a.py", 1, Level.FAILURE, "leak", f"token {SECRET}", "ruff")
    outcome = Outcome(
        Conclusion.FAILURE, "fast failed", f"it said {SECRET}", findings=(finding,), summary=f"* {SECRET}"
    )
    await images.keep_failure(
        pool, "key", engine="e", repo=work.attempt.run.repository.full_name, sentence="no", detail=SECRET
    )
    async with pool.acquire() as connection, connection.transaction():
        await attempts.finish(connection, work.attempt, outcome, owner=OWNER)
        await steps.keep_findings(connection, work.attempt, outcome.findings)
        await artifacts.keep(connection, work.attempt, [Artifact("log.txt", SECRET.encode())])
    return work


async def where_it_stands(pool: Pool[Any], secret: str) -> list[str]:
    """The tables that hold the secret, as it is or compressed."""
    tables = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = []
    for (table,) in tables:
        rows = [dict(row) for row in await pool.fetch(f"SELECT * FROM {table}")]
        if any(secret.encode() in _bytes(value) for row in rows for value in row.values()):
            found.append(table)
    return sorted(found)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


async def test_a_log_that_was_purged_is_nowhere_any_more(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    reporter()
    work = await leak(pool)
    await until(lambda: completed(github, FAST, FULL))
    await until_told(pool)
    fast = newest(github, FAST)
    assert SECRET in fast.text
    assert SECRET in fast.summary
    assert {"log_chunks", "findings", "artifacts", "attempts", "image_failures"} <= set(
        await where_it_stands(pool, SECRET)
    )
    [purged] = await purge_log(pool, work.attempt.run.id, by="alice", reason="a token was printed")
    assert (purged.log_chunks, purged.annotations, purged.artifacts, purged.check_runs) == (1, 1, 1, 2)
    assert purged.annotations_sent == 1
    assert await where_it_stands(pool, SECRET) == []
    await until_told(pool)
    fast = newest(github, FAST)
    assert SECRET not in f"{fast.title}{fast.summary}{fast.text}"
    assert "was removed for good" in fast.text
    assert (fast.status, fast.conclusion) == ("completed", "failure")
    assert len(github.check_run_history(FAST)) > 1
    told = [event.action for event in await audit.of_run(pool, work.attempt.run.id)]
    assert told[-3:] == ["log.purged", "check_run.told", "check_run.told"]
    [event] = await audit.recent(pool, AuditFilter(action="log.purged"), limit=5)
    assert (event.actor, event.detail["reason"], event.attempt) == ("alice", "a token was printed", 1)


async def test_the_log_of_an_attempt_that_goes_on_is_not_purged(
    github: GitHubStandIn, pool: Pool[Any], served: Served
) -> None:
    await commit(github)
    work = await claim(pool)
    await work.sandbox()
    with pytest.raises(NotNowError, match="cancel it"):
        await purge_log(pool, work.attempt.run.id, by="alice", reason="")
    assert await purge_log(pool, work.attempt.run.id, by="alice", reason="", number=7) == []


async def test_a_delivery_that_was_purged_stays_known(
    github: GitHubStandIn, app_client: GitHub, pool: Pool[Any]
) -> None:
    away(github)
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    await widgets.commit({"a.py": "x = 1\n"}, message=f"oops {SECRET}")
    await recovery_of(pool, github, app_client).round()
    rows = await pool.fetch("SELECT guid, body FROM deliveries")
    guids = [row["guid"] for row in rows if SECRET.encode() in row["body"]]  # the push, and the check suite of it
    before, requests = await kept(pool), fetched(github)
    for guid in guids:
        assert await purge_delivery(pool, guid, by="alice", reason="a token in a message")
    assert await where_it_stands(pool, SECRET) == []
    await recovery_of(pool, github, app_client).round()
    assert (await kept(pool), fetched(github)) == (before, requests)
    delivery = await deliveries.get(pool, guids[0])
    assert delivery is not None
    assert (delivery.size, delivery.body_removed_by, delivery.repo) == (0, "alice", "acme/widgets")
    assert not await purge_delivery(pool, "another", by="alice", reason="")


async def test_a_comment_that_was_purged_is_forgotten_by_its_task(
    github: GitHubStandIn, served: Served, pool: Pool[Any]
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 0\n"})
    await widgets.commit({"a.py": "x = 1\n"}, branch="feature")
    pull = await widgets.open_pull("A change", head="feature")
    await pull.comment(f"/test\n{SECRET}")
    assert await where_it_stands(pool, SECRET) == ["deliveries", "tasks"]
    guid = await pool.fetchval("SELECT guid FROM deliveries WHERE event = 'issue_comment'")
    await purge_delivery(pool, guid, by="alice", reason="")
    assert await where_it_stands(pool, SECRET) == []
    [row] = await pool.fetch("SELECT state, error FROM tasks WHERE kind = 'comment'")
    assert tuple(row) == ("given_up", "its delivery was purged")
