"""Events by which people steer: comments, and the buttons of the check UI. Pure."""

from __future__ import annotations

from bot.commands import parse
from bot.events.code import is_ours
from bot.events.common import is_bot
from bot.events.decision import Decision, Rules, TaskKind, commit_lane, lane_of, nothing
from bot.payload import Payload, at, identifier, moment, optional_text, sha, text
from draftsman.domain.run import Ref, RefKind
from draftsman.store.tasks import TaskWanted

BUTTONS = ("rerun", "rebuild", "approve")
"""Identifiers of the action buttons that our check runs have."""

LONGEST_COMMENT = 4 * 65_536
"""Bytes. GitHub takes 65,536 characters."""


def check_run(payload: Payload, rules: Rules) -> Decision:
    """Decide about a button that somebody pressed on a check run of ours."""
    action = text(payload, "action")
    if action not in ("rerequested", "requested_action"):
        return nothing("this action on a check run is told to us for information")
    if not is_ours(payload, "check_run.app", rules):
        return nothing("the check run is another App's")
    button = "rerun" if action == "rerequested" else text(payload, "requested_action.identifier")
    if button not in BUTTONS:
        return nothing("the button is none of ours")
    repository_id = identifier(payload, "repository.id")
    head_sha = sha(payload, "check_run.head_sha")
    detail = {
        "repository_id": repository_id,
        "head_sha": head_sha,
        "by": optional_text(payload, "sender.login") or "somebody",
        "action": button,
        "external_id": optional_text(payload, "check_run.external_id") or "",
        # GitHub offers re-run buttons to those who may write; our own buttons are looked at.
        "is_checked": action == "rerequested",
        "is_one_check": action == "rerequested",
    }
    lane = commit_lane(repository_id, head_sha)
    return Decision(
        f"{button} {head_sha[:7]}: its button was pressed", tasks=(TaskWanted(TaskKind.RERUN, lane, detail),)
    )


def issue_comment(payload: Payload, rules: Rules) -> Decision:
    """Decide about a comment: commands in a new one on a pull request, by a person."""
    if text(payload, "action") != "created":
        return nothing("only new comments are commands, edits are not")
    if at(payload, "issue.pull_request") is None:
        return nothing("the comment is on no pull request")
    if is_bot(payload, "comment.user") or is_bot(payload, "sender") or at(payload, "comment.performed_via_github_app"):
        return nothing("the comment is by no person")
    body = optional_text(payload, "comment.body", longest=LONGEST_COMMENT)
    if body is None or not parse(body, aliases=rules.aliases):
        return nothing("the comment has no command")
    number = identifier(payload, "issue.number")
    repository_id = identifier(payload, "repository.id")
    detail = {
        "repository_id": repository_id,
        "number": number,
        "comment_id": identifier(payload, "comment.id"),
        "by": text(payload, "comment.user.login"),
        "written_at": moment(payload, "comment.created_at"),
        "body": body,
    }
    lane = lane_of(repository_id, Ref(RefKind.PULL_REQUEST, str(number)))
    return Decision(f"commands on pull request {number}", tasks=(TaskWanted(TaskKind.COMMENT, lane, detail),))
