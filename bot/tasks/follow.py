"""Asks what a ref names now, and ends the runs that nothing names any more.

By what GitHub says, not by what arrived: an event that comes late cannot end the run of a newer commit. Nor can an
answer that is older than the newest event: where they differ, GitHub is asked again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.tasks import asking
from bot.tasks.desk import Desk, LaterError, policy_of, repository_of
from draftsman.domain.policy import RepoPolicy
from draftsman.domain.run import Ref, RefKind, Repository
from draftsman.store import refs, waiting
from draftsman.store.tasks import Task

SETTLED_SECONDS = 4.0
"""For how long after an event GitHub's answers may be older than it."""


async def follow(desk: Desk, task: Task) -> None:
    """End what the ref's newest commit supersedes, as far as the policy lets it.

    Where too much of the repository is in line, what is superseded goes first: it ends whatever the policy is, unless
    it is under way.

    Raises GitHubError, LaterError, PointlessError.
    """
    repository = await repository_of(desk, task.detail.get("repository_id"))
    ref = Ref(RefKind(task.detail["kind"]), task.detail["name"])
    policy = await policy_of(desk, repository)
    asked_at = await refs.now(desk.pool)
    head_sha = await asking.head_of(desk, repository, ref, drafts=policy.run_drafts)
    left = task.detail.get("left")
    if head_sha == left:
        head_sha = None
    ends_all = head_sha is None or _is_superseding(policy, repository, ref)
    if ends_all or await waiting.is_full(desk.pool, repository.id, desk.rules.queue_limit):
        # What is over is named by its event: no answer of GitHub's can be older than that.
        doubtful_since = None if left is not None else asked_at - timedelta(seconds=SETTLED_SECONDS)
        await _release(desk, repository, ref, head_sha, doubtful_since, only_in_line=not ends_all)


async def _release(
    desk: Desk,
    repository: Repository,
    ref: Ref,
    head_sha: str | None,
    doubtful_since: datetime | None,
    *,
    only_in_line: bool,
) -> None:
    """End what the ref let go. Raises LaterError where an event names another commit than GitHub's answer."""
    async with desk.pool.acquire() as connection, connection.transaction():
        released = await refs.release(
            connection,
            repository.id,
            ref,
            head_sha=head_sha,
            by="delivery",
            reason=_reason(ref, head_sha, full=only_in_line),
            doubtful_since=doubtful_since,
            only_in_line=only_in_line,
        )
    if released.is_unsettled:
        raise LaterError("an event that just came names another commit than GitHub does", SETTLED_SECONDS, aside=True)


def _is_superseding(policy: RepoPolicy, repository: Repository, ref: Ref) -> bool:
    on_default = ref.kind is RefKind.BRANCH and ref.name == repository.default_branch
    return policy.supersede_default_branch if on_default else policy.supersede


def _reason(ref: Ref, head_sha: str | None, *, full: bool) -> str:
    if head_sha is not None:
        why = ", since the queue of this repository is full" if full else ""
        return f"(superseded by {head_sha[:7]}{why})"
    return {
        RefKind.BRANCH: "(its branch was deleted)",
        RefKind.TAG: "(its tag was deleted)",
        RefKind.PULL_REQUEST: "(its pull request is closed or a draft)",
        RefKind.MERGE_GROUP: "(the merge queue is done with it)",
    }[ref.kind]
