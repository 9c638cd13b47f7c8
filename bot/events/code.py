"""Events that bring code: pushes, pull requests, requested check suites, entries of a merge queue. Pure."""

from __future__ import annotations

from dataclasses import replace

from bot.events.common import repository_of
from bot.events.decision import Decision, Rules, TaskKind, commit_lane, follow, lane_of, nothing
from bot.payload import (
    Payload,
    at,
    flag,
    identifier,
    optional_identifier,
    optional_sha,
    optional_text,
    sha,
    text,
)
from draftsman.domain.run import Ref, RefKind, Repository, Trust
from draftsman.store.runs import Wanted
from draftsman.store.tasks import TaskWanted

BRANCH_PREFIX = "refs/heads/"
TAG_PREFIX = "refs/tags/"
QUEUE_PREFIX = "gh-readonly-queue/"
"""Branches of the merge queue, which has an event of its own."""

LONGEST_NAME = 255
"""Bytes. GitHub takes no longer name of a ref."""

STARTING_ACTIONS = frozenset({"opened", "synchronize", "reopened", "ready_for_review"})
"""Actions of a pull_request event that may have brought a commit that is to be checked."""

_LONGEST_REF = len(BRANCH_PREFIX) + LONGEST_NAME


def push(payload: Payload, rules: Rules) -> Decision:
    """Decide about a push of a branch or tag."""
    name = text(payload, "ref", longest=_LONGEST_REF)
    if name.startswith(TAG_PREFIX):
        return _tag(payload, rules, name.removeprefix(TAG_PREFIX))
    branch = name.removeprefix(BRANCH_PREFIX) if name.startswith(BRANCH_PREFIX) else ""
    if not branch:
        return nothing("a push of something other than a branch starts no run")
    head_sha = sha(payload, "after")
    is_gone = flag(payload, "deleted", absent=False) or not head_sha.strip("0")
    if branch.startswith(QUEUE_PREFIX) and not is_gone:
        return nothing("the merge queue has an event of its own")
    # The queue's own event may come before its branch is gone.
    ref = Ref(RefKind.MERGE_GROUP if branch.startswith(QUEUE_PREFIX) else RefKind.BRANCH, branch)
    if is_gone:
        gone = follow(identifier(payload, "repository.id"), ref)
        return Decision("nothing to run: the branch was deleted", tasks=(gone,))
    return _branch(payload, rules, ref, head_sha, before=optional_sha(payload, "before"))


def _branch(payload: Payload, rules: Rules, ref: Ref, head_sha: str, *, before: str | None) -> Decision:
    repository = repository_of(payload, rules)
    moved = (follow(repository.id, ref),)
    marker = _skip_marker(payload, rules)
    if marker is not None:
        return Decision(f"nothing to run: the message of the head commit has {marker}", tasks=moved)
    wanted = Wanted(repository, head_sha, ref, Trust.TRUSTED, base_sha=before)
    return Decision(f"run {head_sha[:7]}: pushed to a branch", wanted, moved)


def _tag(payload: Payload, rules: Rules, tag: str) -> Decision:
    head_sha = sha(payload, "after")
    if not tag or flag(payload, "deleted", absent=False) or not head_sha.strip("0"):
        return nothing("the tag was deleted")
    if not rules.policy.run_tags:
        return nothing("tags start no run here")
    # `after` of an annotated tag is the tag's own object; the head commit is what it points to.
    commit = optional_sha(payload, "head_commit.id") or head_sha
    wanted = Wanted(repository_of(payload, rules), commit, Ref(RefKind.TAG, tag), Trust.TRUSTED)
    return Decision(f"run {commit[:7]}: pushed as a tag", wanted)


def _skip_marker(payload: Payload, rules: Rules, path: str = "head_commit.message") -> str | None:
    message = at(payload, path)
    if not isinstance(message, str):
        return None
    lowered = message.lower()
    return next((marker for marker in rules.skip_markers if marker.lower() in lowered), None)


def check_suite(payload: Payload, rules: Rules) -> Decision:
    """Decide about a check suite: one that is requested comes with a push, one that is requested again re-runs it."""
    action = text(payload, "action")
    if action == "rerequested":
        return _rerun_all(payload, rules)
    if action != "requested":
        return nothing("this action on a check suite is told to us for information")
    if not is_ours(payload, "check_suite.app", rules):
        return nothing("the check suite is another App's")
    branch = optional_text(payload, "check_suite.head_branch")
    if branch is None or branch.startswith(QUEUE_PREFIX):
        return nothing("the check suite is of no branch")
    marker = _skip_marker(payload, rules, "check_suite.head_commit.message")
    if marker is not None:
        return nothing(f"the message of the head commit has {marker}")
    repository_id, head_sha = identifier(payload, "repository.id"), sha(payload, "check_suite.head_sha")
    # The push of the same commit says so, too. Whose branch this is the suite does not say: GitHub is asked first.
    detail = {
        "repository_id": repository_id,
        "head_sha": head_sha,
        "by": "delivery",
        "action": "start",
        "branch": branch,
        "before": optional_sha(payload, "check_suite.before"),
    }
    start = TaskWanted(TaskKind.RERUN, commit_lane(repository_id, head_sha), detail)
    moved = follow(repository_id, Ref(RefKind.BRANCH, branch))
    return Decision(f"run {head_sha[:7]}: its check suite is requested", tasks=(start, moved))


