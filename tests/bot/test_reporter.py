"""The reporter between a real database and the GitHub stand-in."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from draftsman.domain.retry import Cause
from draftsman.domain.run import Conclusion
from draftsman.store import approvals, attempts, leases
from draftsman.store.database import Pool
from tests.bot.reporting import (
    FAST,
    FULL,
    PUBLIC_URL,
    StartReporter,
    buttons,
    commit,
    completed,
    newest,
    until,
    until_told,
)
from tests.bot.work import OWNER, Work, claim, make_findings, make_plan
from tests.github import GitHubStandIn


async def test_a_run_is_told_from_queued_to_completed(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await work.start("fast-1")
    await until(lambda: newest(github, FAST).status == "in_progress")
    await work.end("fast-1", output=b"All checks passed!\n")
    await work.start("full-1")
    await until(lambda: completed(github, FAST))
    assert newest(github, FULL).status == "in_progress"
    await work.end("full-1", output=b"3 passed\n")
    await work.finish(Conclusion.SUCCESS)
    await until(lambda: completed(github, FULL))
    history = github.check_run_history(FULL, sha)
    order = list(dict.fromkeys(state.status for state in history))
    assert order == ["queued", "in_progress", "completed"]
    full = newest(github, FULL)
    assert full.conclusion == "success"
    assert full.title == "1 of 1 step passed in 1.5 s, image cached"
    assert "3 passed" in full.text
    assert "`pytest`" in full.summary
    assert full.details_url == f"{PUBLIC_URL}/runs/{work.attempt.run.id}?attempt=1"
    assert full.external_id == f"{work.attempt.run.id}/1/full"
    assert len(github.check_runs(sha)) == 2


async def test_a_failing_fast_tier_has_annotations_and_full_says_not_run(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await work.step("fast-1", 1, b"src/a.py:1:1: F401\n")
    await work.finish(Conclusion.FAILURE, "fast failed", findings=make_findings(1))
    reporter()
    await until(lambda: completed(github, FAST, FULL))
    fast, full = newest(github, FAST), newest(github, FULL)
    assert (fast.conclusion, fast.title) == ("failure", "`ruff check .` failed (exit 1): 1 finding")
    assert [(one["path"], one["start_line"]) for one in fast.annotations] == [("src/a.py", 1)]
    assert (full.conclusion, full.title) == ("failure", "not run: fast failed")
    assert full.annotations == ()


async def begin_full(pool: Pool[Any]) -> Work:
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await work.step("fast-1")
    await work.start("full-1")
    return work


async def test_a_fast_tier_that_github_shows_as_passed_stays_so_where_the_fault_is_ours(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    reporter()
    work = await begin_full(pool)
    await until(lambda: completed(github, FAST))
    shown = newest(github, FAST)
    # The attempt starts again and does not even come to its checks: what was true is not taken back.
    await leases.give_back(pool, work.attempt, owner=OWNER)
    work = await claim(pool)
    await work.plan(make_plan())
    await work.finish(Conclusion.ERROR, "the engine is away")
    await until(lambda: completed(github, FULL))
    await asyncio.sleep(0.5)
    fast, full = newest(github, FAST), newest(github, FULL)
    assert fast == shown
    assert fast.conclusion == "success"
    assert (full.conclusion, full.title) == ("failure", "Draftsman could not run this: the engine is away")
    assert await pool.fetchval("SELECT count(*) FROM unreported") == 0


async def test_a_fast_tier_that_github_never_saw_pass_fails_where_the_fault_is_ours(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    work = await begin_full(pool)
    await work.finish(Conclusion.ERROR, "the engine is away")
    reporter()
    await until(lambda: completed(github, FAST, FULL))
    for name in (FAST, FULL):
        told = newest(github, name)
        assert (told.conclusion, told.title) == ("failure", "Draftsman could not run this: the engine is away")


async def test_more_annotations_than_a_request_takes_all_arrive_once(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await work.step("fast-1", 1)
    await work.finish(Conclusion.FAILURE, "fast failed", findings=make_findings(260))
    # The second request with annotations does its work, and its answer is lost.
    github.faults.fail(502, method="PATCH", path="check-runs", after_work=True)
    reporter()
    await until(lambda: newest(github, FAST) and len(newest(github, FAST).annotations) >= 200)
    await until(lambda: completed(github, FULL))
    await asyncio.sleep(0.5)
    lines = [one["start_line"] for one in newest(github, FAST).annotations]
    assert lines == list(range(1, 201))
    assert "200 of 260 findings are shown" in newest(github, FAST).summary


@pytest.mark.parametrize("how", ["answer lost", "connection lost"])
async def test_a_create_whose_answer_is_lost_doubles_nothing(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter, how: str
) -> None:
    sha = await commit(github)
    if how == "answer lost":
        github.faults.fail(502, method="POST", path="check-runs", times=2, after_work=True)
    else:
        github.faults.reset(method="POST", path="check-runs", times=2, after_work=True)
    reporter()
    await until(lambda: len(github.check_runs(sha)) == 2)
    work = await claim(pool)
    await work.finish(Conclusion.FAILURE, "the Dockerfile did not build", "line 3: no such package")
    await until(lambda: completed(github, FAST, FULL))
    assert len(github.check_runs(sha)) == 2
    assert newest(github, FULL).title == "the Dockerfile did not build"
    assert "no such package" in newest(github, FULL).summary


async def test_github_being_away_delays_a_report(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    github.faults.fail(503, path="check-runs", times=3)
    github.faults.reset(path="access_tokens", times=1)
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))


async def test_a_secondary_limit_is_waited_out(github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter) -> None:
    await commit(github)
    github.faults.fail(403, method="POST", path="check-runs", retry_after=2)
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))
    limited, *later = [one for one in github.requests if "check-runs" in one.path]
    assert limited.status == 403
    assert min(one.received_at for one in later) >= limited.received_at + 1.9


async def test_an_app_without_permission_is_not_asked_again_and_again(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    github.faults.fail(403, path="access_tokens", message="Resource not accessible by integration", times=1000)
    reporter()
    await asyncio.sleep(3)
    assert len(github.requests) <= 4
    rows = await pool.fetch("SELECT last_error, retry_at - now() > interval '50 minutes' AS far FROM check_runs")
    assert [row["far"] for row in rows] == [True, True]
    assert "Resource not accessible" in rows[0]["last_error"]


async def test_a_repository_without_installation_is_left_alone(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    await pool.execute("UPDATE repositories SET installation_id = NULL")
    seen = len(github.requests)
    reporter()
    await asyncio.sleep(1)
    assert len(github.requests) == seen


async def test_updates_in_progress_are_gathered_and_the_end_is_told_at_once(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))
    work = await claim(pool)
    commands = [f"check {number}" for number in range(1, 21)]
    await work.plan(make_plan(fast=commands))
    await work.sandbox()
    for number in range(1, 21):
        await work.step(f"fast-{number}", 1 if number == 20 else 0)
        await asyncio.sleep(0.05)
    loop = asyncio.get_running_loop()
    ended = loop.time()
    await work.finish(Conclusion.FAILURE, "fast failed")
    await until(lambda: completed(github, FAST, FULL))
    assert loop.time() - ended < 1.5
    assert len(github.check_run_history(FAST)) <= 5


async def test_a_fork_waits_is_approved_and_runs_as_another_check_run(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    fork = await github.create_repository("stranger/widgets", parent=widgets, install=False)
    sha = await fork.commit({"a.py": "x = 2\n"}, branch="feature")
    await widgets.open_pull("Two", head="feature", head_repository=fork, author="stranger")
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))
    assert (newest(github, FAST).status, newest(github, FAST).title) == (
        "queued",
        "looking at whether this needs approval",
    )
    [attempt] = await attempts.recent(pool)
    async with pool.acquire() as connection, connection.transaction():
        await approvals.hold(connection, attempt.run.id, title="waiting for approval: first pull request of stranger")
    await until(lambda: completed(github, FAST, FULL))
    waiting = newest(github, FAST)
    assert waiting.conclusion == "action_required"
    assert waiting.title == "waiting for approval: first pull request of stranger"
    assert f"comment `/approve {sha}` on pull request 1" in waiting.summary
    assert buttons(waiting) == ["approve"]
    async with pool.acquire() as connection, connection.transaction():
        await approvals.approve(connection, attempt.run.id, by="alice", reason="pressed Approve")
    await until(lambda: len(github.check_runs(sha, name=FAST)) == 2)
    await until(lambda: newest(github, FAST).status == "queued")
    await until(lambda: github.check_runs(sha, name=FAST)[0].title == "approved by alice")
    approved = github.check_runs(sha, name=FAST)[0]
    assert (approved.status, approved.conclusion, buttons(approved)) == ("completed", "action_required", [])


async def test_a_fork_whose_commit_arrives_on_a_branch_is_replaced(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    fork = await github.create_repository("stranger/widgets", parent=widgets, install=False)
    sha = await fork.commit({"a.py": "x = 2\n"}, branch="feature")
    await widgets.open_pull("Two", head="feature", head_repository=fork, author="stranger")
    [attempt] = await attempts.recent(pool)
    async with pool.acquire() as connection, connection.transaction():
        await approvals.hold(connection, attempt.run.id, title="waiting for approval")
    reporter()
    await until(lambda: completed(github, FAST, FULL))
    await widgets.move_ref("refs/heads/approved", sha)
    await until(lambda: len(github.check_runs(sha, name=FAST)) == 2)
    await until(lambda: newest(github, FAST).status == "queued")
    await until(lambda: github.check_runs(sha, name=FAST)[0].conclusion == "cancelled")


async def test_an_attempt_that_was_never_told_does_not_hide_a_newer_one(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    fork = await github.create_repository("stranger/widgets", parent=widgets, install=False)
    sha = await fork.commit({"a.py": "x = 2\n"}, branch="feature")
    await widgets.open_pull("Two", head="feature", head_repository=fork, author="stranger")
    await widgets.move_ref("refs/heads/approved", sha)
    reporter()
    await until(lambda: newest(github, FAST) and newest(github, FULL))
    await asyncio.sleep(0.5)
    assert [run.status for run in github.check_runs(sha)] == ["queued", "queued"]


async def test_a_lost_connection_to_postgres_is_made_again(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter, postgres_url: str
) -> None:
    reporter()
    await asyncio.sleep(0.3)
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%' AND pid <> pg_backend_pid()"
    )
    await connection.close()
    sha = await commit(github)
    await until(lambda: len(github.check_runs(sha)) == 2)
    [attempt] = await attempts.recent(pool)
    assert attempt.run.head_sha == sha


async def test_what_is_tried_again_is_never_shown_as_a_failure(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    """A failure in between would be taken for the result, and throw a pull request out of a merge queue."""
    sha = await commit(github)
    reporter()
    work = await claim(pool)
    await until(lambda: len(github.check_runs(sha)) == 2)
    github.requests.clear()
    await work.finish(Conclusion.ERROR, "no answer", "npm said: no", cause=Cause.REGISTRY)
    await until_told(pool)
    bodies = [request.json for request in github.requests if "/check-runs" in request.path]
    shown = [(body["external_id"].partition("/")[2], body["status"], body.get("conclusion")) for body in bodies]
    assert sorted(shown[:2]) == [("2/fast", "queued", None), ("2/full", "queued", None)]
    assert sorted(shown[2:]) == [("1/fast", "completed", "cancelled"), ("1/full", "completed", "cancelled")]
    first = github.check_runs(sha, name=FAST)[0]
    assert first.title == "Draftsman could not run this: no answer; tried again as attempt 2"
    assert "npm said: no" in str(first.summary)
    waiting = newest(github, FAST)
    assert waiting.title == f"attempt 2, since {Cause.REGISTRY.phrase} in attempt 1: waiting for a worker"
    await (await claim(pool)).finish(Conclusion.ERROR, "no answer", cause=Cause.REGISTRY)
    await until(lambda: completed(github, FAST, FULL))
    assert newest(github, FAST).conclusion == "failure"
    assert "It was tried 2 times, and is not tried again by itself" in newest(github, FAST).summary
    assert buttons(newest(github, FAST)) == ["rerun"]
