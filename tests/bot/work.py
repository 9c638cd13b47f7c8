"""What a worker writes to the store while it executes an attempt: the real functions, in the real order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from draftsman.domain.finding import Finding, Level
from draftsman.domain.outcome import ImageUsed, Outcome, StepResult
from draftsman.domain.plan import Evidence, Plan, Profile, Tier
from draftsman.domain.retry import Cause, RetryRules
from draftsman.domain.run import Attempt, Conclusion, RunState
from draftsman.store import attempts, leases, logs, retrying, steps
from draftsman.store.database import Pool

OWNER = "worker-1"
IMAGE = ImageUsed("draftsman-runner/acme/widgets:0123456789ab", "0" * 64, cached=True, build_seconds=0)


def make_plan(
    *, setup: str = "uv sync", fast: Sequence[str] = ("ruff check .",), full: Sequence[str] = ("pytest",)
) -> Plan:
    return Plan(
        profile=Profile(None, "uv", setup, tuple(fast), tuple(full)),
        toolchains=(),
        dockerfile="FROM python:3.12-slim\n",
        caches=("uv",),
        evidence=(Evidence("fast", "pyproject.toml", 7, "[tool.ruff]", "ruff is configured"),),
    )


def make_findings(number: int, tier: Tier = Tier.FAST) -> tuple[Finding, ...]:
    return tuple(
        Finding(tier, "src/a.py", line, Level.FAILURE, "F401", f"`os{line}` imported but unused", "ruff")
        for line in range(1, number + 1)
    )


@dataclass
class Work:
    """One claimed attempt."""

    pool: Pool[Any]
    attempt: Attempt

    async def plan(self, plan: Plan) -> None:
        await attempts.keep_plan(self.pool, self.attempt, plan)
        await steps.replace(self.pool, self.attempt, plan.steps)

    async def build(self) -> None:
        await attempts.enter(self.pool, self.attempt, RunState.BUILDING, owner=OWNER)

    async def sandbox(self, image: ImageUsed = IMAGE) -> None:
        await attempts.keep_image(self.pool, self.attempt, image)
        await attempts.enter(self.pool, self.attempt, RunState.RUNNING, owner=OWNER)

    async def start(self, step_id: str) -> None:
        await steps.started(self.pool, self.attempt, step_id)

    async def end(self, step_id: str, exit_code: int = 0, output: bytes = b"") -> None:
        if output:
            await logs.append(self.pool, self.attempt, step_id, output)
        [step] = [step for step in await steps.of_attempt(self.pool, self.attempt.id) if step.id == step_id]
        await steps.finished(self.pool, self.attempt, StepResult(step_id, step.tier, step.command, exit_code, 1.5))

    async def step(self, step_id: str, exit_code: int = 0, output: bytes = b"") -> None:
        await self.start(step_id)
        await self.end(step_id, exit_code, output)

    async def finish(
        self,
        conclusion: Conclusion,
        title: str = "all checks passed",
        detail: str = "",
        findings: Sequence[Finding] = (),
        cause: Cause | None = None,
    ) -> None:
        outcome = Outcome(conclusion, title, detail, findings=tuple(findings), timings={"total": 4.5}, cause=cause)
        rules = RetryRules(1, 0)
        async with self.pool.acquire() as connection, connection.transaction():
            await retrying.end(connection, self.attempt, outcome, owner=OWNER, rules=rules)
            await steps.keep_findings(connection, self.attempt, outcome.findings)


async def claim(pool: Pool[Any]) -> Work:
    """The next queued attempt, claimed."""
    attempt = await leases.claim(pool, owner=OWNER, lease_seconds=60, per_repository=8)
    if attempt is None:
        raise AssertionError("no attempt is queued")
    return Work(pool, attempt)
