"""The loop that does tasks, with GitHub's stand-in: what is tried again, given up, and stands in nobody's way."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from bot.github_error import GitHubError
from bot.tasks import loop as task_loop
from bot.tasks.loop import MOST_TRIES, seconds_to_wait
from draftsman.domain.run import Conclusion, Ref, RunState
from draftsman.store import attempts, refs, runs, tasks
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.doing import add, all_done, at_work, left
from tests.bot.reporting import until
from tests.bot.work import claim
from tests.github import Comment, GitHubStandIn, Pull, Repository


async def widgets_of(github: GitHubStandIn) -> Repository:
    return await github.create_repository("acme/widgets", private=False, files={"a.py": "x = 1\n"})


async def pull_of(github: GitHubStandIn) -> Pull:
    widgets = await widgets_of(github)
    await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    return await widgets.open_pull("Two", head="feature")


async def eventually(pool: Pool[Any], query: str, *arguments: object) -> Any:
    """What the query returns, once that is true."""
    for _ in range(750):
        if found := await pool.fetchval(query, *arguments):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not come to that: {query}: {await left(pool)}")


def answers(github: GitHubStandIn, pull: Pull) -> list[Comment]:
    return [one for one in github.comments(pull.repository, pull.number) if one.by_app]


async def test_two_loops_do_each_task_once_and_lanes_in_order(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    """Two processes that serve."""
    widgets = await widgets_of(github)
    pulls = []
    for number in range(3):
        await widgets.commit({"a.py": f"x = {number}\n"}, branch=f"feature-{number}")
        pulls.append(await widgets.open_pull("Two", head=f"feature-{number}"))
    comments = [await pull.comment(f"/draftsman nonsense{number}") for number in range(4) for pull in pulls]
    async with at_work(pool, github, database_url), at_work(pool, github, database_url):
        await all_done(pool)
    assert [comment.reactions for comment in comments] == [["eyes", "confused"]] * len(comments)
    for pull in pulls:
        said = [answer.body for answer in answers(github, pull)]
        assert [f"nonsense{number}`" in one for number, one in enumerate(said)] == [True] * 4
    assert {row["tries"] for row in await pool.fetch("SELECT tries FROM tasks")} == {1}


async def test_a_delivery_that_comes_twice_leaves_its_tasks_once(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman nonsense")
    told = github.deliveries[-1]
    await asyncio.gather(*(github.redeliver(told) for _ in range(4)))
    await github.deliver(told.event, told.payload)  # with another GUID, as a webhook of the repository's own would
    async with at_work(pool, github, database_url):
        await all_done(pool)
    rows = await pool.fetch("SELECT state, tries FROM tasks WHERE kind = 'comment' ORDER BY id")
    assert [tuple(row) for row in rows] == [("done", 1), ("given_up", 1)]
    assert len(answers(github, pull)) == 1
    assert comment.reactions == ["eyes", "confused"]


async def test_a_task_whose_process_died_is_done_by_another(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman nonsense")
    while await tasks.take(pool, lease_seconds=1):
        pass  # whoever took them is gone
    async with at_work(pool, github, database_url):
        await until(lambda: comment.reactions == ["eyes", "confused"])
        await all_done(pool)
    assert len(answers(github, pull)) == 1


async def test_a_loop_that_is_told_to_stop_gives_back_what_it_has(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman nonsense")
    github.faults.delay(20, path="reactions")
    async with at_work(pool, github, database_url):
        await eventually(pool, "SELECT count(*) FROM tasks WHERE kind = 'comment' AND tries = 1")
        await until(lambda: any("reactions" in request.path for request in github.requests))
    async with at_work(pool, github, database_url):
        await until(lambda: comment.reactions == ["eyes", "confused"], seconds=10)


async def test_a_task_that_outlasts_its_lease_is_done_once(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman nonsense")
    github.faults.delay(3, path="reactions")
    async with (
        at_work(pool, github, database_url, lease_seconds=0.8),
        at_work(pool, github, database_url, lease_seconds=0.8),
    ):
        await until(lambda: comment.reactions == ["eyes", "confused"], seconds=10)
        await all_done(pool)
    assert await pool.fetchval("SELECT tries FROM tasks WHERE kind = 'comment'") == 1
    assert len(answers(github, pull)) == 1


async def test_whoever_cannot_renew_a_lease_leaves_the_task_before_another_takes_it(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Postgres does not answer it for longer than its lease."""
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman nonsense")
    github.faults.delay(2, path="/permission")
    async with at_work(pool, github, database_url, lease_seconds=1):
        await until(lambda: comment.reactions)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM tasks FOR UPDATE")
            await asyncio.sleep(3)
            assert "could not be renewed" in caplog.text
            assert comment.reactions == ["eyes"]
        await until(lambda: comment.reactions == ["eyes", "confused"], seconds=10)
        await all_done(pool)
    assert await pool.fetchval("SELECT tries FROM tasks WHERE kind = 'comment'") == 2
    assert len(answers(github, pull)) == 1


