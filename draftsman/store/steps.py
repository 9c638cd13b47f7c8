"""Steps and findings of an attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from draftsman.domain.finding import Finding, Level
from draftsman.domain.outcome import StepResult
from draftsman.domain.plan import Step, Tier
from draftsman.domain.run import Attempt
from draftsman.store.attempts import HELD, HELD_ROW
from draftsman.store.database import Database, clean

_ENDED = "(SELECT 1 FROM attempts WHERE id = $1 AND epoch = $2 AND state <> 'queued' FOR SHARE)"
"""Held, or ended by this claim: the findings are kept in the transaction that ends it."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as it stands. `state` is pending, running or finished; a pending step of a finished attempt never ran."""

    id: str
    tier: Tier
    command: str
    state: str
    exit_code: int | None
    seconds: float | None
    may_fail: bool = False

    @property
    def is_red(self) -> bool:
        """Return whether the step ended so that its tier is red."""
        return self.state == "finished" and self.exit_code != 0 and not self.may_fail


async def replace(db: Database, attempt: Attempt, steps: Sequence[Step]) -> None:
    """Write the plan's steps, all pending; those of an earlier claim are gone. A lost lease changes nothing."""
    await db.execute(f"DELETE FROM steps WHERE attempt_id = $1 AND EXISTS {HELD_ROW}", attempt.id, attempt.epoch)  # noqa: S608
    await db.executemany(
        "INSERT INTO steps (attempt_id, position, id, tier, command, may_fail) "
        f"SELECT $1, $3, $4, $5, $6, $7 WHERE EXISTS {HELD_ROW}",
        [
            (attempt.id, attempt.epoch, position, step.id, step.tier, clean(step.command), step.may_fail)
            for position, step in enumerate(steps, start=1)
        ],
    )


async def started(db: Database, attempt: Attempt, step_id: str) -> None:
    """Mark the step as running and let the check runs show it. One that ran or ended before stays as it is."""
    await _update(db, attempt, "state = 'running'", step_id, was="pending")


async def finished(db: Database, attempt: Attempt, result: StepResult) -> None:
    """Keep the step's exit code and seconds. One that ended before stays as it is."""
    await _update(
        db,
        attempt,
        "state = 'finished', exit_code = $4, seconds = $5",
        result.id,
        result.exit_code,
        result.seconds,
    )


async def keep_results(db: Database, attempt: Attempt, results: Sequence[StepResult]) -> None:
    """Keep what the result file alone told: steps whose end never showed in the output.

    Call it in the transaction that ends the attempt, which checks the lease.
    """
    await db.executemany(
        "UPDATE steps SET state = 'finished', exit_code = $3, seconds = $4 "
        "WHERE attempt_id = $1 AND id = $2 AND state <> 'finished'",
        [(attempt.id, result.id, result.exit_code, result.seconds) for result in results],
    )


async def _update(
    db: Database, attempt: Attempt, change: str, step_id: str, *values: object, was: str | None = None
) -> None:
    before = "state <> 'finished'" if was is None else f"state = '{was}'"
    await db.execute(
        f"""
        WITH changed AS (
            UPDATE steps SET {change} WHERE attempt_id = $1 AND id = $3 AND {before}
              AND EXISTS (SELECT 1 FROM attempts WHERE {HELD} FOR NO KEY UPDATE)
            RETURNING attempt_id
        )
        UPDATE attempts SET version = version + 1 WHERE id = $1 AND EXISTS (SELECT 1 FROM changed)
        """,  # noqa: S608
        attempt.id,
        attempt.epoch,
        step_id,
        *values,
    )


async def of_attempt(db: Database, attempt_id: UUID) -> list[StepRecord]:
    """Return the steps in order of execution."""
    rows = await db.fetch(
        "SELECT id, tier, command, state, exit_code, seconds, may_fail FROM steps "
        "WHERE attempt_id = $1 ORDER BY position",
        attempt_id,
    )
    return [StepRecord(**{**dict(row), "tier": Tier(row["tier"])}) for row in rows]


async def keep_findings(db: Database, attempt: Attempt, findings: Sequence[Finding]) -> None:
    """Write the findings, in the order in which they are to be shown. A lost lease changes nothing."""
    await db.execute(f"DELETE FROM findings WHERE attempt_id = $1 AND EXISTS {_ENDED}", attempt.id, attempt.epoch)  # noqa: S608
    await db.executemany(
        "INSERT INTO findings (attempt_id, position, tier, path, line, end_line, column_, level, title, message, tool) "
        f"SELECT $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 WHERE EXISTS {_ENDED}",
        [
            (
                attempt.id,
                attempt.epoch,
                position,
                found.tier,
                clean(found.path),
                found.line,
                found.end_line,
                found.column,
                found.level,
                clean(found.title),
                clean(found.message),
                found.tool,
            )
            for position, found in enumerate(findings, start=1)
        ],
    )


async def findings_of(db: Database, attempt_id: UUID) -> list[Finding]:
    """Return the findings in the order in which they are to be shown."""
    rows = await db.fetch(
        "SELECT tier, path, line, level, title, message, tool, end_line, column_ AS column FROM findings "
        "WHERE attempt_id = $1 ORDER BY position",
        attempt_id,
    )
    return [Finding(**{**dict(row), "tier": Tier(row["tier"]), "level": Level(row["level"])}) for row in rows]
