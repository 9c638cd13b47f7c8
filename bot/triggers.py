"""What each event calls for. Pure: a payload goes in, a decision comes out; whoever calls keeps and acts on it.

| event                                                  | decision                                                   |
|--------------------------------------------------------|------------------------------------------------------------|
| push to a branch                                       | run its newest commit, trusted; end what it supersedes     |
| push: head commit with a skip marker, branch deleted   | end what nothing names any more                            |
| push of a tag                                          | run it where the policy says so                            |
| pull_request opened, synchronize, reopened, ready_for_review, | run its head commit; from a fork: untrusted, and     |
|   edited (base)                                        | whether it needs approval; merged into its base where the  |
|                                                        | policy says so                                             |
| pull_request closed, converted_to_draft                | end what nothing names any more                            |
| pull_request that is a draft, or any other action      | nothing                                                    |
| check_suite requested                                  | the same as the push that it comes with, where the branch  |
|                                                        | is there and at that commit                                |
| check_suite rerequested                                | run all checks of the commit again                         |
| check_run rerequested, requested_action                | run that check again, build the image anew, or approve     |
| issue_comment created                                  | do what its commands say, where it is on a pull request    |
| merge_group checks_requested, destroyed                | run the merged commit, or end that                         |
| installation created, installation_repositories added  | run the default branch of the repositories once            |
| installation deleted, suspend, unsuspend, ...          | note it                                                    |
| repository renamed, transferred, deleted, ...          | note it                                                    |
| any event with another name of its repository          | ask GitHub what the repository is called                   |
| ping, any other event, any other action                | nothing                                                    |

A pull request from a fork is untrusted even where its author may write to the repository: what decides is
whose repository the commit was pushed to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.events import account, code, people
from bot.events.common import installation_of, repository_of
from bot.events.decision import Decision, RepositoryNote, Rules, nothing
from bot.payload import Payload, PayloadError

__all__ = ["EVENTS", "Decision", "Rules", "decide"]

_EVENTS: Mapping[str, Callable[[Payload, Rules], Decision]] = {
    "push": code.push,
    "pull_request": code.pull_request,
    "check_suite": code.check_suite,
    "merge_group": code.merge_group,
    "check_run": people.check_run,
    "issue_comment": people.issue_comment,
    "installation": account.installation,
    "installation_repositories": account.installation_repositories,
    "repository": account.repository,
    "ping": account.ping,
}

EVENTS = frozenset(_EVENTS)
"""The events that call for something, whichever way they come."""


def decide(event: str, payload: Payload, rules: Rules) -> Decision:
    """Return what the delivery calls for. A payload of an unexpected shape calls for nothing, with the reason."""
    decide_event = _EVENTS.get(event)
    if decide_event is None:
        return nothing(f"the event {event} starts no run")
    try:
        decision = decide_event(payload, rules)
        note = installation_of(payload)
        # What a task is about has to be known, even where the event itself runs nothing.
        about = (RepositoryNote(repository_of(payload, rules)),) if decision.tasks and "repository" in payload else ()
    except PayloadError as error:
        return nothing(f"the payload is not as GitHub documents it, {error}")
    return replace(decision, notes=(*(() if note is None else (note,)), *about, *decision.notes))
