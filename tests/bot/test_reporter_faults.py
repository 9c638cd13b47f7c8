"""Exactly once at GitHub, whatever becomes of requests and answers, and however many reporters there are."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from draftsman.domain.run import Conclusion
from draftsman.store import attempts
from draftsman.store.database import Pool
from tests.bot.reporting import FAST, FULL, StartReporter, buttons, commit, completed, newest, until, until_told
from tests.bot.work import Work, claim, make_findings, make_plan
from tests.github import GitHubStandIn, Repository


async def fail_fast(work: Work, findings: int) -> None:
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await work.step("fast-1", 1)
    await work.finish(Conclusion.FAILURE, "fast failed", findings=make_findings(findings))


def lines(run: Any) -> list[int]:
    return [annotation["start_line"] for annotation in run.annotations]


async def test_answers_that_are_lost_between_batches_of_annotations_double_none(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    await commit(github)
    await fail_fast(await claim(pool), 200)
    # The create's answer, then that of every second update, until all have arrived.
    github.faults.reset(method="POST", path="check-runs", after_work=True)
    for _ in range(3):
        github.faults.fail(502, method="PATCH", path="check-runs", after_work=True)
        github.faults.delay(0, method="PATCH", path="check-runs")
    reporter()
    await until_told(pool, seconds=60)
    assert lines(newest(github, FAST)) == list(range(1, 201))
    assert len(github.check_runs()) == 2


async def test_a_create_whose_answer_was_lost_is_found_after_a_restart_behind_pages_of_others(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    github.faults.fail(502, method="POST", path="check-runs", times=2, after_work=True)
    stop = reporter()
    await until(lambda: len(github.check_runs(sha)) == 2)
    await until(lambda: github.faults.waiting == 0)
    await stop()
    made = {run.name: run for run in github.check_runs(sha)}
    # What others made since, or a test of long ago: GitHub shows the newest first.
    for run in made.values():
        for _ in range(230):
            other = replace(run, id=github.state.next_id(), external_id="x")
            github.checks.history[other.id] = [other]
    reporter()
    await until_told(pool)
    assert {name: newest_of(github, sha, name) for name in made} == {name: run.id for name, run in made.items()}


def newest_of(github: GitHubStandIn, sha: str, name: str) -> int:
    """The id of our check run, of which there must be one."""
    [ours] = [run for run in github.check_runs(sha, name=name) if run.external_id != "x"]
    return ours.id


async def test_two_reporters_at_once_double_nothing(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    # A slow GitHub: both see the same work before either has done it.
    github.faults.delay(0.2, path="check-runs", times=1000)
    for _ in range(3):
        reporter()
    shas = [await widgets.commit({"a.py": f"x = {number}\n"}) for number in range(2, 8)]
    for _ in shas:
        await fail_fast(await claim(pool), 120)
    await until_told(pool, seconds=60)
    for sha in shas:
        runs = github.check_runs(sha)
        assert sorted(run.name for run in runs) == [FAST, FULL]
        assert {run.conclusion for run in runs} == {"failure"}
        assert lines(newest(github, FAST, sha)) == list(range(1, 121))


async def test_a_check_run_that_is_gone_is_made_again_once(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    reporter()
    await until_told(pool)
    for run in github.check_runs(sha):
        del github.checks.history[run.id]
    work = await claim(pool)
    await fail_fast(work, 60)
    await until_told(pool)
    assert sorted(run.name for run in github.check_runs(sha)) == [FAST, FULL]
    assert lines(newest(github, FAST)) == list(range(1, 61))


async def test_a_repository_that_the_app_lost_for_a_while_gets_no_second_check_run(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    sha = await commit(github)
    reporter()
    await until_told(pool)
    seen = len(github.requests)
    github.faults.fail(404, path="check-runs", times=1000, message="Not Found")
    await fail_fast(await claim(pool), 1)
    await asyncio.sleep(2)
    assert len(github.requests) - seen <= 8  # nobody asks again and again
    github.faults.clear()
    await pool.execute("UPDATE check_runs SET retry_at = NULL")
    await until_told(pool)
    assert sorted(run.name for run in github.check_runs(sha)) == [FAST, FULL]
    assert lines(newest(github, FAST)) == [1]


async def test_a_lost_repository_holds_up_no_other(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    lost = await github.create_repository("acme/lost", files={"a.py": "x = 1\n"})
    kept = await github.create_repository("acme/kept", files={"a.py": "x = 1\n"})
    github.faults.fail(403, path="acme/lost/check-runs", message="Resource not accessible by integration", times=1000)
    await lost.commit({"a.py": "x = 2\n"})
    sha = await kept.commit({"a.py": "x = 2\n"})
    reporter()
    await until(lambda: len(github.check_runs(sha)) == 2)


async def test_few_requests_left_are_kept_for_the_end(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    limit = github.state.rate_limit(f"installation {github.installation_id(widgets)}")
    limit.remaining = limit.limit * 15 // 100
    await widgets.commit({"a.py": "x = 2\n"})
    reporter()
    await until_told(pool)
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await asyncio.sleep(3)
    assert [run.status for run in github.check_runs()] == ["queued", "queued"]
    await work.step("fast-1", 1)
    await work.finish(Conclusion.FAILURE, "fast failed")
    await until(lambda: completed(github, FAST, FULL))


async def test_the_last_requests_of_an_hour_are_left_to_others(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    limit = github.state.rate_limit(f"installation {github.installation_id(widgets)}")
    limit.remaining, limit.reset = limit.limit * 2 // 100, github.clock.now() + 4
    await widgets.commit({"a.py": "x = 2\n"})
    reporter()
    await until(lambda: len(github.check_runs()) == 1)
    await asyncio.sleep(1)
    assert len(github.check_runs()) == 1
    await until(lambda: len(github.check_runs()) == 2)


Story = list[tuple[str, str, str | None, str | None, list[int], list[str]]]


async def tell_story(pool: Pool[Any], repository: Repository, number: int, pause: float) -> str:
    """A commit and what becomes of it, by its number; returns its SHA."""
    sha = await repository.commit({"a.py": f"x = {number}\n"}, branch=f"branch-{number}")
    work = await claim(pool)
    await asyncio.sleep(pause)
    if number % 5 == 4:
        await attempts.ask_cancel(pool, work.attempt.id, by="alice", reason="by alice")
        await work.finish(Conclusion.CANCELLED, "cancelled by alice")
        return sha
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await asyncio.sleep(pause)
    if number % 5 == 3:
        await work.step("fast-1", 1)
        await work.finish(Conclusion.FAILURE, "fast failed", findings=make_findings(40 * number))
        return sha
    await work.step("fast-1")
    await asyncio.sleep(pause)
    await work.step("full-1", number % 2)
    await work.finish(Conclusion.FAILURE if number % 2 else Conclusion.SUCCESS)
    return sha


def shown(github: GitHubStandIn, repository: Repository, sha: str) -> Story:
    runs = [run for run in github.check_runs(sha) if run.repository_id == repository.id]
    return [(run.name, run.status, run.conclusion, run.title, lines(run), buttons(run)) for run in runs]


def trouble(github: GitHubStandIn, chance: random.Random, requests: int) -> None:
    """What becomes of the next so many requests about check runs, in their order."""
    for _ in range(requests):
        match chance.choice(("limit", "away", "reset", *["well"] * 5)):
            case "limit" if chance.random() < 0.3:
                github.faults.fail(chance.choice((403, 429)), path="check-runs", retry_after=1)
            case "away":
                status = chance.choice((500, 502, 503))
                github.faults.fail(status, path="check-runs", after_work=chance.random() < 0.5)
            case "reset":
                github.faults.reset(path="check-runs", after_work=chance.random() < 0.5)
            case _:
                github.faults.delay(chance.random() / 50, path="check-runs")


@pytest.mark.parametrize("seed", [20, 26])
async def test_after_all_kinds_of_trouble_github_shows_what_it_shows_on_a_quiet_day(
    github: GitHubStandIn, pool: Pool[Any], reporter: StartReporter, seed: int
) -> None:
    quiet = await github.create_repository("acme/quiet", files={"a.py": "x = 0\n"})
    rough = await github.create_repository("acme/rough", files={"a.py": "x = 0\n"})
    for _ in range(2):
        reporter()
    shas = [await tell_story(pool, quiet, number, 0) for number in range(1, 11)]
    await until_told(pool, seconds=60)
    expected = [shown(github, quiet, sha) for sha in shas]
    assert all(len(runs) == 2 for runs in expected)
    trouble(github, random.Random(seed), 250)
    shas = [await tell_story(pool, rough, number, 0.2) for number in range(1, 11)]
    await until_told(pool, seconds=120)
    found = [shown(github, rough, sha) for sha in shas]
    assert [sorted(runs) for runs in found] == [sorted(runs) for runs in expected]
    assert github.faults.waiting < 250