def _rerun_all(payload: Payload, rules: Rules) -> Decision:
    if not is_ours(payload, "check_suite.app", rules):
        return nothing("the check suite is another App's")
    repository_id = identifier(payload, "repository.id")
    head_sha = sha(payload, "check_suite.head_sha")
    by = optional_text(payload, "sender.login") or "somebody"
    branch = optional_text(payload, "check_suite.head_branch")
    detail = {"repository_id": repository_id, "head_sha": head_sha, "by": by, "action": "rerun", "branch": branch}
    rerun = TaskWanted(TaskKind.RERUN, commit_lane(repository_id, head_sha), detail)
    return Decision(f"run {head_sha[:7]} again: all its checks", tasks=(rerun,))


def is_ours(payload: Payload, path: str, rules: Rules) -> bool:
    """Return whether the App at the path is ours; where none of ours is known, every one is taken for it."""
    return rules.app_id in ("", str(at(payload, f"{path}.id")), at(payload, f"{path}.client_id"))


def pull_request(payload: Payload, rules: Rules) -> Decision:
    """Decide about a pull request."""
    action = text(payload, "action")
    repository_id = identifier(payload, "repository.id")
    number = identifier(payload, "pull_request.number")
    ref = Ref(RefKind.PULL_REQUEST, str(number))
    if action == "closed":
        return Decision(f"nothing to run: pull request {number} is closed", tasks=(follow(repository_id, ref),))
    if action == "converted_to_draft":
        said = f"nothing to run: pull request {number} is a draft now"
        return Decision(said, tasks=() if rules.policy.run_drafts else (follow(repository_id, ref),))
    if action == "edited":
        return _edited(payload, rules, number)
    if action not in STARTING_ACTIONS:
        return nothing("this action on a pull request brings no commit to check")
    return pull_head(payload, rules)


def _edited(payload: Payload, rules: Rules, number: int) -> Decision:
    if at(payload, "changes.base") is None:
        return nothing("title and text of a pull request are not checked")
    decision = pull_head(payload, rules)
    return replace(decision, text=f"{decision.text} (the base of pull request {number} is another one now)")


def pull_head(payload: Payload, rules: Rules) -> Decision:
    """Decide about the head of a pull request, whatever drew attention to it."""
    number = identifier(payload, "pull_request.number")
    if at(payload, "pull_request.state") == "closed":
        return nothing(f"pull request {number} is closed")
    if flag(payload, "pull_request.draft", absent=False) and not rules.policy.run_drafts:
        return nothing(f"pull request {number} is a draft; it runs when it is ready for review")
    wanted = pull_wanted(payload, rules)
    tasks = (follow(wanted.repository.id, wanted.ref), *trust_tasks(payload, wanted))
    if rules.policy.merge_testing:
        detail = {"repository_id": wanted.repository.id, "number": number}
        merge = TaskWanted(TaskKind.MERGE, lane_of(wanted.repository.id, wanted.ref), detail)
        said = f"run {wanted.head_sha[:7]} merged into its base: pull request {number}"
        return Decision(said, tasks=(merge, follow(wanted.repository.id, wanted.ref)))
    origin = "" if wanted.trust is Trust.TRUSTED else ", from a fork"
    return Decision(f"run {wanted.head_sha[:7]}: head of pull request {number}{origin}", wanted, tasks)


def pull_wanted(payload: Payload, rules: Rules) -> Wanted:
    """Return the run of a pull request's head. Raises PayloadError."""
    repository = repository_of(payload, rules)
    return Wanted(
        repository,
        sha(payload, "pull_request.head.sha"),
        Ref(RefKind.PULL_REQUEST, str(identifier(payload, "pull_request.number"))),
        _trust(payload, repository),
        base_sha=optional_sha(payload, "pull_request.base.sha"),
        base_branch=optional_text(payload, "pull_request.base.ref"),
    )


def trust_tasks(payload: Payload, wanted: Wanted) -> tuple[TaskWanted, ...]:
    """Return the task that decides whether a pull request from a fork needs approval; none for others."""
    if wanted.trust is Trust.TRUSTED:
        return ()
    detail = {
        "repository_id": wanted.repository.id,
        "head_sha": wanted.head_sha,
        "subject": wanted.subject,
        # An account that was deleted is null, and nobody's friend.
        "author": optional_text(payload, "pull_request.user.login") or "",
    }
    return (TaskWanted(TaskKind.TRUST, lane_of(wanted.repository.id, wanted.ref), detail),)


def _trust(payload: Payload, base: Repository) -> Trust:
    # The head's repository is null once the fork is deleted.
    head_repository = optional_identifier(payload, "pull_request.head.repo.id")
    return Trust.TRUSTED if head_repository == base.id else Trust.UNTRUSTED


def merge_group(payload: Payload, rules: Rules) -> Decision:
    """Decide about an entry of a merge queue. Whoever may write put it there: what it holds is trusted."""
    action = text(payload, "action")
    name = text(payload, "merge_group.head_ref", longest=_LONGEST_REF).removeprefix(BRANCH_PREFIX)
    ref = Ref(RefKind.MERGE_GROUP, name)
    if action == "destroyed":
        # GitHub may delete the entry's branch after it says so: what left is named.
        left = follow(identifier(payload, "repository.id"), ref, left=sha(payload, "merge_group.head_sha"))
        return Decision("nothing to run: the merge queue is done with it", tasks=(left,))
    if action != "checks_requested":
        return nothing("this action on a merge queue asks for no checks")
    head_sha = sha(payload, "merge_group.head_sha")
    base_ref = optional_text(payload, "merge_group.base_ref", longest=_LONGEST_REF)
    wanted = Wanted(
        repository_of(payload, rules),
        head_sha,
        ref,
        Trust.TRUSTED,
        base_sha=optional_sha(payload, "merge_group.base_sha"),
        base_branch=None if base_ref is None else base_ref.removeprefix(BRANCH_PREFIX),
    )
    return Decision(f"run {head_sha[:7]}: the merge queue asks for it", wanted)
