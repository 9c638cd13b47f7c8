"""What an attempt means for one tier's check run: status, conclusion, one-line title. Pure.

| what happened                  | fast                            | full                             |
|--------------------------------|---------------------------------|----------------------------------|
| setup failed                   | failure                         | failure, "not run: setup failed" |
| fast failed                    | failure                         | failure, "not run: fast failed"  |
| both ran                       | by exit code                    | by exit code                     |
| the tier has no commands       | neutral                         | neutral                          |
| the base has some for it       | failure, "removes the checks"   | the same                         |
| a time limit ended a step      | timed_out, or passed            | timed_out, or failure "not run"  |
| our fault (`error`)            | failure, "Draftsman could not ..." | the same                       |
| the same, and it is tried again | cancelled, "tried again as ..." | the same                         |
| waiting for approval           | action_required                 | action_required                  |
| not yet known whether it must  | queued                          | queued                           |
| the tier was not asked for     | action_required                 | action_required                  |
| cancelled, skipped             | the same                        | the same                         |

A fast tier that had passed stays passed when the attempt ends badly in the full tier; where the fault is ours,
it does so only if GitHub shows it already (`stands`), for then it is no news that it was true. Required checks
block for ever while they do not report, and `neutral` and `skipped` pass them: so what did not run because of
a failure is a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC

from bot.check_view import CheckView, passed
from bot.comparison import verdict_note
from bot.duration import duration
from bot.markdown import cut, one_line, size
from draftsman.domain.finding import Finding
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import Attempt, Conclusion, RunState
from draftsman.domain.waiting import Cause

LONGEST_TITLE = 200
"""Bytes. GitHub shows about half of it beside the name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """GitHub's words for where a tier stands. `conclusion` is None until the status is `completed`.

    `notes` are phrases behind the title: whether a failure is news, and what the commit was merged into.
    """

    status: str
    conclusion: str | None
    title: str
    notes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Return title and notes in one line, at most `LONGEST_TITLE` bytes."""
        ending = "".join(f", {note}" for note in self.notes)
        return cut(self.title, LONGEST_TITLE - size(ending)) + ending


def verdict(view: CheckView, tier: Tier, findings: tuple[Finding, ...] = ()) -> Verdict:
    """Return the tier's verdict. `findings` are those that the tier's check run shows."""
    found = _verdict(view, tier, len(findings))
    title = cut(one_line(found.title), LONGEST_TITLE)
    if found.status != "completed":
        return replace(found, title=title)
    ran = view.attempt.started_at is not None and not is_left_out(view, tier)
    notes = (one_line(compared(view, tier, findings)), one_line(view.merged_into) if ran else "")
    # Where it cannot be merged, the title says into what ("conflicts with main at abc1234").
    return replace(found, title=title, notes=tuple(note for note in notes if note and note.split()[-1] not in title))


def may_be_compared(view: CheckView, tier: Tier) -> bool:
    """Return whether a step failed that the tier's check run shows, so that the base branch may tell more."""
    shown = view.shown_on(tier)
    return view.attempt.conclusion is Conclusion.FAILURE and any(step.tier in shown for step in view.failed_steps)


def compared(view: CheckView, tier: Tier, findings: tuple[Finding, ...]) -> str:
    """Return in a phrase whether the tier's failure is news, empty where there is none or nothing to compare with."""
    if not may_be_compared(view, tier):
        return ""
    steps = [step for step in view.steps if step.tier in view.shown_on(tier)]
    return verdict_note(steps, findings, view.base)


def _verdict(view: CheckView, tier: Tier, findings: int) -> Verdict:
    if is_left_out(view, tier):
        others = " and ".join(str(one) for one in CHECKED_TIERS if one in view.attempt.tiers)
        return Verdict("completed", "action_required", f"not asked for: only the {others} checks were run")
    match view.attempt.state:
        case RunState.WAITING if view.attempt.title is None:
            return Verdict("queued", None, "looking at whether this needs approval")
        case RunState.WAITING:
            return Verdict("completed", "action_required", view.attempt.title or "waiting for approval")
        case RunState.QUEUED:
            return Verdict("queued", None, _waiting(view))
        case RunState.PREPARING:
            return _in_progress("fetching the commit and making the plan")
        case RunState.BUILDING:
            return _in_progress("getting the image ready")
        case RunState.RUNNING:
            return _while_running(view, tier, findings)
        case RunState.FINISHED:
            return _finished(view, tier, findings)


def _waiting(view: CheckView) -> str:
    attempt, wait = view.attempt, view.wait
    says = "waiting for a worker" if wait is None else wait.says
    if attempt.retry_of is None:
        return says
    if attempt.not_before is not None and (wait is None or wait.key in ("", Cause.BACKING_OFF)):
        says = f"waiting for a worker, not before {attempt.not_before.astimezone(UTC):%H:%M:%S} UTC"
    return f"attempt {attempt.number}, since {attempt.reason}: {says}"


def is_left_out(view: CheckView, tier: Tier) -> bool:
    """Return whether nobody asked the attempt for this tier."""
    return tier not in view.attempt.tiers


def stands(view: CheckView, tier: Tier, shown: str | None) -> bool:
    """Return whether the check run is left as it is. `shown` is the conclusion that GitHub shows, None before one.

    A fast one that was completed as success stays so where Draftsman could not finish the attempt, whether in
    the full tier or after it had to start again. A check that failed since is told.
    """
    ours = view.attempt.conclusion is Conclusion.ERROR
    failed_since = any(step.tier in (Tier.SETUP, tier) for step in view.failed_steps)
    return tier is Tier.FAST and ours and shown == "success" and not failed_since


