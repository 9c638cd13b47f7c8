"""Judges a history: whether what the database recorded is what an attempt may go through, and everything is told of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from draftsman.domain.run import ACTIVE_STATES, RunState
from draftsman.domain.transitions import TRANSITIONS
from tests.store.model import recording
from tests.store.model.operations import FENCED, MAX_CLAIMS, PER_REPOSITORY, WORK
from tests.store.model.recording import Audited, Change, Write

_ENDS = frozenset((state, "finished") for state in ("waiting", "queued"))
_LEFT = frozenset((state, to) for state in ACTIVE_STATES for to in ("queued", "finished"))

ACTIONS: Mapping[str, Collection[tuple[str | None, str]]] = {
    "attempt.created": {(None, "waiting"), (None, "queued"), (None, "finished")},
    "attempt.queued": {("waiting", "queued")},
    "attempt.claimed": {("queued", "preparing")},
    "attempt.building": {("preparing", "building"), ("running", "building")},
    "attempt.running": {("preparing", "running"), ("building", "running")},
    "attempt.given_back": _LEFT,
    "attempt.taken_back": _LEFT,
    "lease.lost": _LEFT,
    "attempt.finished": {(state, "finished") for state in ACTIVE_STATES} | _ENDS,
    # Of one under way it changes no state: its worker is to hear of it.
    "attempt.cancel_asked": _ENDS | {(state, state) for state in ACTIVE_STATES},
}
"""What the actions that tell of a transition may tell of: the state before and after."""

_COUNTED = ("state", "conclusion", "title", "tiers", "cancel_asked", "epoch")
"""What a check run may show: a change of it is a new version."""


class IllegalHistoryError(AssertionError):
    """Something happened that must not."""


def demand(holds: object, sentence: str, *about: object) -> None:
    """Raise where the history is not as the sentence says."""
    if not holds:
        raise IllegalHistoryError("\n  ".join((sentence, *(repr(one) for one in about))))


@dataclass
class Oracle:
    """Looks at what was recorded since it looked last.

    `commits` are the transactions in the order of their end, None where that is not known.
    """

    db: Any
    commits: Sequence[int] | None
    _rows: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _claims: dict[tuple[str, int], int] = field(default_factory=dict)
    """The transaction of each claim."""
    _changed: int = 0
    _written: int = 0
    _audited: int = 0

    async def look(self) -> list[Change]:
        """Judge what is new, and return it. Raises IllegalHistoryError."""
        changes = await recording.changes(self.db, self._changed)
        writes = await recording.writes(self.db, self._written)
        audited = await recording.audited(self.db, self._audited)
        self._changed = max([self._changed, *(one.id for one in changes)])
        self._written = max([self._written, *(one.id for one in writes)])
        self._audited = max([self._audited, *(one.id for one in audited)])
        for change in changes:
            self._judge(change)
        _judge_trail(changes, audited)
        self._judge_writes(writes)
        await self._judge_standing()
        return changes

    def _judge(self, change: Change) -> None:
        old, new = change.old, change.new
        known = self._rows.get(new["id"])
        demand(known == old, "an attempt changed from what it was not", change, known)
        self._rows[new["id"]] = new
        before, after = None if old is None else old["state"], new["state"]
        if old is not None:
            demand(before != "finished", "a finished attempt changed", change)
            if before != after:
                demand(RunState(after) in TRANSITIONS[RunState(str(before))], "no such transition", change)
            if any(old[name] != new[name] for name in _COUNTED):
                demand(new["version"] > old["version"], "a change that nobody is told of", change)
        else:
            demand(RunState(after) in TRANSITIONS[None], "no such beginning", change)
            demand(new["epoch"] == new["losses"] == 0, "a new attempt that was claimed before", change)
        held = after in ACTIVE_STATES
        demand(held == (new["lease_owner"] is not None), "held without an owner, or owned and not held", change)
        demand(held == (new["lease_expires"] is not None), "held without a lease, or a lease and not held", change)
        self._judge_epoch(change)
        _judge_losses(change)

    def _judge_epoch(self, change: Change) -> None:
        old, new, operation = change.old, change.new, change.operation
        if old is None:
            return
        is_claim = (old["state"], new["state"]) == ("queued", "preparing")
        demand(new["epoch"] == old["epoch"] + is_claim, "the epoch grows with a claim, and with nothing else", change)
        if is_claim:
            is_kept = old["kept_until"] is not None  # for hours, as far as anybody keeps it here
            demand(not is_kept or new["engine"] == old["engine"], "taken from the engine that it is kept for", change)
            demand(new["kept_until"] is None, "still kept, though it was taken", change)
            key = (new["id"], new["epoch"])
            demand(key not in self._claims, "two claims of one epoch", change)
            self._claims[key] = change.tx
        if operation.get("kind") == "take back":
            demand(old["lease_owner"] == operation["owner"], "taken from a worker of another name", change)
        if operation.get("kind") in WORK:
            written = (operation["attempt"], operation["epoch"])
            demand(written == (old["id"], old["epoch"]), "a worker changed what it does not hold", change)

    def _judge_writes(self, writes: Sequence[Write]) -> None:
        """No row below an attempt is kept after the claim that fenced its writer out."""
        order = {tx: number for number, tx in enumerate(self.commits or ())}
        for one in writes:
            demand(one.operation.get("kind") in WORK, "somebody else than a worker wrote", one)
            mine = (one.operation["attempt"], one.operation["epoch"])
            demand(str(one.attempt_id) == mine[0], "a worker wrote below another attempt", one)
            fence = self._claims.get((mine[0], mine[1] + 1))
            is_in_time = fence is None or self.commits is None or order[one.tx] < order[fence]
            demand(is_in_time, "a worker wrote though somebody else had the attempt", one)

    async def _judge_standing(self) -> None:
        """Judge what is so whenever nobody is in the middle of something."""
        twice = await self.db.fetch(
            "SELECT run_id FROM attempts WHERE state <> 'finished' GROUP BY run_id HAVING count(*) > 1"
        )
        demand(not twice, "two attempts of one run at once", twice)
        crowded = await self.db.fetch(
            "SELECT r.repository_id FROM attempts a JOIN runs r ON r.id = a.run_id "
            "WHERE a.state IN ('preparing', 'building', 'running') GROUP BY 1 HAVING count(*) > $1",
            PER_REPOSITORY,
        )
        demand(not crowded, "more at once than a repository may have", crowded)
        untold = await self.db.fetch(
            "SELECT a.id FROM attempts a LEFT JOIN unreported u ON u.attempt_id = a.id "
            "WHERE u.version IS DISTINCT FROM a.version"
        )
        demand(not untold, "GitHub will not be told of", untold)
        strange = await self.db.fetch(
            "SELECT a.id FROM attempts a WHERE a.trust = 'untrusted' AND a.started_at IS NOT NULL "
            "AND NOT EXISTS (SELECT FROM approvals c WHERE c.run_id = a.run_id)"
        )
        demand(not strange, "a stranger's commit ran that nobody approved", strange)

    def has_changed(self, attempt_id: str, epoch: int, kind: str, changes: Sequence[Change]) -> bool:
        """Return whether this operation of a worker changed something."""
        mine = {"kind": kind, "attempt": attempt_id, "epoch": epoch}
        return any(one.operation == mine for one in changes)


def _judge_losses(change: Change) -> None:
    old, new = change.old, change.new
    if old is None or old["losses"] == new["losses"]:
        return
    demand(new["losses"] == old["losses"] + 1, "more than one loss at once", change)
    # A worker that has the name of another one knows that it is dead.
    is_over_by_time = datetime.fromisoformat(old["lease_expires"]) < change.at
    is_dead = change.operation.get("kind") == "take back"
    demand(is_over_by_time or is_dead, "a lease was lost that was good", change)
    demand(new["losses"] <= MAX_CLAIMS, "more losses than are allowed", change)
    is_over = new["losses"] == MAX_CLAIMS or new["cancel_asked"] is not None
    demand((new["state"] == "finished") == is_over, "ended too early, or tried too often", change)


def _judge_trail(changes: Sequence[Change], audited: Sequence[Audited]) -> None:
    """Each transition has its row in the trail, of the same transaction; no row tells of what did not happen."""
    told: dict[tuple[int, str], list[Audited]] = defaultdict(list)
    for row in audited:
        if row.attempt_id is not None and row.action in ACTIONS:
            told[row.tx, str(row.attempt_id)].append(row)
    for change in changes:
        old, new = change.old, change.new
        step = (None if old is None else old["state"], new["state"])
        asked = old is not None and old["cancel_asked"] != new["cancel_asked"]
        if step[0] == step[1] and not asked:
            continue
        rows = told[change.tx, new["id"]]
        fitting = [row for row in rows if step in ACTIONS[row.action]]
        demand(fitting, "nothing in the audit trail tells of this", change, rows)
        rows.remove(fitting[0])
        if fitting[0].action == "attempt.claimed":
            demand(fitting[0].detail == {"epoch": new["epoch"]}, "the trail has another epoch", change, fitting)
    left = [row for rows in told.values() for row in rows]
    demand(not left, "the audit trail tells of what did not happen", *left)


def judge_answer(kind: str, row: Mapping[str, Any] | None, epoch: int, *, raised: bool) -> None:
    """Judge what a worker heard that wrote alone; `row` is the attempt as it was before.

    Whoever holds the attempt must not hear that they lost it, and whoever lost it must. An end or a state that was
    told before may be told again.
    """
    assert row is not None
    holds = row["epoch"] == epoch and row["state"] in ACTIVE_STATES
    may_repeat = kind == "finish" and row["epoch"] == epoch and row["state"] == "finished"
    if kind in FENCED and not may_repeat:
        demand(raised != holds, f"{kind} was answered wrongly (raised: {raised})", dict(row))
    elif kind not in FENCED:
        demand(not raised, f"{kind} raises nothing", dict(row))
