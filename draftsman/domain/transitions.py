"""The state machine of an attempt, as data: which state may follow which. Pure.

The store's statements ask for it, and the model-based test (`tests/store/model`) holds every history against it.
"""

from __future__ import annotations

from collections.abc import Mapping

from draftsman.domain.run import ACTIVE_STATES, RunState

_LEFT = frozenset((RunState.QUEUED, RunState.FINISHED))
"""Where an attempt goes that a worker holds: it is given back, or ends."""

TRANSITIONS: Mapping[RunState | None, frozenset[RunState]] = {
    # An event or a person asks for it. Where the repository is not served it ends at once.
    None: frozenset((RunState.WAITING, RunState.QUEUED, RunState.FINISHED)),
    # It is approved, or ends before anybody took it.
    RunState.WAITING: _LEFT,
    # A worker claims it; only a claim begins to prepare.
    RunState.QUEUED: frozenset((RunState.PREPARING, RunState.FINISHED)),
    RunState.PREPARING: _LEFT | {RunState.BUILDING, RunState.RUNNING},
    RunState.BUILDING: _LEFT | {RunState.RUNNING},
    # A job that was to be gone on with was killed with its engine: it is built anew.
    RunState.RUNNING: _LEFT | {RunState.BUILDING},
    RunState.FINISHED: frozenset(),
}
"""The states that may follow each; None stands before an attempt is there."""


def predecessors(state: RunState) -> tuple[RunState, ...]:
    """Return the active states out of which a worker may move its attempt on to this one."""
    return tuple(before for before in ACTIVE_STATES if state in TRANSITIONS[before])