async def test_whoever_lost_the_lease_meanwhile_changes_nothing(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    """The machine slept while it asked GitHub."""
    pull = await pull_of(github)
    comment = await pull.comment("/draftsman nonsense\n/draftsman cancel")
    github.faults.delay(4, path="/permission")
    async with at_work(pool, github, database_url):
        await until(lambda: comment.reactions)
        await pool.execute("UPDATE tasks SET due_at = now(), error = NULL WHERE kind = 'comment'")
        await until(lambda: comment.reactions == ["eyes", "confused"])
        await all_done(pool)
        await asyncio.sleep(4.2)
    assert len(answers(github, pull)) == 1
    assert await pool.fetchval("SELECT tries FROM tasks WHERE kind = 'comment'") == 2
    detail = await pool.fetchval("SELECT detail FROM tasks WHERE kind = 'comment'")
    assert len(detail["outcomes"]) == 2


async def test_what_github_refuses_is_given_up_and_stands_in_nobodys_way(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    first = await pull.comment("/draftsman nonsense")
    second = await pull.comment("/draftsman nonsense")
    github.faults.fail(403, path=f"comments/{first.id}/reactions", times=100, message="no")
    async with at_work(pool, github, database_url):
        await all_done(pool)
    rows = await pool.fetch("SELECT state, tries, error FROM tasks WHERE kind = 'comment' ORDER BY id")
    state, tries, error = tuple(rows[0])
    assert (state, tries) == ("given_up", task_loop.MOST_REFUSALS)
    assert "403" in error
    assert second.reactions == ["eyes", "confused"]


async def test_what_is_not_there_is_given_up_at_once(
    pool: Pool[Any], github: GitHubStandIn, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await add(pool, detail={"repository_id": 4711, "kind": "branch", "name": "main"})
    await add(pool, "nonsense")
    async with at_work(pool, github, database_url):
        await all_done(pool)
    rows = await pool.fetch("SELECT state, tries, error FROM tasks ORDER BY id")
    assert [(row["state"], row["tries"]) for row in rows] == [("given_up", 1)] * 2
    assert "4711" in rows[0]["error"]
    assert "no task of the kind nonsense" in rows[1]["error"]
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_defect_of_ours_is_told_and_ends(
    served: Served, pool: Pool[Any], github: GitHubStandIn, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    widgets = await widgets_of(github)
    await widgets.commit({"a.py": "x = 2\n"})
    await pool.execute("DELETE FROM tasks")
    await add(pool, detail={"repository_id": widgets.id})  # without what a follow needs
    await add(pool, detail={"repository_id": widgets.id, "kind": "branch", "name": "main"})
    async with at_work(pool, github, database_url):
        await all_done(pool)
    rows = await pool.fetch("SELECT state, tries FROM tasks ORDER BY id")
    assert [tuple(row) for row in rows] == [("given_up", task_loop.MOST_REFUSALS), ("done", 1)]
    told = [record for record in caplog.records if record.exc_info]
    assert len(told) == task_loop.MOST_REFUSALS
    assert all(record.levelno == logging.ERROR for record in told)


async def test_a_task_that_never_ends_is_given_up(
    served: Served, pool: Pool[Any], github: GitHubStandIn, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_loop, "DONE_WITHIN", 0.3)
    widgets = await widgets_of(github)
    await widgets.commit({"a.py": "x = 2\n"})
    for _ in range(20):
        github.faults.delay(1, path="/git/ref/")
    async with at_work(pool, github, database_url):
        await all_done(pool)
    rows = await pool.fetch("SELECT state, tries, error FROM tasks WHERE kind = 'follow'")
    assert {(row["state"], row["tries"]) for row in rows} == {("given_up", task_loop.MOST_REFUSALS)}
    assert all("took longer" in row["error"] for row in rows)


async def test_a_task_that_ends_its_process_each_time_is_given_up(
    pool: Pool[Any], github: GitHubStandIn, database_url: str
) -> None:
    await add(pool, detail={"repository_id": 4711})
    await pool.execute("UPDATE tasks SET tries = $1", MOST_TRIES)
    async with at_work(pool, github, database_url):
        await all_done(pool)
    assert await pool.fetchval("SELECT error FROM tasks") == "it never came to an end"


@pytest.mark.parametrize("status", [500, 502, 503, 429, None])
def test_where_github_is_away_it_is_tried_for_days_then_given_up(status: int | None) -> None:
    error = GitHubError("away", status=status)
    waits = [seconds_to_wait(error, tries) for tries in range(1, MOST_TRIES + 1)]
    assert waits[-1] is None
    assert timedelta(days=3) < timedelta(seconds=sum(wait for wait in waits if wait)) < timedelta(days=5)


async def test_a_lane_that_waits_does_not_keep_the_loop_busy(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    """One waits for GitHub, and all behind it are due."""
    await add(pool)
    await add(pool)
    task = await tasks.take(pool, lease_seconds=60)
    assert task is not None
    await tasks.again(pool, task, seconds=3600, error="away")
    begun = await looked(pool)
    async with at_work(pool, github, database_url):
        await asyncio.sleep(1.5)
    assert await looked(pool) - begun < 20


async def looked(pool: Pool[Any]) -> int:
    """How many transactions were committed in this database, this look among them."""
    await asyncio.sleep(1.1)  # Postgres tells of them once a second
    count: int = await pool.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    return count


async def test_a_command_that_has_to_wait_holds_up_neither_cancel_nor_a_newer_push(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    async with at_work(pool, github, database_url):
        await all_done(pool)
        work = await claim(pool)
        waits = await pull.comment("/draftsman rebuild")
        await eventually(pool, "SELECT count(*) FROM tasks WHERE error LIKE 'an attempt is under way%'")
        cancel = await pull.comment("/draftsman cancel", author="octocat")
        await until(lambda: cancel.reactions == ["eyes", "rocket"], seconds=5)
        assert await attempts.cancels_asked(pool, [work.attempt.id])
        await work.finish(Conclusion.CANCELLED, "cancelled by octocat")
        await all_done(pool)
    assert waits.reactions == ["eyes", "rocket"]
    assert answers(github, pull) == []
    assert len(await attempts.of_run(pool, work.attempt.run.id)) == 1


async def test_a_command_that_has_to_wait_is_done_when_the_attempt_has_ended(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    pull = await pull_of(github)
    async with at_work(pool, github, database_url):
        await all_done(pool)
        work = await claim(pool)
        waits = await pull.comment("/draftsman rebuild")
        await eventually(pool, "SELECT count(*) FROM tasks WHERE error LIKE 'an attempt is under way%'")
        await work.finish(Conclusion.SUCCESS)
        await all_done(pool)
    assert waits.reactions == ["eyes", "rocket"]
    newest, _ = await attempts.of_run(pool, work.attempt.run.id)
    assert (newest.state, newest.rebuild) == (RunState.QUEUED, True)


async def test_an_answer_that_comes_late_ends_no_newer_run(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    """GitHub said what the branch names, and by the time that we hear it something else was pushed."""
    widgets = await widgets_of(github)
    old = await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    ref = (await refs_of(pool))[0]
    asked_at = await refs.now(pool)
    new = await widgets.commit({"a.py": "x = 3\n"}, branch="feature")
    async with pool.acquire() as connection, connection.transaction():
        released = await refs.release(
            connection, widgets.id, ref, head_sha=old, by="delivery", reason="(late)", doubtful_since=asked_at
        )
    assert (released.ended, released.is_unsettled) == ((), True)
    async with at_work(pool, github, database_url):
        await all_done(pool)
    states = {one.run.head_sha: one.conclusion or one.state for one in await attempts.recent(pool)}
    assert states == {old: "cancelled", new: "queued"}


async def refs_of(pool: Pool[Any]) -> list[Ref]:
    [attempt] = await attempts.recent(pool)
    return await runs.refs_of(pool, attempt.run.id)


@pytest.mark.parametrize("is_under_way", [False, True], ids=["queued", "under way"])
async def test_a_branch_that_goes_back_to_a_commit_whose_run_was_ended_runs_it_again(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str, is_under_way: bool
) -> None:
    widgets = await widgets_of(github)
    first = await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    work = await claim(pool) if is_under_way else None
    async with at_work(pool, github, database_url):
        await widgets.commit({"a.py": "x = 3\n"}, branch="feature")
        await all_done(pool)
        await widgets.move_ref("refs/heads/feature", first)
        if work is not None:
            await eventually(pool, "SELECT count(*) FROM tasks WHERE error LIKE '%has to end first%'")
            await work.finish(Conclusion.CANCELLED, "cancelled (superseded)")
        await all_done(pool)
    [run_id] = await runs.of_commit(pool, widgets.id, first)
    newest, oldest = await attempts.of_run(pool, run_id)
    assert (newest.state, oldest.conclusion) == (RunState.QUEUED, "cancelled")


async def test_nothing_is_locked_while_github_is_asked(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str
) -> None:
    """A stranger's command, for which GitHub is asked who may do what, and whether they ever contributed."""
    widgets = await widgets_of(github)
    fork = await github.fork(widgets, "stranger")
    await fork.commit({"a.py": "x = 3\n"}, branch="idea")
    pull = await widgets.open_pull("Idea", head="idea", head_repository=fork, author="stranger")
    async with at_work(pool, github, database_url):
        await all_done(pool)
        comment = await pull.comment("/draftsman test", author="stranger")
        for path in ("/permission", "/search/issues", f"/pulls/{pull.number}"):
            github.faults.delay(0.4, path=path)
        idle = 0
        while comment.reactions != ["eyes", "confused"]:
            idle += await pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state = 'idle in transaction' AND now() - state_change > interval '0.2 s'"
            )
            await asyncio.sleep(0.05)
    assert idle == 0
    assert any("/search/issues" in request.path for request in github.requests)
