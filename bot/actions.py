"""The buttons of a check run, by where it stands. Pure.

| where it stands                          | buttons              |
|------------------------------------------|----------------------|
| queued, in progress                      | none                 |
| waits for approval                       | Approve              |
| failed, timed out, cancelled             | Re-run, Rebuild image |
| passed                                   | Rebuild image        |
| nothing to run was found                 | Plan again           |
| skipped, not asked for, our own fault    | Re-run               |
| not served, never to be run, approved    | none                 |
| tried again by itself                    | none                 |

`Rebuild image` is there where an image was used, or could not be built. GitHub has a Re-run of its own beside a check
run that passed. GitHub takes 3 buttons, with 20 characters of label and identifier and 40 of description.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.check_view import CheckView
from draftsman.domain.plan import Tier
from draftsman.domain.run import Conclusion, RunState


@dataclass(frozen=True, slots=True)
class Action:
    """A button. GitHub sends `identifier` back when a person who may write presses it."""

    label: str
    description: str
    identifier: str


APPROVE = Action("Approve", "Let this commit run, without secrets", "approve")
RERUN = Action("Re-run", "Run these checks once more", "rerun")
REBUILD = Action("Rebuild image", "Make plan and image anew, then run", "rebuild")
REPLAN = Action("Plan again", "Look anew for what can be checked", "rebuild")


def actions(view: CheckView, tier: Tier, *, completed: bool) -> tuple[Action, ...]:
    """Return the buttons of the tier's check run; `completed` says whether it is."""
    attempt = view.attempt
    if not completed:
        return ()
    if tier not in attempt.tiers:
        return (RERUN,)
    if attempt.state is RunState.WAITING:
        return (APPROVE,)
    if attempt.state is not RunState.FINISHED:
        # A fast tier that has passed already: another attempt cannot begin before this one ends.
        return ()
    match attempt.conclusion:
        case Conclusion.ACTION_REQUIRED:
            return ()
        case Conclusion.NEUTRAL:
            return () if view.plan is None else (REPLAN,)
        case Conclusion.SUCCESS if not view.of(tier):
            return (REPLAN,)
        case Conclusion.SUCCESS:
            return (REBUILD,)
        case Conclusion.ERROR if attempt.retried_as is not None:
            return ()
        case Conclusion.ERROR | Conclusion.SKIPPED:
            return (RERUN,)
        case _:
            return (RERUN, REBUILD) if _had_image(view) else (RERUN,)


def _had_image(view: CheckView) -> bool:
    """Return whether there is an image to rebuild: one was used, or was to be built when the attempt failed."""
    failed_before = view.attempt.conclusion is Conclusion.FAILURE and view.plan is not None
    return view.image is not None or failed_before
