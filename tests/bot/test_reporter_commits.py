"""Whose check runs GitHub shows, where a commit has several attempts and runs, and attempts of one tier."""

from __future__ import annotations

import asyncio
from typing import Any

from draftsman.domain.plan import Tier
from draftsman.domain.run import Conclusion, Ref, RefKind, Trust, merge_subject
from draftsman.store import attempts, installations, runs
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted
from tests.bot.reporting import (
    FAST,
    FULL,
    StartReporter,
    ask_again,
    buttons,
    commit,
    newest,
    pass_all,
    until,
    until_told,
)
from tests.bot.work import Work, claim, make_findings, make_plan
from tests.github import GitHubStandIn


async def start_merge(pool: Pool[Any], work: Work, base_sha: str) -> None:
    """Another run of the commit, merged into main for the test."""
    run = work.attempt.run
    wanted = Wanted(
        run.repository,
        run.head_sha,
        Ref(RefKind.PULL_REQUEST, "1"),
        Trust.TRUSTED,
        base_branch="main",
        subject=merge_subject(base_sha),
    )
    async with pool.acquire() as connection, connection.transaction():
        await runs.start(connection, wanted, delivery=None)


async def test_an_attempt_of_one_tier_leaves_the_other_check_run_as_it_is(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    reporter()
    work = await pass_all(pool)
    await until_told(pool)
    full = newest(github, FULL)
    await ask_again(pool, work, tiers=[Tier.FAST])
    await until(lambda: len(github.check_runs(sha, name=FAST)) == 2)
    again = await pass_all(pool)
    assert again.attempt.number == 2
    await until_told(pool)
    assert github.check_runs(sha, name=FULL) == [full]
    fast = newest(github, FAST)
    assert (fast.conclusion, fast.external_id) == ("success", f"{work.attempt.run.id}/2/fast")
    assert "asked for by alice" in fast.summary


async def test_a_tier_that_nobody_ever_asked_for_says_so_once(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    await pool.execute("UPDATE attempts SET tiers = '{fast}'")
    reporter()
    work = await pass_all(pool)
    await until_told(pool)
    await ask_again(pool, work, tiers=[Tier.FAST])
    await pass_all(pool)
    await until_told(pool)
    [left_out] = github.check_runs(sha, name=FULL)
    assert (left_out.status, left_out.conclusion) == ("completed", "action_required")
    assert left_out.title == "not asked for: only the fast checks were run"
    assert buttons(left_out) == ["rerun"]
    assert len(github.check_run_history(left_out.id)) == 1
    # Somebody presses it.
    await ask_again(pool, work, tiers=[Tier.FULL])
    await pass_all(pool)
    await until_told(pool)
    assert [run.conclusion for run in github.check_runs(sha, name=FULL)] == ["action_required", "success"]
    assert len(github.check_runs(sha, name=FAST)) == 2


async def test_a_tier_that_is_asked_for_while_the_attempt_is_queued_gets_a_check_run_that_moves(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    await pool.execute("UPDATE attempts SET tiers = '{fast}'")
    [attempt] = await attempts.recent(pool)
    reporter()
    await until_told(pool)
    await ask_again(pool, Work(pool, attempt), tiers=[Tier.FULL])
    await until(lambda: newest(github, FULL).status == "queued")
    await pass_all(pool)
    await until_told(pool)
    assert [run.conclusion for run in github.check_runs(sha, name=FULL)] == ["action_required", "success"]
    assert [run.conclusion for run in github.check_runs(sha, name=FAST)] == ["success"]


async def test_a_merge_speaks_for_the_commit_once_it_is_newer_and_says_what_it_is(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    reporter()
    head = await claim(pool)
    await head.plan(make_plan())
    await until_told(pool)
    await start_merge(pool, head, "abc1234" + 33 * "0")
    await until(lambda: len(github.check_runs(sha)) == 4)
    # The older attempt finishes what it began, and makes nothing new.
    await head.finish(Conclusion.FAILURE, "the Dockerfile did not build")
    await pass_all(pool)
    await until_told(pool)
    assert len(github.check_runs(sha)) == 4
    for name in (FAST, FULL):
        older, newer = github.check_runs(sha, name=name)
        assert older.conclusion == "failure"
        assert newer.conclusion == "success"
        assert str(newer.title).endswith(", merged into main at abc1234")
        assert "merged into main at abc1234" in str(newer.summary)


async def test_of_several_runs_only_the_newest_attempt_makes_check_runs(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    head = await claim(pool)
    for number in range(3):
        await start_merge(pool, head, f"{number}" * 40)
    reporter()
    await until_told(pool)
    assert len(github.check_runs(sha)) == 2
    merged = await pool.fetchval("SELECT run_id FROM attempts ORDER BY created_at DESC LIMIT 1")
    assert {run.external_id for run in github.check_runs(sha)} == {f"{merged}/1/fast", f"{merged}/1/full"}
    assert await runs.of_commit(pool, head.attempt.run.repository.id, sha) != []
    # A re-run of the first one is the newest then.
    await head.finish(Conclusion.FAILURE, "the Dockerfile did not build")
    await ask_again(pool, head)
    await until_told(pool)
    assert newest(github, FAST).external_id == f"{head.attempt.run.id}/2/fast"
    assert len(github.check_runs(sha)) == 4


async def test_a_failure_says_whether_the_base_branch_fails_too(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"src/a.py": "x = 1\n"})
    base = await widgets.commit({"src/a.py": "x = 2\n"})
    await pass_all(pool)
    sha = await widgets.commit({"src/a.py": "x = 3\n"}, branch="feature")
    await widgets.open_pull("Three", head="feature")
    reporter()
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await work.step("fast-1", 1)
    await work.finish(Conclusion.FAILURE, "fast failed", findings=make_findings(2))
    await until_told(pool)
    fast, full = newest(github, FAST, sha), newest(github, FULL, sha)
    assert fast.title == f"`ruff check .` failed (exit 1): 2 findings, new here: main passes ({base[:7]})"
    assert f"**New here: main passes ({base[:7]})**" in fast.summary.splitlines()[2]
    assert "exit 1, new here" in fast.summary
    assert full.title == "not run: fast failed"
    # The same commit becomes main's: then it is compared with the one before.
    await widgets.move_ref("refs/heads/main", sha)
    await ask_again(pool, work)
    again = await claim(pool)
    await again.plan(make_plan())
    await again.sandbox()
    await again.step("setup-1")
    await again.step("fast-1", 1)
    await again.finish(Conclusion.FAILURE, "fast failed")
    await until_told(pool)
    assert newest(github, FAST, sha).title == f"`ruff check .` failed (exit 1), was green at {base[:7]}"


async def test_a_repository_that_is_gone_and_an_installation_that_is_away_are_not_asked(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    [attempt] = await attempts.recent(pool)
    installation = attempt.run.repository.installation_id
    assert installation is not None
    await installations.note(pool, installation, account="acme", account_id=1)
    await installations.mark(pool, installation, suspended=True)
    seen = len(github.requests)
    stop = reporter()
    await asyncio.sleep(1)
    await installations.mark(pool, installation, suspended=False, removed=True)
    await asyncio.sleep(1)
    await stop()
    await installations.mark(pool, installation, removed=False)
    await pool.execute("UPDATE repositories SET is_gone = true")
    seen_with_installation = len(github.requests)
    reporter()
    await asyncio.sleep(1)
    assert len(github.requests) == seen_with_installation == seen
    await pool.execute("UPDATE repositories SET is_gone = false")
    await until(lambda: len(github.check_runs(sha)) == 2)


async def test_what_was_refused_while_an_installation_was_away_is_told_at_once_when_it_is_back(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    [attempt] = await attempts.recent(pool)
    installation = attempt.run.repository.installation_id
    assert installation is not None
    await installations.note(pool, installation, account="acme", account_id=1)
    github.faults.fail(403, path="access_tokens", message="This installation has been suspended", times=2)
    reporter()
    await until(lambda: github.faults.waiting == 0)
    await installations.mark(pool, installation, suspended=True)
    await installations.mark(pool, installation, suspended=False)
    await until(lambda: len(github.check_runs(sha)) == 2)
