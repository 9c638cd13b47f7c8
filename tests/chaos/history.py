"""Whether the audit trail of one attempt is a history that can have happened. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.chaos.facts import Attempted, Audited

CREATED = "attempt.created"
CLAIMED = "attempt.claimed"
LOST = "lease.lost"
FINISHED = "attempt.finished"
BACK = frozenset(("attempt.given_back", "attempt.taken_back"))
ENTERED = {"attempt.building": "building", "attempt.running": "running"}
ORDER = {"preparing": 0, "building": 1, "running": 2}
NOWHERE = frozenset(("waiting", "queued"))

Wrong = tuple[str, str]
"""`lost` or `doubled`, and a sentence."""


def wrongs(attempt: Attempted, rows: Sequence[Audited]) -> Iterator[Wrong]:
    """Yield what cannot be, with `lost` for what is missing or impossible and `doubled` for what happened twice.

    Actions that are unknown here change no state. A cancellation ends at once what nobody executes.
    """
    who = f"attempt {attempt.number} of {attempt.sha[:7]}"
    created = sum(row.action == CREATED for row in rows)
    if created != 1:
        yield ("doubled" if created else "lost", f"{who} was created {created} times, says the audit trail")
    state, epochs, finishes = "queued", list[int](), 0
    for row in rows:
        if row.action == CLAIMED:
            if state not in NOWHERE:
                yield "doubled", f"{who} was claimed while it was {state}"
            epochs.append(row.epoch or 0)
            state = "preparing"
        elif row.action in ENTERED:
            entered = ENTERED[row.action]
            if state not in ORDER or ORDER[entered] < ORDER[state]:
                yield "lost", f"{who} went from {state} to {entered}: the audit trail has a gap"
            state = entered
        elif row.action in BACK:
            if state not in ORDER:
                yield "lost", f"{who} was given back while it was {state}: the audit trail has a gap"
            state = row.now or "queued"
            finishes += state == "finished"
        elif row.action == LOST:
            if state not in ORDER:
                yield "lost", f"the lease of {who} was lost while it was {state}: the audit trail has a gap"
            state = row.now or "queued"
            finishes += state == "finished"
        elif row.action == FINISHED:
            # What nobody took yet may be ended by an event, or by whoever steers.
            if state not in ORDER and (state == "finished" or row.actor.startswith("worker ")):
                yield "doubled" if state == "finished" else "lost", f"{who} was finished while it was {state}"
            state = "finished"
            finishes += 1
        elif row.action == "attempt.cancel_asked" and state in NOWHERE:
            state = "finished"
            finishes += 1
    yield from _of_epochs(who, epochs)
    if attempt.state == "finished" and finishes == 0:
        yield "lost", f"{who} is finished, and the audit trail does not say so"
    if finishes > 1:
        yield "doubled", f"{who} was finished {finishes} times"


def _of_epochs(who: str, epochs: Sequence[int]) -> Iterator[Wrong]:
    if len(set(epochs)) < len(epochs):
        yield "doubled", f"{who} was claimed twice in one epoch: {epochs}"
    elif epochs != list(range(1, len(epochs) + 1)):
        yield "lost", f"the audit trail lacks claims of {who}: the epochs are {epochs}"
