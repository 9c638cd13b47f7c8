"""Decides whether the commit of a pull request from a fork runs at once, or waits for approval."""

from __future__ import annotations

from uuid import UUID

from bot.tasks import asking
from bot.tasks.desk import Desk, policy_of, repository_of
from bot.trust import Waits, is_listed, listed_teams, needs_approval
from draftsman.domain.policy import ApprovalPolicy, RepoPolicy
from draftsman.domain.run import Repository
from draftsman.store import approvals, runs, tasks
from draftsman.store.database import Database
from draftsman.store.tasks import Task

POLICY = "policy"
"""Who the audit trail names where nobody had to be asked."""


async def decide_trust(desk: Desk, task: Task) -> None:
    """Let the run go where the policy needs no approval for its author; else show that it waits."""
    repository = await repository_of(desk, task.detail.get("repository_id"))
    run_id = await runs.find(desk.pool, repository.id, task.detail["head_sha"], task.detail["subject"])
    if run_id is None:
        return
    waits = await why_waiting(desk, repository, task.detail["author"])
    async with desk.pool.acquire() as connection, connection.transaction():
        await settle(connection, run_id, waits, author=task.detail["author"])
        await tasks.end(connection, task)
    if waits is None:
        await desk.receiver.wake()


async def settle(connection: Database, run_id: UUID, waits: Waits | None, *, author: str) -> None:
    """Keep the decision about one run: approved by the policy, waiting, or never."""
    if waits is None:
        await approvals.approve(connection, run_id, by=POLICY, reason=f"{author} needs no approval", asked=False)
    elif waits.approval_helps:
        await approvals.hold(connection, run_id, title="waiting for approval: this comes from a fork")
    else:
        await approvals.hold(connection, run_id, title="this repository runs nothing from forks", never=True)


async def why_waiting(desk: Desk, repository: Repository, author: str) -> Waits | None:
    """Return why a fork's pull request of this author waits, None where it runs at once. Raises GitHubError."""
    policy = await policy_of(desk, repository)
    kind = "Bot" if author.endswith("[bot]") else "User"
    in_team = await _is_in_listed_team(desk, repository, policy, author, kind)
    asks = policy.approval is ApprovalPolicy.FIRST_TIME and not in_team and not is_listed(policy, author, kind)
    merged = await asking.has_merged(desk, repository, author) if asks else None
    return needs_approval(policy, author=author, author_type=kind, in_listed_team=in_team, merged_before=merged)


async def _is_in_listed_team(desk: Desk, repository: Repository, policy: RepoPolicy, author: str, kind: str) -> bool:
    if policy.approval in (ApprovalPolicy.NEVER, ApprovalPolicy.OPEN) or kind == "Bot" or not author:
        return False
    for team in listed_teams(policy):
        if await asking.is_member(desk, repository, team, author):
            return True
    return False
