"""Buttons of the check UI: run a check again, or all of a commit; build the image anew; approve a commit.

What a comment asks for is done here, too, where an attempt that does less is under way.
"""

from __future__ import annotations

from uuid import UUID

from bot.checks import parse_external_id
from bot.tasks import asking
from bot.tasks.desk import Desk, LaterError, PointlessError, policy_of, repository_of
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.policy import ApprovalPolicy
from draftsman.domain.run import Ref, RefKind, Repository, RunState, Trust
from draftsman.store import approvals, attempts, reruns, runs, steps, tasks
from draftsman.store.reruns import Asked
from draftsman.store.runs import Wanted
from draftsman.store.tasks import Task

BUSY_SECONDS = 3.0
"""Until it is looked again whether the attempt that is in the way has ended."""


async def rerun(desk: Desk, task: Task) -> None:
    """Do what the button says. Raises LaterError, PointlessError and GitHubError."""
    repository = await repository_of(desk, task.detail.get("repository_id"))
    by = task.detail["by"]
    if not task.detail.get("is_checked", True):
        # Whoever can see a button can press it: GitHub says who may.
        permission = await asking.permission(desk, repository, by)
        if not permission.may_write:
            raise PointlessError(f"{by} may not write to {repository.full_name}")
    run_id = await _run_of(desk, repository, task)
    if run_id is None:
        await _start(desk, repository, task)
        return
    if task.detail["action"] == "start":
        return
    if task.detail["action"] == "approve":
        await _approve(desk, repository, run_id, task)
        return
    tiers = await _tiers(desk, run_id, task)
    async with desk.pool.acquire() as connection, connection.transaction():
        rebuild = task.detail["action"] == "rebuild"
        asked = await reruns.ask(
            connection, run_id, by=by, cause=f"button {task.detail['action']}", tiers=tiers, rebuild=rebuild
        )
        if asked.asked is not Asked.BUSY:
            await tasks.end(connection, task)
    if asked.asked is Asked.BUSY:
        raise LaterError("an attempt is under way that does less", BUSY_SECONDS)
    await desk.receiver.wake()


async def _run_of(desk: Desk, repository: Repository, task: Task) -> UUID | None:
    """Return the run whose check it is, else the one that GitHub shows for the commit."""
    if "run_id" in task.detail:
        return UUID(task.detail["run_id"])
    known = await runs.of_commit(desk.pool, repository.id, task.detail["head_sha"])
    named = parse_external_id(task.detail.get("external_id", ""))
    if named is not None and named[0] in known:
        return named[0]
    return known[0] if known else None


async def _start(desk: Desk, repository: Repository, task: Task) -> None:
    """Run a commit that was never run, where it is a branch's head in this repository.

    Its message said so, or its push is not here yet.
    """
    branch, head_sha = task.detail.get("branch"), task.detail["head_sha"]
    ref = Ref(RefKind.BRANCH, branch or "")
    if not branch or task.detail["action"] == "approve" or await asking.head_of(desk, repository, ref) != head_sha:
        raise PointlessError("the commit was never run here, and is no branch's head")
    async with desk.pool.acquire() as connection, connection.transaction():
        wanted = Wanted(repository, head_sha, ref, Trust.TRUSTED, base_sha=task.detail.get("before"))
        started = await runs.start(connection, wanted, delivery=task.delivery, actor=task.detail["by"])
        if task.detail["action"] != "start":
            await reruns.ask(connection, started.run_id, by=task.detail["by"], cause="button rerun")
        await tasks.end(connection, task)
    await desk.receiver.wake()


async def _approve(desk: Desk, repository: Repository, run_id: UUID, task: Task) -> None:
    if (await policy_of(desk, repository)).approval is ApprovalPolicy.NEVER:
        raise PointlessError(f"{repository.full_name} runs nothing from forks, and approval does not change that")
    async with desk.pool.acquire() as connection, connection.transaction():
        await approvals.approve(connection, run_id, by=task.detail["by"], reason="button on the check run")
        await tasks.end(connection, task)
    await desk.receiver.wake()


async def _tiers(desk: Desk, run_id: UUID, task: Task) -> tuple[Tier, ...]:
    if "tiers" in task.detail:
        return tuple(Tier(tier) for tier in task.detail["tiers"])
    named = parse_external_id(task.detail.get("external_id", ""))
    if named is None or not task.detail.get("is_one_check"):
        return CHECKED_TIERS
    newest = (await attempts.of_run(desk.pool, run_id))[0]
    ran = {step.tier for step in await steps.of_attempt(desk.pool, newest.id) if step.state != "pending"}
    return tiers_again(named[2], covered=newest.tiers, ran=ran, is_finished=newest.state is RunState.FINISHED)


def tiers_again(tier: Tier, *, covered: frozenset[Tier], ran: set[Tier], is_finished: bool) -> tuple[Tier, ...]:
    """Return the tiers to run where one check is asked for again.

    Full checks that never ran, since what comes before them failed, say nothing without that.
    """
    both = covered >= frozenset(CHECKED_TIERS)
    return CHECKED_TIERS if both and is_finished and Tier.FULL not in ran else (tier,)