def _in_progress(title: str) -> Verdict:
    return Verdict("in_progress", None, title)


def _while_running(view: CheckView, tier: Tier, findings: int) -> Verdict:
    if tier is Tier.FAST and passed(view.of(Tier.FAST)):
        return _passed(view, tier, findings)
    step = view.running_step
    if step is None:
        return _in_progress("starting the container" if not _anything_ran(view) else "between two steps")
    if step.tier is Tier.SETUP:
        return _in_progress(f"setting up: {step.command}")
    if tier is Tier.FULL and step.tier is Tier.FAST:
        return _in_progress("waiting for the fast checks")
    return _in_progress(f"running: {step.command}")


def _anything_ran(view: CheckView) -> bool:
    return any(step.state != "pending" for step in view.steps)


def _finished(view: CheckView, tier: Tier, findings: int) -> Verdict:
    attempt = view.attempt
    ours = attempt.conclusion is Conclusion.ERROR
    if not ours and _is_removed(view, tier):
        title = f"this change removes the checks: its base has {tier} checks, and this commit none"
        return Verdict("completed", "failure", title)
    if tier is Tier.FAST and not ours and passed(view.of(Tier.FAST)) and _reached_full(view):
        return _passed(view, tier, findings)
    match attempt.conclusion:
        case Conclusion.SUCCESS:
            return _passed(view, tier, findings) if view.of(tier) else _no_commands(tier)
        case Conclusion.FAILURE:
            return _failed(view, tier, findings)
        case Conclusion.TIMED_OUT:
            return _stopped_at(view, tier, "timed out") or _ended(view, "timed_out")
        case Conclusion.ERROR:
            return _not_run(attempt)
        case Conclusion.NEUTRAL if view.plan is not None and not view.of(tier):
            return _no_commands(tier)
        case conclusion:
            return _ended(view, str(conclusion))


def _not_run(attempt: Attempt) -> Verdict:
    """Return the verdict of what was our fault. What is tried again is no result, so nobody is told of a failure."""
    said = f"Draftsman could not run this: {attempt.title or 'no reason known'}"
    if attempt.retried_as is None:
        return Verdict("completed", "failure", said)
    ending = f"; tried again as attempt {attempt.retried_as}"
    return Verdict("completed", "cancelled", cut(one_line(said), LONGEST_TITLE - size(ending)) + ending)


def _is_removed(view: CheckView, tier: Tier) -> bool:
    told = (Conclusion.SUCCESS, Conclusion.FAILURE, Conclusion.TIMED_OUT)
    return view.plan is not None and tier in view.plan.removed and view.attempt.conclusion in told


def _all_ended(view: CheckView) -> bool:
    return all(step.state == "finished" for step in view.steps)


def _reached_full(view: CheckView) -> bool:
    return any(step.state != "pending" for step in view.of(Tier.FULL))


def _failed(view: CheckView, tier: Tier, findings: int) -> Verdict:
    culprit = view.culprit
    if culprit is None and view.plan is not None and view.plan.removed and _all_ended(view):
        # The other tier's checks were removed.
        return _passed(view, tier, findings) if view.of(tier) else _no_commands(tier)
    if culprit is None:
        # The plan, the image or the checkout did not come to be.
        return _ended(view, "failure")
    if culprit.tier is Tier.FAST and tier is Tier.FULL and not view.of(tier):
        return _no_commands(tier)
    if culprit.tier is Tier.FULL and tier is Tier.FAST:
        return _passed(view, tier, findings) if view.of(tier) else _no_commands(tier)
    return _stopped_at(view, tier, "failed") or Verdict("completed", "failure", failure_title(view, findings))


def _stopped_at(view: CheckView, tier: Tier, how: str) -> Verdict | None:
    """Return the verdict of a full tier that was not reached, None for one that was, and for what is told itself."""
    culprit = view.culprit
    if tier is Tier.FAST or culprit is None or culprit.tier in view.shown_on(tier):
        return None
    return Verdict("completed", "failure", f"not run: {culprit.tier} {how}")


def _ended(view: CheckView, conclusion: str) -> Verdict:
    return Verdict("completed", conclusion, view.attempt.title or conclusion.replace("_", " "))


def failure_title(view: CheckView, findings: int = 0) -> str:
    """Return one line on what failed: the step and its exit code, unless the attempt's own title says more."""
    attempt, culprit = view.attempt, view.culprit
    # Only what an exit code does not tell (out of memory, too much output) comes with a detail.
    if culprit is None or culprit.exit_code is None or attempt.detail:
        return attempt.title or "failed"
    others = sum(step.tier is culprit.tier for step in view.failed_steps) - 1
    more = f", and {others} more" if others > 0 else ""
    found = f": {count(findings, 'finding')}" if findings else ""
    return f"`{cut(one_line(culprit.command), 120)}` failed (exit {culprit.exit_code}){more}{found}"


def _no_commands(tier: Tier) -> Verdict:
    return Verdict("completed", "neutral", f"nothing was run: no {tier} checks were found in this repository")


def _passed(view: CheckView, tier: Tier, findings: int) -> Verdict:
    steps = view.of(tier)
    seconds = sum(step.seconds or 0 for step in steps)
    parts = [f"{len(steps)} of {count(len(steps), 'step')} passed in {duration(seconds)}"]
    if view.image is not None:
        parts.append("image cached" if view.image.cached else f"image built in {duration(view.image.build_seconds)}")
    if findings:
        parts.append(count(findings, "finding"))
    return Verdict("completed", "success", ", ".join(parts))


def count(number: int, noun: str) -> str:
    """Return `1 finding`, `2 findings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
